"""A process-wide pool of threads for kernels; NumPy releases the GIL while it works.

Who calls works too: the parts of a kernel are handed out one by one, to the caller and
to whichever thread of the pool is free. Parts never wait for others, so calls from
several threads at once share the pool without a deadlock. The number of parts does not
depend on the number of threads, and so neither does any result.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Callable

from ...tracer.later import Later
from .floats import floats, quiet

__all__ = ["parallel", "set_threads", "threads"]

queue = Later("queue")

Part = Callable[[int], None]


def _asked() -> int:
    text = os.environ.get("TRACEFUSE_THREADS", "")
    if text.isdigit() and int(text) > 0:
        return int(text)
    return os.cpu_count() or 1


class _Pool:
    def __init__(self) -> None:
        self.size = _asked()
        self.started = 0
        self.lock = threading.Lock()
        self.work: Any = None  # a queue, once there are threads

    def grow(self, count: int) -> None:
        with self.lock:
            self.work = self.work or queue.SimpleQueue()
            while self.started < count:
                name = f"tracefuse-{self.started}"
                worker = threading.Thread(target=_serve, args=(self.work,), name=name)
                worker.daemon = True
                worker.start()
                self.started += 1


_pool = _Pool()


def _after_fork() -> None:
    global _pool
    size, _pool = _pool.size, _Pool()
    _pool.size = size


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def threads() -> int:
    """How many threads a large kernel uses (`TRACEFUSE_THREADS`, else all cores)."""
    return _pool.size


def set_threads(count: int) -> None:
    """Use `count` threads from now on; ValueError below 1."""
    if count < 1:
        raise ValueError(f"at least 1 thread is needed, not {count}")
    _pool.size = count


def _serve(work: Any) -> None:
    floats.set(quiet)  # a thread starts with warnings on
    while True:
        work.get().run()


class _Job:
    """The parts of one kernel; whoever runs it takes parts until none is left."""

    __slots__ = ("part", "left", "helpers", "done", "error")

    def __init__(self, part: Part, count: int, helpers: int):
        self.part = part
        # Popping from a list is atomic; the first part is handed out first.
        self.left = list(range(count - 1, -1, -1))
        self.helpers = helpers
        self.done = threading.Semaphore(0)
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work as a helper."""
        self.take_parts()
        self.done.release()

    def take_parts(self) -> None:
        left, part = self.left, self.part
        try:
            while left:
                try:
                    number = left.pop()
                except IndexError:
                    return
                part(number)
        except BaseException as error:
            left.clear()
            self.error = error

    def wait(self) -> None:
        """Return when every helper has; raise what a part raised."""
        for _ in range(self.helpers):
            self.done.acquire()
        if self.error is not None:
            raise self.error


def parallel(part: Part, count: int) -> None:
    """Call `part(0)` to `part(count - 1)`, in any order, in several threads."""
    pool = _pool
    helpers = min(pool.size, count) - 1
    if helpers < 1:
        for number in range(count):
            part(number)
        return
    if pool.started < helpers:
        pool.grow(helpers)
    job = _Job(part, count, helpers)
    for _ in range(helpers):
        pool.work.put(job)
    job.take_parts()
    job.wait()
