"""A tree of pieces: all kept paths of one signature, forking where Python did.

The paths share one universe of values (equal nodes are one), so that the piece before
a fork hands on what any path below it reads and nothing is computed twice.
"""

from __future__ import annotations

from typing import Any, Iterable, Optional, Union

from ....tracer.graph import Graph, Value, node, placeholder, reachable
from ....tracer.recording.declare import declaring
from ....tracer.structure import freeze_attrs
from .path import NotKept, Path

__all__ = ["Tree", "Fork", "End", "told"]

_DEEPEST = 40  # forks on one path; beyond, Python drives
_WIDEST = 16  # ways on from one fork: more show a number that is always another


class End:
    """The end of a path: its outputs, as values of the tree."""

    def __init__(self, path: Path, outputs: tuple):
        self.path, self.outputs = path, outputs


class Fork:
    """A guard: its value, the user's line, and where each outcome leads."""

    def __init__(self, value: Value, line: Optional[str]):
        self.value, self.line = value, line
        self.branches: dict[Any, Union[Fork, End]] = {}


class Tree:
    """The paths of one signature. `inputs` are (description, value), in order met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[tuple[tuple, Value]] = []
        self.root: Union[Fork, End, None] = None
        self.paths: list[Path] = []
        self._shared: dict[Any, Value] = {}
        self._places: dict[tuple, Value] = {}  # where an input is -> its value

    def add(self, path: Path) -> None:
        """Insert a path. NotKept when it has too many forks for a tree."""
        if len(path.guards) > _DEEPEST:
            raise NotKept(
                f"Python looked at {len(path.guards)} values: it drives, and "
                "each piece between two looks is compiled once"
            )
        told_guards = [told(outcome) for outcome in path.guards]
        self._check_room(told_guards)
        values = self._merge(path)
        n = len(values) - len(path.guards)
        outcomes = zip(values[n:], told_guards, path.lines)
        self.root = self._insert(list(outcomes), End(path, values[:n]))
        self.paths.append(path)
        if path.closed:  # it stands for what was kept of its first turns
            self.paths = [end.path for end in _ends(self.root)]

    def _check_room(self, outcomes: list) -> None:
        here = self.root
        for outcome in outcomes:
            if not isinstance(here, Fork):
                return
            if outcome not in here.branches and len(here.branches) >= _WIDEST:
                raise NotKept(
                    f"Python looked at a number at {here.line} that was another "
                    f"{_WIDEST} times"
                )
            here = here.branches.get(outcome)

    def _merge(self, path: Path) -> tuple:
        if not (self.inputs or path.guards) and self._take(path):
            return path.program.outputs
        known: dict[int, Value] = {}
        for described, v in zip(path.inputs, path.program.inputs):
            known[v.id] = self._input(described, v)
        for v in path.program.nodes():
            if v.id not in known:
                args = tuple(known[a.id] for a in v.args)
                known[v.id] = self._share(v, args)
        return tuple(known[v.id] for v in path.program.outputs)

    def _take(self, path: Path) -> bool:
        """The values of a path without forks as they are: there is nothing to share.

        False where several inputs are one place.
        """
        inputs = path.program.inputs
        places = {_place(d): v for d, v in zip(path.inputs, inputs)}
        if len(places) < len(inputs):
            return False
        self._places, self.inputs = places, [*zip(path.inputs, inputs)]
        return True

    def value_of(self, described: tuple) -> Value:
        """The value of an input that some path has."""
        return self._places[_place(described)]

    def _input(self, described: tuple, v: Value) -> Value:
        place = _place(described)
        known = self._places.get(place)
        if known is None:
            known = placeholder(f"x{len(self.inputs)}", v.shape, v.dtype)
            self.inputs.append((described, known))
            self._places[place] = known
        return known

    def _share(self, v: Value, args: tuple) -> Value:
        key = (v.op, tuple(a.id for a in args), freeze_attrs(v.attrs), str(v.shape))
        found = self._shared.get((key, v.dtype))
        if found is None:
            found = node(v.op, args, v.attrs, v.shape, v.dtype)
            found.line = v.line
            self._shared[key, v.dtype] = found
        return found

    def _insert(self, guards: list, end: End) -> Union[Fork, End]:
        here = root = self.root
        above: Optional[tuple] = None
        for value, outcome, line in guards:
            if here is None or (end.path.closed and not _is_fork(here, value)):
                here = Fork(value, line)
                if above is None:
                    root = here
                else:
                    above[0].branches[above[1]] = here
            if not _is_fork(here, value):
                raise NotKept(f"it took another way at {line} for no visible reason")
            above, here = (here, outcome), here.branches.get(outcome)  # type: ignore
        if above is None:
            return end
        above[0].branches[above[1]] = end
        return root  # type: ignore[return-value]

    def pieces(self) -> dict[int, tuple[Graph, tuple]]:
        """The graph to run at each fork and end, by id.

        Its inputs are tree inputs and what was handed on; its outputs are the guard
        (at a fork) or the path's outputs, then what it hands on.
        """
        found: dict[int, tuple[Graph, tuple]] = {}
        at_hand = {v.id for _, v in self.inputs}
        stack: list = [(self.root, at_hand)]
        while stack:
            here, known = stack.pop()
            if isinstance(here, End):
                found[id(here)] = (self._cut(here.outputs, known), ())
                continue
            carried = self._carried(here, known)
            outputs = (here.value, *carried)
            found[id(here)] = (self._cut(outputs, known), carried)
            below = known | {v.id for v in outputs}
            stack += [(branch, below) for branch in here.branches.values()]
        return found

    def _cut(self, outputs: tuple, known: set[int]) -> Graph:
        nodes = reachable(outputs, inside=known)
        inputs = [v for v in nodes if v.id in known]
        inputs += declaring(nodes, inputs, [v for _, v in self.inputs])
        return Graph(self.name, inputs, outputs)

    def _carried(self, fork: Fork, known: set[int]) -> tuple:
        """What is computed for this guard and read again further down."""
        stop = lambda v: v.id in known  # noqa: E731
        here = {v.id for v in reachable([fork.value], stop) if v.id not in known}
        # A loop hands on its results, all of them made where it runs.
        inside = lambda v: v.args[0].id if v.op == "item" else v.id  # noqa: E731
        made = lambda v: v.id in here or inside(v) in here  # noqa: E731
        wanted = reachable(_below(fork), lambda v: v.id in known or made(v))
        return tuple(
            v
            for v in wanted
            if made(v) and v is not fork.value and v.op not in ("constant", "iota")
        )


def _is_fork(here: Any, value: Value) -> bool:
    return isinstance(here, Fork) and here.value is value


def _ends(root: Union[Fork, End, None]) -> Iterable[End]:
    stack = [root]
    while stack:
        here = stack.pop()
        if isinstance(here, End):
            yield here
        elif here is not None:
            stack.extend(reversed(here.branches.values()))


def told(outcome: Any) -> Any:
    """The outcome; a float that == cannot tell from another, as its text."""
    special = isinstance(outcome, float) and (outcome == 0 or outcome != outcome)
    return repr(outcome) if special else outcome


def _below(fork: Fork) -> Iterable[Value]:
    stack: list = list(fork.branches.values())
    while stack:
        here = stack.pop()
        if isinstance(here, Fork):
            yield here.value
            stack.extend(here.branches.values())
        else:
            yield from here.outputs


def _place(described: tuple) -> tuple:
    """What tells a place from others (objects by identity)."""
    kind, owner, key = described
    return kind, owner if kind in ("tensor", "root", "place") else id(owner), key
