"""Clocks in what runs on a GPU, for as long as a profile is on.

The function that launches the kernels of a program finds them by name among its
globals. There a launch between two marks takes the place of each, so that nobody pays
before or after. Copies between memories are methods of the device.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from ...kernels.triton import made as known
from ...tracer.later import Later
from ...tracer.where import user_line
from .instrument import name_of
from .spans import Clock, Spans

__all__ = ["Launches"]

eager = Later("...kernels.gpu.eager", __package__)
watched = Later("...kernels.gpu.watching", __package__)
COPIES = {"copy_in": "copy to {}", "copy_out": "copy from {} to the host"}
COPIES.update(copy_within="copy within {}", fill="fill in {}")


class _Inside(threading.local):
    """Whether a thread is in something that is measured as a whole; and the operation
    of eager Python that it runs, with its line."""

    now = False
    eager: Optional[tuple[str, Optional[str]]] = None


class Launches:
    """What has clocks in it, and how to take them out."""

    def __init__(self) -> None:
        self.spans, self.inside = Spans(), _Inside()
        self.clocks: dict[Any, Clock] = {}
        self.undo: list[Callable[[], None]] = []
        self.lock = threading.RLock()

    def put(self) -> None:
        """Clocks in all that there is, and in what is compiled from now on."""
        known.listeners.append(self.add)
        for made in known.remembered():
            self.add(made)

    def take(self) -> None:
        """Everything as it was."""
        known.listeners.remove(self.add)
        with self.lock:
            self.settle()
            while self.undo:
                self.undo.pop()()
            self.clocks.clear()

    def settle(self) -> None:
        """Read what has run so far."""
        self.spans.settle()

    def add(self, made: Any) -> None:
        """Clocks around the steps of one program."""
        with self.lock:
            clock = self.clock_of(getattr(made.machine, "device", None))
            scope = made.run.__globals__
            for n, k in enumerate(made.kernels):
                if k.name in scope:
                    name = f"{k.name}: {name_of(k.ops)}"
                    self.put_in(scope, k.name, clock, "kernel", name, k.line, k.bytes)
                elif (k.ops[0], k.line) in made.slow:  # a loop is what is in it
                    about = "host", k.ops[0], k.line, k.bytes
                    self.put_in(scope, f"host{n}", clock, *about)
            self.put_in(scope, "solid", clock, "copy", "contiguous copy", None, 0)

    def put_in(self, scope: dict, key: str, clock: Clock, *about: Any) -> None:
        """A clock around what stands under a name."""
        plain = scope[key]
        if getattr(plain, "clocked", False):
            return
        scope[key] = self.clocked(plain, clock, *about)
        self.undo.append(lambda: scope.__setitem__(key, plain))

    def clocked(
        self, plain: Callable, clock: Clock, kind: str, name: str, line: Any, size: int
    ) -> Callable:
        """The same, measured; `solid` only where it had to copy."""
        about = kind, name, line

        def run(*args: Any) -> Any:
            if self.inside.now or _captured(clock):
                return plain(*args)
            begin, self.inside.now = clock.mark(), True
            try:
                result = plain(*args)
            finally:
                self.inside.now = False
            if kind != "copy":
                of = ("eager", *self.inside.eager) if self.inside.eager else about
                self.spans.add(of, size, clock, begin)
            elif result is not args[0]:
                moved = kind, name, user_line()
                self.spans.add(moved, 2 * result.nbytes, clock, begin)
            return result

        run.clocked = True  # type: ignore[attr-defined]
        return run

    # Devices

    def clock_of(self, device: Any) -> Clock:
        """The clock of a device; at its first use, clocks in its copies as well."""
        if device not in self.clocks:
            if device is not None:
                device.flush()  # what eager Python asked for before is not measured
            self.clocks[device] = Clock(device)
            if device is not None:
                self.watch_programs()
                for method, said in COPIES.items():
                    self.put_in_copy(device, method, said.format(device.label))
        return self.clocks[device]

    def put_in_copy(self, device: Any, method: str, name: str) -> None:
        """A clock in a method of the device, where only this one has it."""
        plain, clock = getattr(device, method), self.clocks[device]

        def run(*args: Any) -> None:
            if self.inside.now or _captured(clock):
                return plain(*args)
            begin = clock.mark()
            plain(*args)
            size = next((a.nbytes for a in args if hasattr(a, "nbytes")), args[-1])
            self.spans.add(("copy", name, user_line()), size, clock, begin)

        setattr(device, method, run)
        self.undo.append(lambda: delattr(device, method))

    def watch_programs(self) -> None:
        """Clocks around programs, and around the operations of eager Python."""
        watching = watched.watching
        if watching.program is not None:
            return
        watching.program = self.program
        self.undo.append(lambda: setattr(watching, "program", None))
        for name in ("compute", "pointwise"):
            self.put_in_eager(name)

    def program(self, made: Any, run: Callable, arrays: tuple) -> tuple:
        """One program, whole; its kernels are measured by themselves."""
        if self.inside.eager or made.device.capturing:
            return run(arrays)
        clock = self.clock_of(made.device)
        begin = clock.mark()
        result = run(arrays)
        self.spans.add(("program", made.graph.name, None), 0, clock, begin)
        return result

    def put_in_eager(self, name: str) -> None:
        """What one operation of eager Python launches is told under its name."""
        scope = eager._find.__globals__
        plain = scope[name]

        def run(op: str, *rest: Any) -> Any:
            before, self.inside.eager = self.inside.eager, (op, user_line())
            try:
                return plain(op, *rest)
            finally:
                self.inside.eager = before

        scope[name] = run
        self.undo.append(lambda: scope.__setitem__(name, plain))


def _captured(clock: Clock) -> bool:
    """Work that is captured does not run now."""
    return clock.device is not None and clock.device.capturing
