"""The checks of a generated entry: is this the call that was recorded?"""

from __future__ import annotations

from types import CellType
from typing import Any

from ...tracer.overlay import Slot
from ...tracer.pins import Pins
from ...tracer.views import MISSING, Attribute
from .path import Path, Source
from .unpack import Writer, check_tensor, sized

__all__ = ["Checks"]


class Checks:
    """Writes, for the paths of one signature, what must be as it was."""

    def __init__(self, grad: bool, dtype: Any, pins: list[Pins], paths: list[Path]):
        self.w = Writer()
        self.grad, self.dtype = grad, dtype
        self.pins, self.paths = pins, paths
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
        """Grad mode, the default type, and the pinned Python state."""
        w = self.w
        w.miss(f"state.grad is not {self.grad}")
        w.miss(f"defaults.dtype is not {w.bind('dtype', self.dtype)}")
        for pins in self.pins:
            p = w.bind("pins", pins)
            tests = [f"epoch.value != {p}.epoch"]
            for container, key, value in pins.places:
                tests.append(_place(w, container, key, value))
            w.miss(f"({' or '.join(tests)}) and not {p}.hold()")

    def check_slots(self) -> None:
        """What the places outside hold that the program reads tensors from."""
        w = self.w
        for n, (slot, kind) in enumerate(self.slots.values()):
            owner = self._owner(slot)
            read = f"{owner}.get({slot.key!r})" if slot.item else f"{owner}.{slot.key}"
            w.line(f"v{n}_ = {read}")
            if kind is None:
                w.miss(f"v{n}_ is not None")
            else:
                check_tensor(w, f"v{n}_", kind, f"y{n}_")

    def _owner(self, slot: Slot) -> str:
        """The expression for what has the slot: an argument, or the very object."""
        owner = slot.owner
        arg = isinstance(owner, Source)
        return self.at(owner) if arg else self.w.bind("owner", owner)

    def check_aliases(self) -> None:
        """Where storages are written, who shares them must be as recorded."""
        for path in self.paths:
            if path.writes:
                self.check_groups(path.groups, [s for s, _ in path.writes])

    def check_groups(self, groups: dict[Source, int], written: list) -> None:
        """The same for one path: `groups` numbers the storages."""
        w, here = self.w, [s for s in groups if s.kind != "pin"]
        pins = {groups[s]: s for s in written if s.kind == "pin"}
        names = w.bind("written", frozenset(s.at._storage for s in pins.values()))
        for i, a in enumerate(here):
            if groups[a] in pins:
                pin = self.at(pins[groups[a]])
                w.miss(f"{self.at(a)}._storage is not {pin}._storage")
            elif pins:
                w.miss(f"{self.at(a)}._storage in {names}")
            for b in here[i + 1 :] if any(s in written for s in here) else ():
                sign = "is not" if groups[a] == groups[b] else "is"
                w.miss(f"{self.at(a)}._storage {sign} {self.at(b)}._storage")

    def check_layouts_and_sizes(self) -> None:
        """Strides that were asked for, and guesses about symbolic sizes."""
        for path in self.paths:
            for source, strides in path.layouts:
                array = f"{self.at(source)}._array"
                if strides is None:
                    self.w.miss(f"not {array}.flags.c_contiguous")
                else:
                    self.w.miss(f"{array}.strides != {strides!r}")
            for text, outcome in path.sizes:
                self.w.miss(f"({sized(text)}) != {outcome!r}")


def _place(w: Writer, container: Any, key: Any, value: Any) -> str:
    c, v = w.bind("c", container), w.bind("z", value)
    if isinstance(container, CellType):
        if value is MISSING:  # an empty cell cannot be looked into
            return "True"
        return f"{c}.cell_contents is not {v}"
    if type(key) is Attribute:
        return f"getattr({c}, {str(key)!r}, {w.bind('missing', MISSING)}) is not {v}"
    missing = f", {w.bind('missing', MISSING)}" if value is MISSING else ""
    return f"{c}.get({w.literal(key)}{missing}) is not {v}"
