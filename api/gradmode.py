"""Whether results are made differentiable: `no_grad` and its kin."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar

from ..tracer.record import state

__all__ = ["no_grad", "enable_grad", "set_grad_enabled", "inference_mode"]
__all__ += ["is_grad_enabled"]

F = TypeVar("F", bound=Callable)


class set_grad_enabled:
    """Switch gradients on or off: as a statement, context or decorator.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> with set_grad_enabled(False):
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, mode: bool):
        self.before, self.mode = state.grad, bool(mode)
        state.grad = self.mode

    def __enter__(self) -> None:
        state.grad = self.mode

    def __exit__(self, *exc: Any) -> None:
        state.grad = self.before

    def __call__(self, function: F) -> F:
        state.grad = self.before
        return _with_grad(self.mode, function)


def _with_grad(mode: bool, function: F) -> F:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _Mode(mode):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


class _Mode:
    """A grad mode for the length of a `with`; each use remembers its own before."""

    def __init__(self, mode: bool):
        self.mode, self.before = mode, []  # type: ignore[var-annotated]

    def __enter__(self) -> None:
        self.before.append(state.grad)
        state.grad = self.mode

    def __exit__(self, *exc: Any) -> None:
        state.grad = self.before.pop()

    def __call__(self, function: F) -> F:
        return _with_grad(self.mode, function)


class no_grad(_Mode):
    """Nothing computed inside is differentiated (context or decorator).

    >>> import tracefuse
    >>> x = tracefuse.ones(2, requires_grad=True)
    >>> with no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __init__(self, function: Optional[Callable] = None):
        super().__init__(False)

    def __new__(cls, function: Optional[Callable] = None) -> Any:
        return object.__new__(cls) if function is None else _with_grad(False, function)


class enable_grad(_Mode):
    """Differentiation is on inside, whatever it was outside (context or decorator)."""

    def __init__(self, function: Optional[Callable] = None):
        super().__init__(True)

    def __new__(cls, function: Optional[Callable] = None) -> Any:
        return object.__new__(cls) if function is None else _with_grad(True, function)


class inference_mode(_Mode):
    """As `no_grad`; `inference_mode(False)` leaves gradients as they are."""

    def __init__(self, mode: bool = True):
        super().__init__(not mode and state.grad)


def is_grad_enabled() -> bool:
    """Whether results are being made differentiable."""
    if state.recorder is not None:
        state.recorder.look_at_mode(state.grad)
    return state.grad
