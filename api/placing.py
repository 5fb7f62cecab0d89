"""Moving tensors between devices, and making them where they are wanted."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import Any, Callable, Iterator, TypeVar

import numpy as np

from ..tracer.elsewhere import Elsewhere, away
from ..tracer.errors import DeviceError, TraceError
from ..tracer.record import state
from ..tracer.types import DType
from .device import named, place, where
from .history import tape
from .place import copies, eager, making
from .tensor import Tensor, fresh, require_grad, wrap

__all__ = ["beside", "made_at", "moved_to", "placed", "placed_like", "filled_there"]
__all__ += ["landed", "made_there"]
__all__ += ["pinned_copy"]

F = TypeVar("F", bound=Callable)


def moved_to(t: Tensor, there: Any, non_blocking: bool = False) -> Tensor:
    """The same numbers on another device of kernels/gpu (None: in host memory); itself
    where it lies there. Gradients flow through."""
    if where(t) is there:
        return t
    rec = state.recorder
    if rec is not None:
        return _recorded(rec, t, there)
    new = fresh(copies.moved(t._array, there, not non_blocking))
    if state.grad and t.requires_grad:
        new._storage.value = new._value = tape(t)
        new._seen = 0
    return new


def _recorded(rec: Any, t: Tensor, there: Any) -> Tensor:
    """What a jitted function is given is moved before its program runs."""
    if t._array is None and there is not None:
        rec.meet(there)
        return t
    if there is None or isinstance(t._array, Elsewhere):
        raise TraceError(
            f"a jitted function works on one device: a tensor on {named(where(t))} is "
            f"moved to {named(there)} inside it. Move it before or after the call."
        )
    return wrap(rec, rec.value_of_moved(t, there))


@contextmanager
def made_at(there: Any) -> Iterator[None]:
    """What is made in here lies on this device of kernels/gpu (None: host memory)."""
    before, making.device = making.device, there
    try:
        yield
    finally:
        making.device = before


def made_there(op: str, *arrays: np.ndarray, **attrs: Any) -> Tensor:
    """A tensor made of sizes (and words) alone, on the device that is wanted."""
    return fresh(eager.compute(op, arrays, attrs, making.device))


def filled_there(value: Any, shape: tuple, dtype: DType) -> Tensor:
    """`value` everywhere, on the device that is wanted."""
    if not value:
        return fresh(copies.zeros(making.device, shape, dtype.np))
    return made_there("constant", value=value, shape=shape, dtype=dtype)


def landed(array: np.ndarray) -> Tensor:
    """A tensor of data from the host, where what is made lies now."""
    rec = state.recorder
    if rec is None:
        return fresh(copies.moved(array, making.device) if making.device else array)
    return fresh(copies.moved(array, rec.device) if rec.device else array)


def beside(function: F) -> F:
    """What the function makes of sizes alone lies where its first tensor does."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not away.used:
            return function(*args, **kwargs)
        there = next((where(t) for t in args if isinstance(t, Tensor)), None)
        if state.recorder is None:
            with made_at(there):
                return function(*args, **kwargs)
        if there is not None:
            state.recorder.meet(there)
        return function(*args, **kwargs)

    return run  # type: ignore[return-value]


def placed(factory: F) -> F:
    """A factory that heeds `device=`, the default device and `pin_memory=`."""

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("device") is None and making.default is None or making.inside:
            if not kwargs.get("pin_memory"):
                return factory(*args, **kwargs)
        return _make(factory, place(kwargs.pop("device", None)), args, kwargs)

    return make  # type: ignore[return-value]


def placed_like(factory: F) -> F:
    """The same for one that makes a tensor like its first argument: also beside it."""

    @functools.wraps(factory)
    def make(input: Any, *args: Any, **kwargs: Any) -> Any:
        if making.inside:
            return factory(input, *args, **kwargs)
        there, beside_it = kwargs.pop("device", None), where(input)
        there = beside_it if there is None else place(there)
        if there is None and beside_it is None and not kwargs.get("pin_memory"):
            return factory(input, *args, **kwargs)
        return _make(factory, there, (input, *args), kwargs)

    return make  # type: ignore[return-value]


def _make(factory: Callable, there: Any, args: tuple, kwargs: dict) -> Any:
    variable, pinned = kwargs.pop("requires_grad", False), kwargs.pop("pin_memory", 0)
    rec = state.recorder
    if rec is not None and there is not None:
        rec.meet(there)
    outside, making.inside = making.inside, True
    try:
        with made_at(there):
            t = factory(*args, **kwargs)
    finally:
        making.inside = outside
    if kwargs.get("out") is None and where(t) is not there:
        if rec is None or t._array is not None:
            t = moved_to(t, there)
    if pinned:
        t = pinned_copy(t)
    return require_grad(t) if variable else t


def pinned_copy(t: Tensor) -> Tensor:
    """The numbers in pinned host memory; DeviceError for a tensor on a GPU."""
    if where(t) is not None:
        raise DeviceError(f"cannot pin '{t.device}': only CPU tensors can be pinned")
    device = place("cuda")
    array = device.pinned(t._array.shape, t._array.dtype)
    np.copyto(array, t._array)
    return fresh(array)
