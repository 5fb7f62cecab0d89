"""Jacobians and Hessians: the linear map of a derivative, at all unit vectors at once.

The rows of a Jacobian are one vector-Jacobian product, batched over the unit
cotangents of an output (`jacrev`); its columns are one Jacobian-vector product,
batched over the unit tangents of an argument (`jacfwd`).
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, ParamSpec, Sequence

from ...autodiff.jvp import jvp
from ...autodiff.vjp import vjp
from ...tracer.algebra import eq
from ...tracer.batching.batch import batch
from ...tracer.graph import Value, constant, make, placeholder
from ...tracer.pytree import flatten, rebuild
from ...tracer.sizes import Int, numel
from ...tracer.types import int64
from .pieces import joined
from .pieces import pieces as cuts
from .runs import Argnums, Run, name_of, recorded, tensors

__all__ = ["jacrev", "jacfwd", "jacobian", "hessian"]

P = ParamSpec("P")


def jacrev(
    f: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: Optional[int] = None,
) -> Callable[P, Any]:
    """The function whose value is the Jacobian of `f`, by reverse mode.

    For every leaf of the output it has the structure of the argument (of a tuple of
    arguments where `argnums` is one), of tensors shaped output + argument. With
    `has_aux`, `f` returns (output, aux) and the result is (Jacobian, aux).
    `chunk_size` rows are computed at once (default: all). Costs about as many runs of
    `f` as there are outputs. ValueError for a `chunk_size` below 1.

    >>> import tracefuse
    >>> jacrev(lambda x: x * x)(tracefuse.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    rows = functools.partial(_rows, chunk_size)
    return _jacobian(f, rows, argnums, has_aux)


def jacfwd(
    f: Callable[P, Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[P, Any]:
    """The function whose value is the Jacobian of `f`, by forward mode.

    The result is as that of `jacrev`; the cost is about as many runs of `f` as the
    arguments have elements. `f` runs once, so its random numbers are drawn once
    whatever `randomness` says.

    >>> import tracefuse
    >>> jacfwd(lambda x: x.sum() * x)(tracefuse.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    """
    return _jacobian(f, _columns, argnums, has_aux)


jacobian = jacrev


def hessian(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, Any]:
    """The function whose value is the Hessian of `f`: forward over reverse mode.

    For `f` of one tensor that returns a scalar it is square: [*shape, *shape]. Of a
    nested argument it is nested twice.

    >>> import tracefuse
    >>> hessian(lambda x: (x**3).sum())(tracefuse.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(f, argnums, has_aux), argnums, has_aux)


def _jacobian(
    f: Callable, blocks: Callable, argnums: Argnums, has_aux: bool
) -> Callable:
    name = f"jacobian_{name_of(f)}"

    def run_once(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums, has_aux)
        leaves, spec = flatten(run.out)
        outputs = tensors(leaves, "outputs of a function with a Jacobian")
        table = blocks(outputs, run.wrt)
        found = rebuild(spec, map(run.gradients, table))
        return (found, run.closed(run.aux)) if has_aux else found

    @functools.wraps(f)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return recorded(name, run_once, *args, **kwargs)

    return outer


# A table has a row for each output, and in it a block for each variable: a Value of
# shape [*output, *variable].


def _rows(chunk: Optional[int], outputs: Sequence[Value], wrt: list) -> list:
    return [[*_row(y, wrt, chunk)] for y in outputs]


def _row(y: Value, wrt: list[Value], chunk: Optional[int]) -> list[Value]:
    if not y.dtype.is_floating_point:
        return [_zeros(y, x) for x in wrt]
    weight = placeholder("g", y.shape, y.dtype)
    found = vjp([y], [weight], wrt)
    parts = [g for g in found if g is not None]
    pieces = [
        _at_units(parts, weight, first, count)
        for first, count in cuts(numel(y.shape), chunk)
    ]
    whole = iter([joined(column) for column in zip(*pieces)])
    return [
        _zeros(y, x) if g is None else next(whole).reshape((*y.shape, *x.shape))
        for g, x in zip(found, wrt)
    ]


def _columns(outputs: Sequence[Value], wrt: list[Value]) -> list[list]:
    return [list(row) for row in zip(*(_column(outputs, x) for x in wrt))]


def _column(outputs: Sequence[Value], x: Value) -> list[Value]:
    step = placeholder("t", x.shape, x.dtype)
    found = jvp(outputs, [x], [step])
    parts = [t for t in found if t is not None]
    moved = iter(_at_units(parts, step, 0, numel(x.shape)))
    return [
        _zeros(y, x) if t is None else _last(next(moved)).reshape((*y.shape, *x.shape))
        for t, y in zip(found, outputs)
    ]


def _zeros(y: Value, x: Value) -> Value:
    return constant(0, (*y.shape, *x.shape), x.dtype)


def _last(v: Value) -> Value:
    """The first axis, moved to the end."""
    return v.permute((*range(1 - v.ndim, 0), -v.ndim))


def _at_units(
    parts: list[Value], variable: Value, first: Int, count: Int
) -> list[Value]:
    """The values at unit vectors of `variable`, numbers `first` and following."""
    known = batch(parts, {variable.id: _units(variable, first, count)}, count)
    return [known[v.id] for v in parts]


def _units(like: Value, first: Int, count: Int) -> Value:
    shape = (count, numel(like.shape))
    number = make("iota", (), shape=shape, axis=-2, dtype=int64)
    place = make("iota", (), shape=shape, axis=-1, dtype=int64)
    number = number if type(first) is int and not first else number + first
    return eq(number, place).cast(like.dtype).reshape((count, *like.shape))
