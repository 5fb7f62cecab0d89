"""Recording a function that will run many times, or perhaps not at all.

The body of a loop and the branches of a `cond` run once, on *holes*: inputs of their
own without numbers. What they read of the outside is recorded there and, since values
are pure, may be read from inside; `api/control` turns what is read into operands. What
they may not do is act on the outside: it would happen once, when it is recorded.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..errors import TraceError
from ..graph import Value, here, placeholder, reachable
from ..record import Recorder
from ..sizes import Int
from ..types import int64

__all__ = ["Inner"]

_STATE = placeholder("random", (2,), int64)


def _shared(name: str) -> Any:
    return property(
        lambda self: getattr(self.outer, name),
        lambda self, new: setattr(self.outer, name, new),
    )


class Inner(Recorder):
    """The recording of `what` ("the body of scan") inside the recording `outer`."""

    outer: Recorder

    def __init__(self, outer: Recorder, what: str):
        # Leaves, shapes, guards, inputs: one book is kept, the outermost one's.
        self.__dict__.update(outer.__dict__)
        self.outer, self.what = outer, what
        self.holes: dict[int, Value] = {}
        self.made: list[weakref.ref] = []
        self.generators: dict[Any, tuple] = {}

    # What happens to the recording as a whole happens to the outermost one.
    volatile = _shared("volatile")
    crowded = _shared("crowded")
    flushed = _shared("flushed")
    pulls = _shared("pulls")

    @property
    def root(self) -> Recorder:
        """The recording that all this is part of."""
        return self.outer.root

    def hole(self, name: str, like: Value, drop: int = 0) -> Value:
        """A new input of the function, of the type of `like` (less its first axes)."""
        hole = placeholder(name, like.shape[drop:], like.dtype)
        hole.live = like.dtype.is_floating_point  # what stops gradients is noted
        self.holes[hole.id] = hole
        return hole

    # -- tensors: ours, or the outside's

    def adopt(self, tensor: Any) -> Any:
        """Take note of a tensor created while recording."""
        mine = tensor._storage.maker is self
        return super().adopt(tensor) if mine else self.outer.adopt(tensor)

    def value_of(self, t: Any) -> Value:
        """The current SSA value of a tensor."""
        mine = t._storage.maker is self
        return super().value_of(t) if mine else self.outer.value_of(t)

    def _place(self, t: Any) -> tuple[Value, tuple, int]:
        mine = t._storage.maker is self
        return super()._place(t) if mine else self.outer._place(t)

    def strides_of(self, t: Any) -> tuple:
        """Strides in elements, as the plain program would have them."""
        mine = t._storage.maker is self
        return super().strides_of(t) if mine else self.outer.strides_of(t)

    def laid_out(self, t: Any) -> Any:
        """The tensor from outside whose layout settles that of `t`, or None."""
        mine = t._storage.maker is self
        return super().laid_out(t) if mine else self.outer.laid_out(t)

    def write(self, t: Any, new: Value, hidden: bool = False) -> None:
        """Overwrite everything that `t` sees: only what was made in here."""
        if t._storage.maker is not self:
            self.refuse("writes to a tensor that was made outside of it")
        super().write(t, new, hidden)

    def write_slot(self, owner: Any, key: str, new: Any, item: bool = False) -> None:
        """Places outside stay as they are."""
        self.refuse(f"assigns {key.strip('_')!r} of an object outside of it")

    def refuse(self, deed: str) -> None:
        """TraceError that names the user's line and the remedy."""
        raise TraceError(
            f"{self.what} {deed}{self.place()}: it runs many times or not at all, but "
            "is recorded once. Carry the tensor: take it as an argument and return "
            "its new value."
        )

    def place(self) -> str:
        """The user's line in a message."""
        return f" at {here.line}" if here.line else ""

    # -- numbers

    def demand(self, v: Value) -> np.ndarray:
        """The numbers of `v`, unless they change from one run to the next."""
        self.check_known(v)
        return self.outer.demand(v)

    def flush(self, wanted: list[Value]) -> None:
        """Run the pending piece behind `wanted`."""
        for v in wanted:
            self.check_known(v)
        self.outer.flush(wanted)

    def guard(self, v: Value, outcome: Any) -> None:
        """Python went on because `v` (one element) was `outcome`."""
        self.outer.guard(v, outcome)

    def check_known(self, v: Value) -> None:
        """TraceError for what depends on the arguments of the function."""
        if any(
            u.id in self.holes for u in reachable([v], lambda u: u.id in self.holes)
        ):
            raise TraceError(
                f"{self.what} asks for the number of a tensor{self.place()} that it "
                "is given or computes: that is known only when it runs. Use cond, "
                "where or while_loop in place of Python's if and while."
            )

    def draw(self, generator: Any, blocks: Int) -> tuple[Value, Int]:
        """(state, skip) for a draw; the state is one more argument of the function."""
        if generator not in self.generators:
            self.generators[generator] = (self.hole("random", _STATE), 0)
        value, skip = self.generators[generator]
        self.generators[generator] = (value, skip + blocks)
        return value, skip
