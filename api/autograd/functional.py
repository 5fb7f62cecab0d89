"""Products with Jacobians and Hessians of functions: torch.autograd.functional."""

from __future__ import annotations

from typing import Any, Callable

from ..arrays.fill import eye, zeros, zeros_like
from ..gradmode import enable_grad
from ..tensor import Tensor
from .checked import (
    as_tuple,
    check_live,
    filled,
    given_form,
    grads_of,
    variables,
    vectors_for,
)
from .gradients import grad

__all__ = ["vjp", "jvp", "jacobian", "hessian", "vhp", "hvp"]

Function = Callable[..., Any]


# -- products with the Jacobian


def vjp(
    func: Function,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple:
    """(outputs, the product of `v` with the Jacobian of `func` at `inputs`).

    `v` has the shapes of the outputs; it may be left out for a single element.

    >>> import tracefuse
    >>> vjp(lambda x: x * x, tracefuse.tensor([1.0, 2.0]), tracefuse.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        given, many = as_tuple(inputs, "inputs", "vjp")
        xs = variables(given, create_graph)
        outputs, several = as_tuple(func(*xs), "outputs of the function", "vjp")
        check_live(outputs, strict)
        vectors = vectors_for(v, outputs, "vjp")
        grads = grads_of(outputs, xs, vectors, create_graph)
        found = filled(grads, xs, strict, create_graph)
    return given_form(outputs, several, create_graph), given_form(
        found, many, create_graph
    )


def jvp(
    func: Function,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple:
    """(outputs, the product of the Jacobian of `func` at `inputs` with `v`).

    `v` has the shapes of the inputs; it may be left out for a single element. The
    product is the derivative of the vector-Jacobian product, which is linear.

    >>> import tracefuse
    >>> jvp(lambda x: x * x, tracefuse.tensor([1.0, 2.0]), tracefuse.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        given, _ = as_tuple(inputs, "inputs", "jvp")
        xs = variables(given, create_graph)
        vectors = vectors_for(v, xs, "jvp")
        outputs, several = as_tuple(func(*xs), "outputs of the function", "jvp")
        check_live(outputs, strict)
        found = _pushed(outputs, xs, vectors, create_graph, strict)
    return given_form(outputs, several, create_graph), given_form(
        found, several, create_graph
    )


def _pushed(
    outputs: tuple, xs: tuple, vectors: tuple, again: bool, strict: bool
) -> tuple:
    zeros = tuple(zeros_like(t).requires_grad_() for t in outputs)
    pulled = filled(grads_of(outputs, xs, zeros, True), xs, strict)
    return filled(grads_of(pulled, zeros, vectors, again), zeros, False)


# -- whole matrices


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func`: for each output and input a tensor of both shapes.

    Nested as (output, input) where there are tuples of them. `vectorize` asks for all
    rows at once. ValueError for a `strategy` other than "reverse-mode" and
    "forward-mode".

    >>> import tracefuse
    >>> jacobian(lambda x: x * x, tracefuse.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise ValueError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If '
            'your function has more outputs than inputs, "forward-mode" tends to be '
            'more performant. Otherwise, prefer to use "reverse-mode".'
        )
    with enable_grad():
        given, many = as_tuple(inputs, "inputs", "jacobian")
        xs = variables(given, create_graph)
        outputs, several = as_tuple(func(*xs), "outputs of the function", "jacobian")
        check_live(outputs, strict)
        rows = tuple(_rows(t, xs, create_graph, strict) for t in outputs)
    blocks = tuple(given_form(row, many, create_graph) for row in rows)
    return blocks if several else blocks[0]


def _rows(t: Tensor, xs: tuple, again: bool, strict: bool) -> tuple:
    """The Jacobian of one output by each input, all rows at once."""
    shape, count = tuple(t.shape), t.shape.numel()
    many = tuple(zeros((count, *x.shape), dtype=x.dtype) for x in xs)
    if not count or not t.requires_grad:
        found: tuple = (None,) * len(xs)
    else:
        seeds = eye(count, dtype=t.dtype)
        kind: Any = {"create_graph": again, "retain_graph": True, "allow_unused": True}
        found = grad(t.reshape(-1), xs, seeds, is_grads_batched=True, **kind)
    rows = filled(found, many, strict, again)
    return tuple(g.reshape((*shape, *x.shape)) for g, x in zip(rows, xs))


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function with a single element.

    For each pair of inputs a tensor of both shapes, nested where there is a tuple of
    them. RuntimeError when `func` returns anything else.

    >>> import tracefuse
    >>> hessian(lambda x: (x**3).sum(), tracefuse.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _, many = as_tuple(inputs, "inputs", "hessian")

    def gradient(*xs: Tensor) -> tuple:
        out = _single(func(*xs), "hessian")
        check_live((out,), strict)
        return filled(grads_of((out,), xs, None, True), xs, strict, strict)

    found = jacobian(
        gradient, inputs, create_graph, False, vectorize, outer_jacobian_strategy
    )
    return found if many else found[0]


def _single(out: Any, name: str) -> Tensor:
    (first, *more), many = as_tuple(out, "outputs of the function", name)
    if many or more:
        raise RuntimeError(
            f"The function given to {name} should return a single Tensor"
        )
    if first.shape.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a "
            "single element"
        )
    return first.squeeze()  # type: ignore[attr-defined]


# -- products with the Hessian


def vhp(
    func: Function,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple:
    """(output, the product of `v` with the Hessian of `func` at `inputs`).

    `v` has the shapes of the inputs; `func` returns a single element.

    >>> import tracefuse
    >>> f = lambda x: (x**3).sum()
    >>> vhp(f, tracefuse.tensor([1.0, 2.0]), tracefuse.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _with_hessian("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Function,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple:
    """(output, the product of the Hessian of `func` at `inputs` with `v`).

    The same numbers as `vhp`, since a Hessian is symmetric.

    >>> import tracefuse
    >>> f = lambda x: (x**3).sum()
    >>> hvp(f, tracefuse.tensor([1.0, 2.0]), tracefuse.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _with_hessian("hvp", func, inputs, v, create_graph, strict)


def _with_hessian(
    name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple:
    with enable_grad():
        given, many = as_tuple(inputs, "inputs", name)
        xs = variables(given, create_graph)
        vectors = vectors_for(v, xs, name)
        out = _single(func(*xs), name)
        check_live((out,), strict)
        first = filled(grads_of((out,), xs, None, True), xs, strict, strict)
        second = grads_of(first, xs, vectors, create_graph)
        found = filled(second, xs, strict, create_graph)
    return given_form((out,), False, create_graph), given_form(
        found, many, create_graph
    )
