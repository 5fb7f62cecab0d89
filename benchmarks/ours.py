"""tracefuse on a GPU, or on a simulated one."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple, Optional

import numpy as np
import tracefuse
from tracefuse.kernels.gpu import discover
from tracefuse.kernels.gpu.device import Device
from tracefuse.kernels.gpu.programs import settings
from tracefuse.kernels.gpu.simulated import SimulatedDevice

from .accuracy import results
from .corpus import Case

__all__ = ["Entrant", "Ours", "chosen", "simulate"]

SCRUB = 256 << 20  # bytes overwritten between calls: several times the L2 cache


class Entrant(NamedTuple):
    """One way to compute a case.

    `answer()` gives its results, computed once before anything is timed; `graph()` what
    replays it (None where that cannot be); `more` is written down.
    """

    name: str
    engine: Any
    call: Callable[[], Any]
    answer: Callable[[], list]
    graph: Callable[[], Optional[Callable]]
    more: dict[str, Any]


def simulate() -> Device:
    """Let the first GPU be a simulated one."""
    discover._found = ((SimulatedDevice(),), None)
    return discover.get_device(0)


@contextmanager
def chosen(timing: bool, tf32: bool) -> Iterator[None]:
    """What is compiled in here is compiled so."""
    before = settings.timing, settings.precision
    settings.timing, settings.precision = timing, "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        settings.timing, settings.precision = before


@contextmanager
def heard(notes: dict[str, Any]) -> Iterator[None]:
    """Note what is warned of: that something runs on the CPU, above all."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
    if said:
        notes["warned"] = sorted({str(w.message)[:300] for w in said})


class Ours:
    """tracefuse on a device; `timing` lets kernels choose their blocks by the clock.

    Without it the choice is the same every time ("tracefuse fixed").
    """

    def __init__(self, device: Device, timing: bool = True):
        self.device, self.timing = device, timing
        self.name = "tracefuse" if timing else "tracefuse fixed"
        size = 1 << 10 if isinstance(device, SimulatedDevice) else SCRUB
        self.scrub = device.empty((size,), np.uint8, "flushes the cache")

    def event(self) -> Any:
        """With timing."""
        return self.device.new_event(True)

    def flush(self) -> None:
        """Overwrite the cache."""
        self.device.fill(self.scrub.ptr, 0, self.scrub.nbytes)

    def wait(self) -> None:
        """For everything."""
        self.device.synchronize()

    def entrant(self, case: Case) -> Entrant:
        """Record and compile nothing yet: that is done when the answer is asked for."""
        where = self.device.label
        f = case.composed(tracefuse, device=where)
        args = tuple(x.to(where) for x in case.tensors(tracefuse))
        run = tracefuse.jit(f)
        more: dict[str, Any] = {}

        def call() -> Any:
            return run(*args)

        def answer() -> list:
            with chosen(self.timing, case.tf32), heard(more):
                if not case.training:
                    for _ in range(3):  # recorded, run, captured; then replayed
                        self.poison(results(case, call, None))
                found = results(case, call, getattr(f, "numbers", None))
            return [t.cpu().numpy() for t in found]

        def graph() -> Optional[Callable]:
            return None if case.training else self.captured(call)

        return Entrant(self.name, self, call, answer, graph, more)

    def poison(self, tensors: list) -> None:
        """Fill results with NaN: the memory is given out again for the next ones."""
        for t in tensors:
            self.device.fill(t._array.ptr, 0xFF, t._array.nbytes)

    def captured(self, call: Callable) -> Callable:
        """What replays a call, on the memory that it was captured with."""
        held, work = self.device.capture(call, object())

        def replay() -> Any:
            work.replay(self.device.stream)
            return held

        return replay

    def peak(self, call: Callable) -> int:
        """Bytes that a call takes at most, beside what is there already."""
        self.wait()
        before = self.device.pool.statistics().allocated
        self.device.pool.reset_peak()
        call()
        self.wait()
        return self.device.pool.statistics().max_allocated - before

    def done(self) -> None:
        """Give back what a case took."""
        self.wait()
        self.device.pool.empty_cache()
