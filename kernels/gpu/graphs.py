"""A program whose shapes repeat, captured once and then replayed with one launch.

    step = Replayed(device, program, written=(0, 1))
    loss, = step(weights, momenta, batch)

A captured graph works on the addresses that it was captured with.

- An input that comes from the same address every time (weights) is used where it is.
  One that comes from elsewhere (a batch) makes the graph be captured anew, with a
  buffer of its own for it, into which it is copied at each call from then on.
- Results lie in the graph's memory. As long as somebody holds one of a replay, that
  graph waits: another capture of the same program takes turns with it (a training loop
  that keeps the last loss needs two). With all of them held, the program runs as it
  would without graphs. So what a caller holds never changes, and nothing is copied.
- Numbers of the host (a learning rate) have places of their own (parameters.py).
- Memory of a graph belongs to a lane of its own: what is scratch for one capture is for
  the next one too, since they run one after the other.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Callable, Optional, Sequence

from ...tracer.errors import DeviceError, OutOfMemoryError
from .array import DeviceArray
from .device import Device
from .parameters import Parameters
from .streams import Recording, Stream
from .watching import watching

__all__ = ["Replayed"]

MOST = 3  # captures that take turns
Arrays = Sequence[DeviceArray]
Run = Callable[..., Arrays]


class Lease:
    """A holder of a result's memory that says when the last user is gone."""

    __slots__ = ("memory", "ptr", "__weakref__")

    def __init__(self, memory: Any):
        self.memory, self.ptr = memory, memory.ptr

    def used_on(self, stream: Stream) -> None:
        """Another stream works with it."""
        self.memory.used_on(stream)


class Captured:
    """One capture: what it reads, what it makes, who still holds that."""

    def __init__(
        self, inputs: Arrays, outputs: Arrays, work: Recording, checks: Sequence
    ):
        self.inputs, self.work = tuple(inputs), work
        self.checks = dict.fromkeys(checks)
        places = {id(a): n for n, a in enumerate(inputs)}
        memories: dict[int, Any] = {}
        for a in outputs:
            if id(a) not in places:
                memories.setdefault(id(a.memory), a.memory)
        self.memories = tuple(memories.values())
        at = {key: n for n, key in enumerate(memories)}
        # Of each output: the input that it is, or itself and whose memory it is in.
        self.outputs = tuple(
            [(places.get(id(a)), a, at.get(id(a.memory), -1)) for a in outputs]
        )
        self.leases: list[weakref.ref] = []

    @property
    def held(self) -> bool:
        """Whether somebody has a result of the last replay."""
        for lease in self.leases:
            if lease() is not None:
                return True
        return False

    def lend(self, inputs: Arrays) -> tuple[DeviceArray, ...]:
        """The results, as arrays of whoever called with these inputs."""
        leases = [Lease(memory) for memory in self.memories]
        self.leases = [*map(weakref.ref, leases)]
        return tuple(
            [
                array.held_by(leases[at]) if own is None else inputs[own]
                for own, array, at in self.outputs
            ]
        )


