"""The generated entry: everything a cached call does, as one Python function.

It checks that this is the call that was recorded (arguments, watched state, slots),
finds the arrays, runs the pieces, commits and wraps. Written out per signature, with
nothing generic left on the way, because this is what every cached call costs.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from ....tracer.record import state
from ....tracer.simplifying.simplify import simple_part
from ....tracer.storage import Storage, memory_steps, tracked, view_array
from ....tracer.watch import epoch
from ....tracer.watching.pins import Pins
from ....tracer.where import show_source
from ...defaults import defaults
from ...engine import executable
from ...tensor import Tensor
from .commit import exchange, exchange_away, hold, release, written
from .flags import flagged
from .path import NotKept, Path
from .replaying import Replays
from .results import literal
from .strangers import stranger_tests
from .tree import End, Fork, Tree
from .unpack import Writer, unpack

__all__ = ["Entry", "MISS", "FORK"]

MISS = object()  # not the call that was recorded
FORK = object()  # it is, but Python took a way not recorded yet


class Entry:
    """One signature of a jitted function: its tree of paths and their entry.

    `call(args, kwargs)` is the result, or MISS, or FORK.
    """

    def __init__(self, name: str, leaves: list, spec: Any, grad: bool):
        self.name, self.leaves, self.spec, self.grad = name, leaves, spec, grad
        self.dtype, self.autocast = defaults.dtype, state.autocast
        self.tree = Tree(name)
        self.pins: list[Pins] = []
        self.homes: dict[int, list] = {}
        self.sizes = False  # whether it serves arguments of other sizes too
        self.source = ""
        self.call: Any = lambda args, kwargs: MISS

    def add(self, path: Path, pins: Pins) -> None:
        """Keep a further path; the entry is written anew."""
        if any(other.device is not path.device for other in self.tree.paths):
            raise NotKept("its ways run on different devices")
        path.also_captured(pins.tensors_met())
        self.tree.add(path)
        self.pins.append(pins)
        pins.pin_tensors(path.captives)
        for t in path.captives:
            if path.writes:
                home, then = _home(t)
                pins.watched.append((home, then))
                self.homes.setdefault(id(t), []).append(then)
        self.call, self.source = _Generator(self).build()

    @property
    def executables(self) -> list:
        """What its pieces compiled to."""
        return list(self._compiled)

    _compiled: tuple = ()


class _Generator(Replays):
    """Writes the entry function of one tree."""

    def __init__(self, entry: Entry):
        super().__init__(entry.grad, entry.dtype, entry.pins, entry.tree.paths)
        self.autocast = entry.autocast
        self.entry, self.tree = entry, entry.tree
        self.names: dict[int, str] = {}  # id of a tree Value -> expression
        self.pieces = self.tree.pieces()
        self.compiled: list = []
        self.homes = entry.homes

    def build(self) -> tuple[Any, str]:
        """The function and its source."""
        w = self.w
        w.line("def entry(args, kwargs):")
        w.depth = 1
        self.places = unpack(w, self.entry.leaves, self.entry.spec)
        self.check_state()
        self.check_slots()
        self.check_aliases()
        for path, pins in zip(self.paths, self.pins):
            tests = stranger_tests(w, path, pins, self.entry.leaves, self.at)
            for test in dict.fromkeys(tests):
                w.miss(test)
        self.check_layouts_and_sizes()
        self.check_numbers()
        self._name_inputs()
        self._branch(self.tree.root)
        self.entry._compiled = tuple(self.compiled)
        return self._compile()

    def _compile(self) -> tuple[Any, str]:
        text = self.w.text()
        path = f"<tracefuse entry {self.entry.name} {id(self.entry):x}>"
        names = dict(self.w.names, MISS=MISS, FORK=FORK, state=state, epoch=epoch)
        names.update(Tensor=Tensor, Storage=Storage, new=object.__new__, np=np)
        names.update(tracked=tracked, exchange=exchange, view_array=view_array)
        names.update(hold=hold, release=release, written=written, defaults=defaults)
        names.update(memory_steps=memory_steps, math=math)
        names.update(exchange_away=exchange_away, ref=weakref.ref)
        exec(compile(text, path, "exec"), names)
        entry = names.pop("entry")  # no circle: what is forgotten is gone at once
        show_source(path, text, entry)
        return entry, text

    def _name_inputs(self) -> None:
        for (kind, owner, key), value in self.tree.inputs:
            self.names[value.id] = self._input(kind, owner, key)

    def _input(self, kind: str, owner: Any, key: Any) -> str:
        if kind == "tensor":
            arg = owner.kind == "arg"
            return f"x{owner.at}_" if arg else f"{self.at(owner)}._array"
        if kind == "root":
            return f"{self.at(owner)}._storage.array"
        if kind == "number":
            return f"np.array(float({self.w.bind('group', owner)}[{key!r}]))"
        if kind == "scalar":
            name, code = key
            return f"np.array({name}, {code!r})"
        return f"{self.w.bind('generator', owner)}.words()"

    def _branch(self, here: Any) -> None:
        if isinstance(here, End):
            self._end(here)
        else:
            self._fork(here)

    def _fork(self, fork: Fork) -> None:
        w, (graph, carried) = self.w, self.pieces[id(fork)]
        names = [f"q{fork.value.id}_", *(f"c{v.id}_" for v in carried)]
        self.names.update((v.id, f"c{v.id}_") for v in carried)
        self._run(graph, (), names)
        self.names[fork.value.id] = names[0]
        w.line(f"# {fork.line}")
        w.line(f"g{fork.value.id}_ = {names[0]}.item()")
        sign = "if"
        for outcome, branch in fork.branches.items():
            w.line(f"{sign} {_came_out(w, f'g{fork.value.id}_', outcome)}:")
            w.depth += 1
            here, self.names = self.names, dict(self.names)
            self._branch(branch)
            self.names = here  # what one way computes, the others have not
            w.depth -= 1
            sign = "elif"
        w.line("return FORK")

    def _run(self, graph: Any, donated: tuple, names: list[str]) -> None:
        if not names:  # it hands out views only
            return
        if all(path.simple for path in self.tree.paths):
            graph = simple_part(graph)
        made = executable(graph, donated, device=self.device)
        self.compiled.append(made)
        args = [self.names[v.id] for v in graph.inputs]
        args += [f"spare_[{i}]" for i in range(len(donated))]
        k, w = self.w.bind("k", getattr(made, "run", made)), self.w
        w.line("try:")
        results = f"{', '.join(names)}, = " if names else ""
        w.line(f"    {results}{k}({', '.join(args)})")
        w.line("except IndexError:  # Python runs again and says where")
        w.line("    return MISS")

    def _end(self, end: End) -> None:
        path = end.path
        self.check_given(path)
        graph = self.pieces[id(end)][0]
        first = len(path.fresh)
        outputs = [f"o{i}_" for i in range(len(end.outputs))]
        if self.replays(path, graph):
            late = self.run_replayed(path, graph, outputs)
            self._finish(path, outputs, False, None, late)
            return
        parts = self.divided(path, graph)
        late, names = parts.late if parts else (), outputs
        writes = [k for k in range(first, first + len(path.writes)) if k not in late]
        if parts is not None:
            graph = parts.first
            names = [name for k, name in enumerate(outputs) if k not in late]
            self.check_writable(path, late)
        donated = tuple(names.index(outputs[k]) for k in writes)
        donated = self.take_spares(graph, donated)
        more = len(parts.handed) if parts else 0
        self._run(graph, donated, [*names, *(f"e{j}_" for j in range(more))])
        self._finish(path, outputs, bool(donated), parts)

    def _finish(
        self, path: Path, outputs: list, donated: bool, parts: Any, late: tuple = ()
    ) -> None:
        for source, leaf in path.flags:
            self.w.line(f"{self.w.bind('flagged', flagged)}({self.at(source)}, {leaf})")
        self._histories(path, outputs)
        tensors = self.results(path, outputs)
        self.change(path, outputs, tensors, donated, parts, late)
        leaves = [self.made(ref, tensors) for ref in path.result]
        self.w.line(f"return {literal(self.w, path.result_spec, leaves)}")

    def _histories(self, path: Path, outputs: list[str]) -> None:
        if path.border is None:
            return
        pairs = []
        for kind, owner, key in path.inputs:
            storage = f"{self.at(owner)}._storage" if kind in _TENSORS else "None"
            pairs.append(f"({self._input(kind, owner, key)}, {storage}), ")
        ends = ("None" if s is None else self.at(s) for s in path.owners)
        owners = "".join(end + ", " for end in ends)
        kept = outputs[len(path.fresh) + len(path.writes) + path.items :]
        border = self.w.bind("border", path.border)
        self.w.line(
            f"h_ = {border}.histories(({''.join(pairs)}), ({owners}), "
            f"({''.join(k + ', ' for k in kept)}))"
        )


_TENSORS = ("tensor", "root")


class _Home:
    """A tensor seen as a dict of one item: a reference to its storage.

    Who shares a storage matters where one is written; `p.data = q` changes that.
    """

    def __init__(self, t: Tensor):
        self.tensor = t

    def __len__(self) -> int:
        return 1

    def get(self, key: None, default: Any = None) -> Any:
        """What does not keep the storage alive, and is one object for each."""
        return weakref.ref(self.tensor._storage)


def _home(t: Tensor) -> tuple[_Home, dict]:
    home = _Home(t)
    return home, {None: home.get(None)}


def _came_out(w: Writer, name: str, outcome: Any) -> str:
    """The test for an outcome; text stands for a float that == cannot tell."""
    if isinstance(outcome, str):
        return f"repr({name}) == {outcome!r}"
    return f"{name} == {w.literal(outcome)}"
