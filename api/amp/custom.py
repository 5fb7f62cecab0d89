"""Autocast and `autograd.Function`: in which mode forward and backward run."""

from __future__ import annotations

import functools
from typing import Any, Callable, Mapping, Optional

from ...tracer.types import DType
from ..math.composite import cast
from .autocast import autocast, get_autocast_dtype, is_autocast_enabled
from .modes import device_type as device_of
from .modes import is_eligible

__all__ = ["custom_bwd", "custom_fwd"]


def custom_fwd(
    fwd: Optional[Callable] = None,
    *,
    device_type: str = "cuda",
    cast_inputs: Optional[DType] = None,
) -> Callable:
    """Decorate the `forward` of an `autograd.Function` that may run under autocast.

    With `cast_inputs` its float tensors arrive in that type and autocast is off
    inside; without, it runs in the mode of its caller. ValueError where `device_type`
    is no str.
    """
    _check_name(device_type)
    if fwd is None:
        return functools.partial(
            custom_fwd, device_type=device_type, cast_inputs=cast_inputs
        )
    forward = fwd

    @functools.wraps(forward)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        on = is_autocast_enabled(device_type)
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = on and cast_inputs is None
        if cast_inputs is None or not on:
            return forward(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            args = _cast(args, device_type, cast_inputs)
            return forward(ctx, *args, **_cast(kwargs, device_type, cast_inputs))

    return decorated


def custom_bwd(
    bwd: Optional[Callable] = None, *, device_type: str = "cuda"
) -> Callable:
    """Decorate the `backward` that belongs to it: it runs in the mode of `forward`."""
    _check_name(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    backward = bwd

    @functools.wraps(backward)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        used = ctx._fwd_used_autocast
        with autocast(device_type, enabled=used, dtype=ctx._dtype):
            return backward(ctx, *args, **kwargs)

    return decorated


def _check_name(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(
            f"Expected `device_type` of type `str`, got: `{type(device_type)}`"
        )


def _cast(x: Any, device: str, dtype: DType) -> Any:
    if is_eligible(x):
        return cast(x, dtype) if device_of(x) == device else x
    if isinstance(x, Mapping):
        return {name: _cast(part, device, dtype) for name, part in x.items()}
    if type(x) in (list, tuple):
        return type(x)(_cast(part, device, dtype) for part in x)
    return x
