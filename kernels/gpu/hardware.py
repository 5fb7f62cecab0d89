"""What an implementation of a device brings: the least that all the rest is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Callable, Optional

import numpy as np

from ..triton.kernel import Config, Kernel
from ..triton.native.binary import Binary
from .streams import Event, Launcher, Recording, Stream

__all__ = ["Hardware"]


class Hardware(ABC):
    """One GPU. `target` is what kernels are compiled for ("sm_90").

    `shared_limit` is the most shared memory that a block may have; `dlpack` how DLPack
    numbers the device; `main` its own stream.
    """

    index: int
    name: str
    capability: tuple[int, int]
    target: str
    multiprocessors: int
    shared_limit: int
    total_memory: int
    dlpack: tuple[int, int]
    main: Stream

    @abstractmethod
    def enter_thread(self) -> None:
        """Make this thread able to use the device."""

    @abstractmethod
    def raw_allocate(self, size: int) -> Optional[int]:
        """The address of new memory; None when there is not enough."""

    @abstractmethod
    def raw_free(self, ptr: int) -> None:
        """Give it back, once what runs has ended."""

    @abstractmethod
    def free_memory(self) -> tuple[int, int]:
        """Bytes that are free, and bytes in all."""

    @abstractmethod
    def host_allocate(self, size: int) -> Optional[int]:
        """The address of new pinned memory; None when there is not enough."""

    @abstractmethod
    def host_free(self, ptr: int) -> None:
        """Give it back."""

    @abstractmethod
    def load(
        self, kernel: Kernel, config: Config, binary: Optional[Binary]
    ) -> Launcher:
        """A launcher for it."""

    @abstractmethod
    def record_work(
        self, run: Callable[[], Any], stream: Stream
    ) -> tuple[Any, Recording]:
        """Capture what `run` gives to the stream."""

    @abstractmethod
    def new_stream(self, priority: int = 0, apart: bool = False) -> Stream:
        """Another stream; `apart`: not ordered after the legacy default stream."""

    @abstractmethod
    def new_event(self, timing: bool = False) -> Event:
        """Another event."""

    @abstractmethod
    def wait_all(self) -> None:
        """Wait until all streams are done."""

    @abstractmethod
    def copy_in(self, ptr: int, host: np.ndarray) -> None:
        """From a contiguous host array, on the current stream."""

    @abstractmethod
    def copy_out(self, host: np.ndarray, ptr: int) -> None:
        """To a contiguous host array, on the current stream; does not wait."""

    @abstractmethod
    def copy_within(self, out: int, ptr: int, size: int) -> None:
        """Bytes from here to there, on the current stream."""

    @abstractmethod
    def fill(self, ptr: int, value: int, size: int) -> None:
        """Set `size` bytes to one value, on the current stream."""

    @abstractmethod
    def lead(self, stream: int) -> None:
        """Let somebody else's stream (its handle) wait for the current one."""

    @abstractmethod
    def follow(self, stream: int) -> None:
        """Let the current stream wait for somebody else's."""
