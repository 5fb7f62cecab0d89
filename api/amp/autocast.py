"""`autocast`: functions choose their float type, for a stretch of the program."""

from __future__ import annotations

import functools
import warnings
from typing import Any, Callable, Optional

from ...tracer.types import DType, bfloat16, float16
from ...tracer.watch import touch
from ...tracer.where import user_level
from .. import cuda
from .modes import Mode, current, enter

__all__ = ["autocast", "is_autocast_available", "is_autocast_enabled"]
__all__ += ["set_autocast_enabled", "get_autocast_dtype", "set_autocast_dtype"]
__all__ += ["is_autocast_cache_enabled", "set_autocast_cache_enabled"]
__all__ += ["clear_autocast_cache", "get_autocast_gpu_dtype", "get_autocast_cpu_dtype"]
__all__ += ["set_autocast_gpu_dtype", "set_autocast_cpu_dtype"]
__all__ += ["is_autocast_cpu_enabled", "set_autocast_cpu_enabled"]

_DEVICES = ("cpu", "cuda")
_LOWER = (bfloat16, float16)


class autocast:
    """Mixed precision inside: products in `dtype`, what needs range in float32.

    Context or decorator. `device_type` is "cpu" or "cuda": tensors that lie elsewhere
    are not concerned. `dtype` is bfloat16 or float16 (by default bfloat16 on the CPU,
    float16 on a GPU); float64 tensors stay what they are. Which function runs in which
    type is PyTorch's table (rules.py). The casts are part of a recorded program, where
    equal ones are one; `cache_enabled` is kept and answers, but has no further effect.

    RuntimeError for another device type, ValueError where it is not a str; a warning,
    and no autocast, for another dtype or without the device.

    >>> import tracefuse
    >>> a = tracefuse.ones(2, 2)
    >>> with autocast("cpu"):
    ...     (a @ a).dtype, (a + a).dtype
    (tracefuse.bfloat16, tracefuse.float32)
    """

    def __init__(
        self,
        device_type: str,
        dtype: Optional[DType] = None,
        enabled: bool = True,
        cache_enabled: Optional[bool] = None,
    ):
        if not isinstance(device_type, str):
            raise ValueError(
                f"Expected `device_type` of type `str`, got: `{type(device_type)}`"
            )
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        cache = current().cache if cache_enabled is None else cache_enabled
        self._cache_enabled = bool(cache)
        self._enabled = bool(enabled) and self._is_possible()
        self._before: list[Mode] = []

    def _is_possible(self) -> bool:
        """Whether it can be on; a warning says why not."""
        if self.device == "cuda" and not cuda.is_available():
            warnings.warn(
                "CUDA is not available. Disabling autocast.", stacklevel=user_level()
            )
            return False
        if self.fast_dtype in _LOWER:
            return True
        name = self.device.upper()
        warnings.warn(
            f"In {name} autocast, but the target dtype is not supported. Disabling "
            f"autocast.\n{name} Autocast only supports dtypes of "
            f"{', '.join(map(str, _LOWER))} currently.",
            stacklevel=user_level(),
        )
        return False

    def __enter__(self) -> "autocast":
        now = current()
        self._before.append(now)
        mode = now.only(self.device, self._enabled)
        types: Any = {self.device: self.fast_dtype}
        enter(mode._replace(cache=self._cache_enabled, **types))
        return self

    def __exit__(self, *exc: Any) -> None:
        enter(self._before.pop())

    def __call__(self, function: Callable) -> Callable:
        if not callable(function):
            raise TypeError(
                "autocast()(func) requires a callable, but got "
                f"{type(function).__name__}. Did you mean to use autocast as a context "
                "manager? For example:\n    with autocast(device_type=...):\n"
                "        output = model(input)"
            )

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return decorated


def _checked(device_type: str) -> str:
    if device_type not in _DEVICES:
        raise RuntimeError(
            f"User specified an unsupported autocast device_type '{device_type}'"
        )
    return device_type


def is_autocast_available(device_type: str) -> bool:
    """Whether there is a table of rules for this type of device."""
    return device_type in _DEVICES


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for tensors on this type of device.

    >>> with autocast("cpu"):
    ...     is_autocast_enabled("cpu")
    True
    """
    return _checked(device_type) in current().on


def set_autocast_enabled(device_type: Any, enabled: Optional[bool] = None) -> None:
    """Switch autocast on or off for a type of device; `(enabled)` alone means CUDA."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    _change(current().only(_checked(device_type), bool(enabled)))


def get_autocast_dtype(device_type: str) -> DType:
    """The lower type on this type of device.

    >>> get_autocast_dtype("cpu")
    tracefuse.bfloat16
    """
    return getattr(current(), _checked(device_type))


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Choose the lower type on this type of device."""
    if not isinstance(dtype, DType):
        raise TypeError(f"dtype must be a dtype, not {type(dtype).__name__}")
    types: Any = {_checked(device_type): dtype}
    _change(current()._replace(**types))


def is_autocast_cache_enabled() -> bool:
    """What `cache_enabled` was set to."""
    return current().cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Keep the answer of `is_autocast_cache_enabled`."""
    _change(current()._replace(cache=bool(enabled)))


def clear_autocast_cache() -> None:
    """No cast outlives its expression here: there is nothing to clear."""


def _change(mode: Mode) -> None:
    """Set for good: a recording that does this changes state of its outside."""
    if mode != current():
        enter(mode)
        touch()


# -- PyTorch's older names

get_autocast_gpu_dtype = functools.partial(get_autocast_dtype, "cuda")
get_autocast_cpu_dtype = functools.partial(get_autocast_dtype, "cpu")
set_autocast_gpu_dtype = functools.partial(set_autocast_dtype, "cuda")
set_autocast_cpu_dtype = functools.partial(set_autocast_dtype, "cpu")
is_autocast_cpu_enabled = functools.partial(is_autocast_enabled, "cpu")
set_autocast_cpu_enabled = functools.partial(set_autocast_enabled, "cpu")
