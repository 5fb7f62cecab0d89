"""Which sizes of the arguments are symbols: the meaning of `dynamic_shapes`."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Optional

from ...tracer.pytree import flatten
from ...tracer.sizes import Dim
from ..tensor import Tensor

__all__ = ["bound_arguments", "symbolic_shapes"]


def symbolic_shapes(
    function: Callable, args: tuple, kwargs: dict, dynamic: Optional[dict]
) -> dict[int, tuple]:
    """id of a tensor -> (the tensor, its shape with symbols).

    `dynamic` maps argument names to {axis: Dim} (for containers: to a tree of such of
    the same structure). ValueError where a name, axis or size does not fit.
    """
    if not dynamic:
        return {}
    found: dict[int, tuple] = {}
    bound = bound_arguments(function, args, kwargs)
    for name, marks in dynamic.items():
        if name not in bound:
            known = ", ".join(bound)
            raise ValueError(f"dynamic_shapes names {name!r}; the arguments are {known}")
        tensors = [t for t in flatten(bound[name])[0] if isinstance(t, Tensor)]
        for t, dims in zip(tensors, _marks(marks, len(tensors))):
            found[id(t)] = (t, _shape(name, t, dims or {}))
    return found


def bound_arguments(function: Callable, args: tuple, kwargs: dict) -> dict:
    """The arguments of a call by the names of the parameters."""
    call = getattr(function, "forward", function)
    bound = inspect.signature(call).bind(*args, **kwargs)
    out: dict = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        out.update(value) if kind is inspect.Parameter.VAR_KEYWORD else None
        out[name] = value
    return out


def _marks(marks: Any, count: int) -> list:
    if isinstance(marks, dict) and all(isinstance(k, int) for k in marks):
        return [marks] * count
    return flatten(marks)[0] if not isinstance(marks, (list, tuple)) else list(marks)


def _shape(name: str, t: Tensor, dims: dict) -> tuple:
    shape: list = list(t._array.shape)
    for axis, dim in dims.items():
        if not isinstance(dim, Dim) or not -len(shape) <= axis < len(shape):
            raise ValueError(f"dynamic_shapes[{name!r}]: {axis}: {dim!r} does not fit")
        size = shape[axis]
        if size < dim.min or (dim.max is not None and size > dim.max):
            raise ValueError(
                f"dynamic_shapes[{name!r}]: size {size} of axis {axis} is not within "
                f"[{dim.min}, {dim.max}] of {dim}"
            )
        bound = dim.bind(size)
        shape[axis] = bound
    return tuple(shape)
