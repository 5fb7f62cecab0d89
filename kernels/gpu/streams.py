"""What devices are made of: streams, events, launchers, recordings. Abstract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Callable, Optional

__all__ = ["Event", "Launcher", "Recording", "Stream"]


class Event(ABC):
    """A point in a stream; names and meaning are PyTorch's."""

    handle: int

    @abstractmethod
    def record(self, stream: Optional[Stream] = None) -> None:
        """Mark how far the stream (the current one) has been given work."""

    @abstractmethod
    def wait(self, stream: Optional[Stream] = None) -> None:
        """Let the stream (the current one) go no further before this is passed."""

    @abstractmethod
    def query(self) -> bool:
        """Whether it is passed."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait here until it is."""

    @abstractmethod
    def elapsed_time(self, end: Event) -> float:
        """Milliseconds to another event; both were made with timing."""


class Stream(ABC):
    """A queue of work; names and meaning are PyTorch's. `handle` is the driver's."""

    handle: int

    @abstractmethod
    def record(self, event: Optional[Event] = None) -> Event:
        """An event behind the work that was given so far."""

    @abstractmethod
    def query(self) -> bool:
        """Whether all of it is done."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait here until it is."""

    def wait_event(self, event: Event) -> None:
        """Go no further before the event is passed."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Go no further before the other stream has done what it was given so far."""
        stream.record().wait(self)


class Launcher(ABC):
    """A kernel in one configuration on one device: `launcher[grid](*arguments)`.

    The arguments come in the order of the kernel's parameters: DeviceArrays for
    pointers, ints for sizes. Constants are the configuration's.
    """

    @abstractmethod
    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        """What launches so many programs on the current stream; worth keeping."""


class Recording(ABC):
    """Work that was captured: it runs again on the same memory."""

    @abstractmethod
    def replay(self, stream: Stream) -> None:
        """Give it to a stream."""
