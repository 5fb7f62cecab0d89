"""What an optimizer remembers of each parameter, in dicts that tell of changes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ...tracer.record import state
from ...tracer.watch import touch

__all__ = ["Memory", "Remembered"]

_NOTHING = object()


class _Telling(dict):
    """A dict that tells when what it holds changes.

    A recording that fails puts it back as it was.
    """

    def _changing(self) -> None:
        if state.recorder is not None:
            state.recorder.root.keep_before(self)
        touch()

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.get(key, _NOTHING) is not value:
            self._changing()
        super().__setitem__(key, value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As `dict.update`."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """As `dict.setdefault`."""
        if key not in self:
            self[key] = default
        return self[key]

    def __delitem__(self, key: Any) -> None:
        self._changing()
        super().__delitem__(key)

    def pop(self, key: Any, *default: Any) -> Any:
        """As `dict.pop`."""
        self._changing()
        return super().pop(key, *default)

    def popitem(self) -> tuple:
        """As `dict.popitem`."""
        self._changing()
        return super().popitem()

    def clear(self) -> None:
        """As `dict.clear`."""
        self._changing()
        super().clear()


class Remembered(_Telling):
    """The buffers of one parameter, by name."""


class Memory(_Telling, defaultdict):
    """The buffers of each parameter; of a new one, none."""

    def __init__(self, *args: Any):
        super().__init__(*(args or (Remembered,)))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, Remembered(value) if type(value) is dict else value)
