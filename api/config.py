"""`tracefuse.config`: in Python what the environment variables say at the start."""

from __future__ import annotations

import os

from ..kernels.numpy import threads as pool
from ..tracer.later import Later

__all__ = ["config"]

logging = Later("logging")


class Config:
    """Settings of this process; each can be assigned.

    disable_jit: run jitted functions as plain Python (`TRACEFUSE_DISABLE_JIT=1`).
    threads: for large kernels (`TRACEFUSE_THREADS`); ValueError below 1.
    cache_dir: where generated code is kept (`TRACEFUSE_CACHE_DIR`).
    log: level of the logger "tracefuse" (`TRACEFUSE_LOG=INFO`), None for silence.

    >>> config.disable_jit
    False
    """

    def __init__(self) -> None:
        self.disable_jit = os.environ.get("TRACEFUSE_DISABLE_JIT", "") not in ("", "0")
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
    def cache_dir(self) -> str | None:
        """The folder of generated code; None: the user's cache folder."""
        return os.environ.get("TRACEFUSE_CACHE_DIR")

    @cache_dir.setter
    def cache_dir(self, path: str | os.PathLike) -> None:
        os.environ["TRACEFUSE_CACHE_DIR"] = os.fspath(path)

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
