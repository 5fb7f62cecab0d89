"""Which sizes of the arguments are symbols: the meaning of `dynamic_shapes`."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Iterator, Optional

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
            raise ValueError(
                f"dynamic_shapes names {name!r}; the arguments are {known}"
            )
        for t, dims in _pairs(name, bound[name], marks):
            found[id(t)] = (t, _shape(name, t, dims))
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


def _pairs(name: str, x: Any, marks: Any) -> Iterator[tuple[Tensor, dict]]:
    """The tensors in `x`, each with its {axis: Dim}."""
    if marks is None:
        return
    if isinstance(marks, dict) and all(isinstance(d, Dim) for d in marks.values()):
        for t in flatten(x)[0]:
            if isinstance(t, Tensor):
                yield t, marks
        return
    if not isinstance(marks, (dict, list, tuple)):
        raise ValueError(f"dynamic_shapes[{name!r}]: {marks!r}, expected {{axis: Dim}}")
    rows = marks.items() if isinstance(marks, dict) else enumerate(marks)
    for key, below in rows:
        try:
            part = x[key]
        except (LookupError, TypeError):
            given = type(x).__name__
            raise ValueError(
                f"dynamic_shapes[{name!r}] has {key!r}, which the {given} given has not"
            ) from None
        yield from _pairs(name, part, below)


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
