"""Eager pointwise operations that wait for one another, and then run as one kernel.

A piece is what one thread has asked for on one device and nobody has looked at. Its
results are arrays without memory: whoever wants their address has the piece run, and
what nobody holds by then is never stored. All other work of the device lets the pieces
run first, so that reads and writes come in the order of the program. Pieces are known
by their structure: one that was seen before is not built again.
"""

from __future__ import annotations

import weakref
from typing import Any, Callable, Optional, Sequence

from ...tracer.broadcast import broadcast
from ...tracer.errors import OutOfMemoryError
from ...tracer.graph import Graph, Value, here, make, placeholder
from ...tracer.types import BY_NUMPY, DType
from ...tracer.where import user_line
from ..settings import settings
from .array import DeviceArray
from .device import TOLD, Device
from .layout import contiguous_strides
from .programs import instead, program
from .watching import watching

__all__ = ["Pending", "Piece", "defers", "piece_of", "pointwise_of"]

MOST = 64  # operations of a piece
KEPT = 4096  # pieces remembered for each device, and shapes of results
_results: dict[tuple, tuple] = {}
# The slots themselves, which Pending hides.
_memory, _ptr = DeviceArray.__dict__["memory"], DeviceArray.__dict__["ptr"]
_get_ptr, _set_ptr, _set_memory = _ptr.__get__, _ptr.__set__, _memory.__set__


class Pending(DeviceArray):
    """A result without memory. Once it has some it is a DeviceArray like any other.

    Until then the slot of the address holds (piece, number of the operation).
    """

    __slots__ = ()

    @property
    def ptr(self) -> int:  # type: ignore[override]
        """Its address: the piece has to run."""
        found = _get_ptr(self)
        if type(found) is not int:
            found[0].run()
        return _get_ptr(self)

    @property
    def memory(self) -> Any:  # type: ignore[override]
        """What holds it: the piece has to run."""
        assert self.ptr is not None
        return _memory.__get__(self)


