"""`tracefuse.config`: in Python what the environment variables say at the start."""

from __future__ import annotations

import os

from ..kernels.numpy import threads as pool
from ..kernels.settings import settings
from ..tracer.later import Later
from . import backends

__all__ = ["config"]

logging = Later("logging")


class Config:
    """Settings of this process; each can be assigned.

    disable_jit: run jitted functions as plain Python (`TRACEFUSE_DISABLE_JIT=1`).
    threads: for large kernels (`TRACEFUSE_THREADS`); ValueError below 1.
    cache_dir: where generated code is kept (`TRACEFUSE_CACHE_DIR`).
    backend: "numpy" or "triton-interpreter" (`TRACEFUSE_BACKEND`); ValueError for
    another.
    memory_budget: bytes that a jitted call may keep for its backward beside what it
    was given, if it is recorded from now on (None: as many as are dear to compute
    again). The rest is computed again. ValueError below 0.
    cuda_graphs: replay jitted programs on a GPU by one launch (True).
    fuse_eager: eager pointwise operations on a GPU wait for one another and run as one
        kernel when a value is asked for (True).
    tune: time the candidates of each kernel on its first use on a GPU, and remember the
        fastest (None: on a real one; False: the same choice every time, by rule).
    strict: a kernel that does not compile for a GPU is an error, not a warning (False).
    log: level of the logger "tracefuse" (`TRACEFUSE_LOG=INFO`), None for silence.

    >>> config.disable_jit
    False
    """

    def __init__(self) -> None:
        self.disable_jit = os.environ.get("TRACEFUSE_DISABLE_JIT", "") not in ("", "0")
        self._memory_budget: int | None = None
        self.cuda_graphs = True
        self._log: str | None = None
        if os.environ.get("TRACEFUSE_LOG"):
            self.log = os.environ["TRACEFUSE_LOG"]

    @property
    def threads(self) -> int:
        """How many threads a large kernel uses."""
        return pool.threads()

    @threads.setter
    def threads(self, count: int) -> None:
        pool.set_threads(count)

    @property
    def backend(self) -> str:
        """What code is generated, unless `jit(f, backend=...)` says otherwise."""
        return backends.current()

    @backend.setter
    def backend(self, name: str) -> None:
        backends.set_process(name)

    @property
    def cache_dir(self) -> str | None:
        """The folder of generated code; None: the user's cache folder."""
        return os.environ.get("TRACEFUSE_CACHE_DIR")

    @cache_dir.setter
    def cache_dir(self, path: str | os.PathLike) -> None:
        os.environ["TRACEFUSE_CACHE_DIR"] = os.fspath(path)

    @property
    def memory_budget(self) -> int | None:
        """How many bytes a jitted call may keep for its backward."""
        return self._memory_budget

    @memory_budget.setter
    def memory_budget(self, count: int | None) -> None:
        if count is not None and count < 0:
            raise ValueError(f"memory_budget must be None or at least 0, not {count}")
        self._memory_budget = count

    @property
    def strict(self) -> bool:
        """Whether a kernel that does not compile for a GPU is an error."""
        return settings.strict

    @strict.setter
    def strict(self, wanted: bool) -> None:
        settings.strict = bool(wanted)

    @property
    def fuse_eager(self) -> bool:
        """Whether eager pointwise operations on a GPU wait for one another."""
        return settings.pieces

    @fuse_eager.setter
    def fuse_eager(self, wanted: bool) -> None:
        settings.pieces = bool(wanted)

    @property
    def tune(self) -> bool | None:
        """Whether kernels for a GPU are chosen by timing."""
        return settings.timing

    @tune.setter
    def tune(self, wanted: bool | None) -> None:
        settings.timing = wanted

    @property
    def log(self) -> str | None:
        """The level of the logger "tracefuse"."""
        return self._log

    @log.setter
    def log(self, level: str | None) -> None:
        logger = logging.getLogger("tracefuse")
        logger.setLevel((level or "NOTSET").upper())
        if level and not logger.handlers:
            logger.addHandler(logging.StreamHandler())
        self._log = level


config = Config()