class Replayed:
    """A program on one device, for inputs of one signature (the caller checks).

    `run(*inputs)` takes DeviceArrays, launches on the current stream and returns its
    outputs: fresh arrays, or inputs. `written` numbers the inputs that it writes to.
    Inputs may also be small arrays of the host, at the same places each time.

    The first call runs it as it is, so that kernels are compiled and chosen; later ones
    replay. `refused` says why it cannot be captured (None: it can).
    """

    def __init__(self, device: Device, run: Run, written: Sequence[int] = ()):
        self.device, self.run, self.written = device, run, tuple(written)
        self.refused: Optional[str] = None
        self.captures: list[Captured] = []
        self.own: list[Optional[DeviceArray]] = []
        self.streams: list[Stream] = []  # the last one used
        self.numbers: Optional[Parameters] = None
        self.beside: tuple[int, ...] = ()  # which inputs these are
        self.fixed: tuple = ()  # the inputs that were where they always are
        self.moving: tuple[tuple[int, DeviceArray], ...] = ()  # all others' buffers
        self.warm = False
        self._lane = object()
        self._lock = threading.Lock()
        weakref.finalize(self, _over, device, self._lane, self.streams)

    def __call__(self, *inputs: Any) -> tuple[DeviceArray, ...]:
        """The outputs; what was returned before and is still held stays as it is."""
        if self.device.waiting:
            self.device.flush()
        if self.device.capturing:
            return tuple(self.run(*inputs))
        with self._lock:
            stream = self.device.stream
            self._follow(stream)
            if self.beside or not self.warm:
                inputs = self._with_numbers(inputs)
            apart = watching.program is not None or not self.warm
            chosen = None if apart else self._choose(inputs)
            self.warm = True
            if chosen is None:
                return tuple(self.run(*inputs))
            return self._replay(chosen, inputs, stream)

    def _follow(self, stream: Stream) -> None:
        """All that was given to another stream before comes first."""
        if not self.streams or self.streams[-1] is not stream:
            if self.streams:
                stream.wait_stream(self.streams[-1])
            self.streams[:] = [stream]

    def _with_numbers(self, inputs: tuple) -> tuple:
        """The inputs, those of the host in their places on the device."""
        if self.numbers is None:
            every = enumerate(inputs)
            places = [n for n, a in every if not isinstance(a, DeviceArray)]
            if not places:
                return inputs
            self.beside = tuple(places)
            self.numbers = Parameters(self.device, [inputs[n] for n in places])
        self.numbers.write([inputs[n] for n in self.beside])
        given = list(inputs)
        for n, array in zip(self.beside, self.numbers.views):
            given[n] = array
        return tuple(given)

    def _choose(self, inputs: Arrays) -> Optional[Captured]:
        """A capture that nobody holds a result of, an old one or a new one."""
        if self.refused or not self._placed(inputs):
            return None
        for each in self.captures:
            if not each.held:
                return each
        return self._capture(inputs) if len(self.captures) < MOST else None

    def _placed(self, inputs: Arrays) -> bool:
        """Give buffers to inputs that turned up elsewhere: older captures are void."""
        if not self._unmoved(inputs):
            self._place(inputs)
        for n, _ in self.moving:
            if not inputs[n].contiguous:
                return False
        return True

    def _unmoved(self, inputs: Arrays) -> bool:
        """Whether those that have no buffer are the very arrays of the last call."""
        if not self.captures:
            return False
        if not self.moving:  # tuples compare by identity, without a loop in Python
            return inputs == self.fixed
        return all([a is None or a is b for a, b in zip(self.fixed, inputs)])

    def _place(self, inputs: Arrays) -> None:
        self.own = self.own or [None] * len(inputs)
        before = self.captures[0].inputs if self.captures else inputs
        triples = enumerate(zip(self.own, before, inputs))
        moved = [n for n, (own, a, b) in triples if own is None and not _same(a, b)]
        if moved:
            self.streams[-1].synchronize()  # nothing of them may run any more
            self.captures.clear()
        for n in moved:
            shape, dtype = inputs[n].shape, inputs[n].dtype
            self.own[n] = self.device.empty(shape, dtype, "input of a graph")
        pairs = [*zip(self.own, inputs)]
        self.fixed = tuple([given if own is None else None for own, given in pairs])
        self.moving = tuple([(n, a) for n, a in enumerate(self.own) if a is not None])

    def _capture(self, inputs: Arrays) -> Optional[Captured]:
        placed = [given if own is None else own for own, given in zip(self.own, inputs)]
        if self._shared(inputs):
            self.refused = "an input that is written shares its memory with another"
            return None
        checks: list = []
        try:
            outputs, work = self._record(placed, checks)
        except OutOfMemoryError:
            return None  # there may be room another time
        except DeviceError as error:
            self.refused = str(error)
            return None
        self.captures.append(Captured(placed, outputs, work, checks))
        return self.captures[-1]

    def _record(self, placed: Arrays, checks: list) -> tuple[Arrays, Recording]:
        """Capture it; what it wants checked goes to `checks`: nothing has run yet."""
        before, self.device.checks = self.device.checks, {}
        try:
            return self.device.capture(lambda: self.run(*placed), self._lane)
        finally:
            checks += self.device.checks
            self.device.checks = before

    def _shared(self, inputs: Arrays) -> bool:
        """Whether a buffer would tear apart what is one for the program."""
        if all(own is None for own in self.own):
            return False
        places = [a.memory for a in inputs]
        return any(sum(p is places[n] for p in places) > 1 for n in self.written)

    def _replay(
        self, chosen: Captured, inputs: Arrays, stream: Stream
    ) -> tuple[DeviceArray, ...]:
        for n, own in self.moving:
            self.device.copy_within(own.ptr, inputs[n].ptr, own.nbytes)
        chosen.work.replay(stream)
        for n, own in self.moving:
            if n in self.written:
                self.device.copy_within(inputs[n].ptr, own.ptr, own.nbytes)
        if chosen.checks:
            self.device.checks.update(chosen.checks)
        return chosen.lend(inputs)


def _same(a: DeviceArray, b: DeviceArray) -> bool:
    return a.ptr == b.ptr and a.strides == b.strides


def _over(device: Device, lane: object, streams: list[Stream]) -> None:
    """The graphs are gone; their memory is for the stream that they ran on."""
    device.pool.dissolve(lane, streams[-1].handle if streams else None)