class Piece:
    """Operations of one thread on one device, in its current stream.

    Operands are numbered: operations from 0 up, inputs from -1 down. `entries` are
    (primitive, types of operands, operands), `kinds` shape and type of each input.
    """

    __slots__ = (
        *("device", "stream", "inputs", "places", "kinds", "entries", "lines"),
        *("results", "done", "error"),
    )

    def __init__(self, device: Device):
        self.device, self.stream = device, device.stream
        self.inputs: list[Any] = []
        self.places: dict[int, int] = {}
        self.kinds: list[tuple] = []
        self.entries: list[tuple] = []
        self.lines: list[Optional[str]] = []
        self.results: list[weakref.ref] = []
        self.done = False
        self.error: Optional[BaseException] = None

    def add(self, op: str, arrays: Sequence, dtypes: tuple) -> Pending:
        """One more operation."""
        places = [self.place(a) for a in arrays]
        shape, dtype, line = result_of(op, dtypes, tuple([a.shape for a in arrays]))
        new: Any = object.__new__(Pending)
        new.device, new.shape, new.dtype = self.device, shape, dtype
        new.strides, new.contiguous = contiguous_strides(shape, dtype.itemsize), True
        _set_ptr(new, (self, len(self.entries)))
        self.entries.append((op, dtypes, *places))
        if line is None and new.nbytes >= TOLD:  # there may be no memory for it
            line = user_line()
        self.lines.append(line)
        self.results.append(weakref.ref(new))
        return new

    def place(self, a: Any) -> int:
        """The number of an operand."""
        if type(a) is Pending:
            found = _get_ptr(a)
            if type(found) is not int and found[0] is self:
                return found[1]
            assert a.ptr is not None  # another thread's piece runs
        at = self.places.get(id(a))
        if at is None:
            if isinstance(a, DeviceArray):
                self.places[id(a)] = -1 - len(self.inputs)
            else:  # whoever writes to a number of the host does not ask us
                a = a.copy()
            at = -1 - len(self.inputs)
            self.inputs.append(a)
            self.kinds.append((a.shape, a.dtype))
        return at

    def run(self) -> None:
        """Give memory to the results that somebody holds."""
        with self.device.order:
            if self.error is not None:
                raise type(self.error)(*self.error.args)
            if self.done:
                return
            self.done = True
            self.device.waiting.pop(self, None)
            try:
                self.give()
            except Exception as error:
                self.error = self.named(error)
                raise self.error from None
            except BaseException:  # an interrupt: another time
                self.done = False
                self.device.waiting[self] = None
                raise
            self.inputs.clear()

    def named(self, error: BaseException) -> BaseException:
        """The error; where memory is short, with the lines that want it."""
        lines = ", ".join(dict.fromkeys(line for line in self.lines if line))
        if not isinstance(error, OutOfMemoryError) or not lines:
            return error
        return OutOfMemoryError(f"{error}\nIt is for eager operations at {lines}.")

    def give(self) -> None:
        """Run it; each array gets what was made for it, and another class."""
        places, held = [], []
        for n, ref in enumerate(self.results):
            array = ref()
            if array is not None:
                places.append(n)
                held.append(array)
        if not held:
            return
        for array, made in zip(held, self.made(tuple(places))):
            _set_memory(array, made.memory)
            _set_ptr(array, made.ptr)
            array.__class__ = DeviceArray

    def made(self, places: tuple[int, ...]) -> tuple:
        """The results of these operations, computed in the piece's own stream."""
        run = self.program(places)
        if self.device.stream is self.stream:
            return run(*self.inputs)
        with self.device.on(self.stream):
            return run(*self.inputs)

    def program(self, held: tuple[int, ...]) -> Callable[..., tuple]:
        """What computes the results of these operations, found by structure."""
        known = self.device.pieces
        how = settings.precision, settings.timing
        key = (tuple(self.entries), tuple(self.kinds), held, how)
        found = known.get(key)
        if found is None:
            while len(known) >= KEPT:
                del known[next(iter(known))]
            found = known[key] = program(self.device, self.graph(held)).run
        return found

    def graph(self, held: tuple[int, ...]) -> Graph:
        """The piece as SSA."""
        kinds = enumerate(self.kinds)
        inputs = [placeholder(f"x{n}", s, BY_NUMPY[d]) for n, (s, d) in kinds]
        values: list[Value] = []
        before = here.line
        try:
            for (op, dtypes, *places), line in zip(self.entries, self.lines):
                here.line = line
                args = [values[n] if n >= 0 else inputs[-n - 1] for n in places]
                values.append(pointwise_of(op, args, dtypes))
        finally:
            here.line = before
        name = "_".join(entry[0] for entry in self.entries[:4])
        return Graph(name, inputs, [values[n] for n in held])


def pointwise_of(op: str, args: Sequence[Value], dtypes: Sequence[DType]) -> Value:
    """A pointwise primitive of values that are first cast and broadcast."""
    shape = broadcast(*[v.shape for v in args])
    return make(op, tuple([v.cast(d).expand(shape) for v, d in zip(args, dtypes)]))


def result_of(op: str, dtypes: tuple, shapes: tuple) -> tuple:
    """Shape and type of a result; and the user's line, where that is new."""
    found = _results.get((op, dtypes, shapes))
    if found is None:
        args = [placeholder("x", s, d) for s, d in zip(shapes, dtypes)]
        made = pointwise_of(op, args, dtypes)
        while len(_results) >= KEPT:
            _results.pop(next(iter(_results)), None)
        _results[op, dtypes, shapes] = (made.shape, made.dtype.np, None)
        return made.shape, made.dtype.np, user_line()
    return found


def defers(device: Device) -> bool:
    """Whether operations may wait: nobody else sees the memory, or the launches, and
    no error is wanted at once."""
    if not settings.pieces or settings.strict or device.shares:
        return False
    if watching.program is not None:
        return False
    return instead.make is None and device._thread.lane is None


def piece_of(device: Device) -> Piece:
    """The piece to which this thread adds; `device.order` is held."""
    piece = device._thread.piece
    if piece is None or piece.done or len(piece.entries) >= MOST:
        device.flush()
        piece = device._thread.piece = Piece(device)
        device.waiting[piece] = None
    return piece
