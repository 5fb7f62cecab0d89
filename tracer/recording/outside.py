"""What a recording reads of the outside besides tensors, and what it puts there.

Slots hold tensors (`p.grad`, the state of an optimizer), groups hold numbers, and
generators hand out random ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..graph import Value, placeholder
from ..sizes import Int
from ..types import from_numpy, int64
from ..watching.consumers import site
from ..where import user_frame
from .overlay import Input, Slot

__all__ = ["Met", "Outside"]


class Met(NamedTuple):
    """An array of which tensors were made: at which sites, which tensors.

    Those that are `shared` the code got itself; of the others it got a copy.
    """

    array: np.ndarray
    sites: set
    made: list
    shared: list


class Outside:
    """The part of a recorder that knows of places outside."""

    inputs: list[Input]
    slots: dict[tuple, tuple]  # (id(owner), key) -> (Slot, first value)
    written: dict[tuple, tuple]  # the same for places assigned to
    generators: dict[Any, tuple]  # generator -> (Value, blocks drawn)
    dicts: dict[int, tuple]  # id -> (a dict that changed, what it held)
    flags: dict[int, tuple]  # id -> (tensor that became a variable or none, before)
    arrays: dict[int, Met]  # id -> an array of NumPy's, of which tensors are made

    def read_slot(self, owner: Any, key: str, item: bool = False) -> Any:
        """What an outside place holds; the path will depend on it."""
        slot = Slot(owner, key, item)
        now = slot.get()
        if (id(owner), key) not in self.written:
            self.slots.setdefault((id(owner), key), (slot, now))
        return now

    def write_slot(self, owner: Any, key: str, new: Any, item: bool = False) -> None:
        """Put a tensor (or None) into an outside place; replayed at every call."""
        slot = Slot(owner, key, item)
        self.written.setdefault((id(owner), key), (slot, slot.get()))
        slot.set(new)

    def number(self, owner: Any, key: Any) -> Value:
        """The float `owner[key]` as a 0-d float64 input, read anew at every call."""
        for known in self.inputs:
            if known.kind == "number" and known.owner is owner and known.key == key:
                return known.value
        value = placeholder(f"x{len(self.inputs)}", (), from_numpy("float64"))
        value.data = np.asarray(float(dict.__getitem__(owner, key)))
        self.inputs.append(Input(value, "number", owner, key))
        return value

    def flag(self, tensor: Any, steps: tuple) -> None:
        """A tensor from outside becomes a variable, or none; it was seen by `steps`."""
        self.flags.setdefault(id(tensor), (tensor, steps))

    def meet_numbers(self, array: np.ndarray, tensor: Any, shares: bool) -> None:
        """The user's code makes a tensor of an array: its numbers are an input.

        `tensor` reads the numbers; `shares` says whether the code gets it itself.
        """
        met = self.arrays.setdefault(id(array), Met(array, set(), [], []))
        met.made.append(tensor)
        met.shared.extend([tensor] if shares else [])
        frame = user_frame()
        if frame is not None:
            met.sites.add(site(frame))

    def draw(self, generator: Any, blocks: Int) -> tuple[Value, Int]:
        """(state, skip) for a draw of so many Philox blocks from `generator`."""
        if generator not in self.generators:
            value = placeholder(f"x{len(self.inputs)}", (2,), int64)
            value.data = generator.words()
            self.inputs.append(Input(value, "generator", generator))
            self.generators[generator] = (value, 0)
        value, skip = self.generators[generator]
        self.generators[generator] = (value, skip + blocks)
        return value, skip

    def keep_before(self, owner: dict) -> None:
        """Remember what a dict outside holds, as it is about to change."""
        self.dicts.setdefault(id(owner), (owner, dict(owner)))

    def undo(self) -> None:
        """Put back what the recording assigned outside (a failure of ours)."""
        self.put_back()  # type: ignore[attr-defined]
        self.hide()  # type: ignore[attr-defined]
        for tensor, steps in self.flags.values():
            tensor._steps, tensor._seen = steps, -1
        for slot, before in self.written.values():
            slot.set(before)
        for owner, held in self.dicts.values():
            dict.clear(owner)
            dict.update(owner, held)
