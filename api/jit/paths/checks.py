"""The checks of a generated entry: is this the call that was recorded?"""

from __future__ import annotations

import math
from types import CellType
from typing import Any

from ....tracer.recording.overlay import Slot
from ....tracer.sizes import sized
from ....tracer.watching.pins import Pins
from ....tracer.watching.views import Attribute, content
from .path import Path, Source
from .places import place_tests
from .unpack import Writer, check_host, check_tensor

__all__ = ["Checks"]


class Checks:
    """Writes, for the paths of one signature, what must be as it was."""

    def __init__(self, grad: bool, dtype: Any, pins: list[Pins], paths: list[Path]):
        self.w = Writer()
        self.grad, self.dtype = grad, dtype
        self.pins, self.paths = pins, paths
        self.autocast: Any = None  # the mode that was on
        self.device: Any = paths[-1].device if paths else None  # the same for all
        self.slots: dict = {}
        for path in paths:
            self.slots.update(path.slots)

    def at(self, source: Source) -> str:
        """The expression for a tensor."""
        if source.kind == "arg":
            return f"a{source.at}_"
        if source.kind == "slot":
            return f"v{list(self.slots).index(source.at)}_"
        return self.w.bind("t", source.at)

    def check_state(self) -> None:
        """Grad mode, autocast, the default type, and the pinned Python state."""
        w = self.w
        w.miss(f"state.grad is not {self.grad}")
        w.miss(f"state.autocast is not {w.bind('autocast', self.autocast)}")
        w.miss(f"defaults.dtype is not {w.bind('dtype', self.dtype)}")
        known: set = set()
        for pins in self.pins:
            p = w.bind("pins", pins)
            tests = [f"epoch.value != {p}.epoch", *place_tests(w, pins, known)]
            w.miss(f"({' or '.join(tests)}) and not {p}.hold()")

    def check_slots(self) -> None:
        """What the places outside hold that the program reads tensors from."""
        w = self.w
        known: dict[str, str] = {}  # containers that were checked
        for n, (slot, kind) in enumerate(self.slots.values()):
            found = _slot(w, self._owner(slot), slot)
            w.line(f"v{n}_ = {_below(w, found, slot.below, known)}")
            if kind is None:
                w.miss(f"v{n}_ is not None")
            else:
                check_tensor(w, f"v{n}_", kind, f"y{n}_")
        check_host(w)

    def check_numbers(self) -> None:
        """Followed numbers are read, their arithmetic runs, guards on them hold."""
        texts = self._number_lines()
        if texts:
            w = self.w
            w.line("try:")
            for text in texts:
                w.line(f"    {text}")
            w.line("except (ArithmeticError, LookupError, AttributeError,")
            w.line("        TypeError, ValueError): return MISS")

    def _number_lines(self) -> list[str]:
        texts: dict[str, None] = {}  # each once, in order
        for path in self.paths:
            for source in path.scalars.sources:
                name, kind = source.name, type(source.then).__name__
                texts[f"{name} = {_read(self.w, source.spot)}"] = None
                texts[f"if type({name}) is not {kind}: return MISS"] = None
            for name, text in path.scalars.lines.items():
                texts[f"{name} = {text}"] = None
            for text, outcome in path.scalars.guards.items():
                test = _fails(self.w, text, outcome)
                texts[f"if {test}: return MISS"] = None
        return list(texts)

    def _owner(self, slot: Slot) -> str:
        """The expression for what has the slot: an argument, or the very object."""
        owner = slot.owner
        arg = isinstance(owner, Source)
        return self.at(owner) if arg else self.w.bind("owner", owner)

    def check_aliases(self) -> None:
        """Where storages are written or shared, who shares them must be as recorded;
        a tensor that came from two places comes from both."""
        for a, b in dict.fromkeys(pair for path in self.paths for pair in path.twice):
            self.w.miss(f"{self.at(a)} is not {self.at(b)}")
        for path in self.paths:
            if path.shared:
                self.check_groups(path)

    def check_groups(self, path: Path) -> None:
        """The same for one path. What is written is no captured storage, unless it
        was; what is read alone may be one: it is read where it lies."""
        w, groups, shared = self.w, path.groups, set(path.shared)
        here = [s for s in groups if s.kind != "pin"]
        pins = {groups[s][0]: s for s in path.shared if s.kind == "pin"}
        some = frozenset(s.at._storage for s in pins.values())
        every = some | path.captured
        known = set(map(id, every))
        for i, a in enumerate(here):
            storage, steps = groups[a]
            if sum(other[0] == storage for other in groups.values()) > 1:
                steps = w.bind("steps", steps)
                w.miss(f"memory_steps({self.at(a)}._steps) != {steps}")
            if storage in pins:
                pin = self.at(pins[storage])
                w.miss(f"{self.at(a)}._storage is not {pin}._storage")
            elif storage not in known and (every if a in shared else some):
                names = w.bind("shared", every if a in shared else some)
                w.miss(f"{self.at(a)}._storage in {names}")
            for b in here[i + 1 :] if any(s in shared for s in here) else ():
                sign = "is not" if storage == groups[b][0] else "is"
                w.miss(f"{self.at(a)}._storage {sign} {self.at(b)}._storage")

    def check_layouts_and_sizes(self) -> None:
        """Strides that were asked for, and guesses about symbolic sizes."""
        for path in self.paths:
            for source, strides in path.layouts:
                array = f"{self.at(source)}._array"
                if strides is None:
                    self.w.miss(f"not {array}.flags.c_contiguous")
                else:
                    ordered = f"{array}.flags.c_contiguous"
                    self.w.miss(f"{array}.strides != {strides!r} or {ordered}")
            for text, outcome in path.sizes:
                self.w.miss(f"({sized(text)}) != {outcome!r}")


def _slot(w: Writer, owner: str, slot: Slot) -> str:
    """The expression for what is in a slot now."""
    if isinstance(slot.owner, CellType):
        return f"{w.bind('content', content)}({owner})"
    if isinstance(slot.owner, list):  # of the length that it had: see the pins
        return f"{owner}[{slot.key!r}]"
    if slot.item:
        return f"{owner}.get({w.literal(slot.key)})"
    if slot.key == "_grad":  # of a tensor, which has it always
        return f"{owner}._grad"
    return f"getattr({owner}, {str(slot.key)!r}, None)"


def _below(w: Writer, at: str, steps: tuple, known: dict[str, str]) -> str:
    """The expression for what is in a bundle; `known` are those that were checked."""
    for kind, keys, key in steps:
        if at not in known:
            name = known[at] = f"u{len(known)}_"
            w.line(f"{name} = {at}")
            w.miss(f"type({name}) is not {w.bind('kind', kind)}")
            size = f"tuple({name})" if kind is dict else f"len({name})"
            w.miss(f"{size} != {keys!r}")
        at = f"{known[at]}[{key!r}]"
    return at


def _read(w: Writer, spot: Any) -> str:
    """The expression for what is in a place now."""
    c = w.bind("c", spot.container)
    if isinstance(spot.container, CellType):
        return f"{c}.cell_contents"
    if type(spot.key) is Attribute:
        return f"{c}.{spot.key}"
    return f"{c}[{w.literal(spot.key)}]"


def _fails(w: Writer, text: str, outcome: Any) -> str:
    """The test that an expression came out otherwise."""
    if isinstance(outcome, bool):
        return f"({text}) is not {outcome}"
    finite = type(outcome) is float and outcome != 0 and math.isfinite(outcome)
    if isinstance(outcome, int) or finite:
        return f"({text}) != {outcome!r}"
    return f"repr({text}) != {repr(outcome)!r}"
