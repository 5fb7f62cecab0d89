"""`grad` and its kin: the gradient of a function that returns one number."""

from __future__ import annotations

import functools
from typing import Any, Callable, ParamSpec

from ...autodiff.vjp import vjp
from ...tracer.graph import constant
from ..tensor import Tensor
from .runs import Argnums, Run, name_of, recorded, recorder

__all__ = ["grad", "value_and_grad", "grad_and_value"]

P = ParamSpec("P")


def grad(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, Any]:
    """The function whose value is the gradient of `f` by argument `argnums`.

    `f` returns a scalar tensor (with `has_aux` a pair (scalar, anything)). Arguments
    may be nested containers; the gradient has their structure. Composes with itself
    and with `jit`.

    >>> import tracefuse
    >>> cube = lambda x: x**3
    >>> grad(grad(cube))(tracefuse.tensor(2.0))
    tensor(12.)
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return gradient


def grad_and_value(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, tuple[Any, Any]]:
    """As `value_and_grad`, the gradient first (the order of torch.func)."""
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return grads, value

    return gradient


def value_and_grad(
    f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[P, tuple[Any, Any]]:
    """The function that returns (value of `f`, its gradient by `argnums`).

    RuntimeError when `f` does not return a scalar tensor; TypeError when an argument
    to differentiate by is not floating.

    >>> import tracefuse
    >>> value_and_grad(lambda x: (x * x).sum())(tracefuse.tensor([1.0, 2.0]))
    (tensor(5.), tensor([2., 4.]))
    """
    name = f"grad_{name_of(f)}"

    def both(*args: Any, **kwargs: Any) -> tuple:
        run = Run(f, args, kwargs, argnums, has_aux)
        root = recorder().value_of(_scalar(run.out))
        grads = vjp([root], [constant(1, (), root.dtype)], run.wrt)
        value = run.closed((run.out, run.aux) if has_aux else run.out)
        return value, run.gradients(grads)

    @functools.wraps(f)
    def outer(*args: Any, **kwargs: Any) -> tuple:
        return recorded(name, both, *args, **kwargs)

    return outer


def _scalar(out: Any) -> Tensor:
    if not isinstance(out, Tensor):
        raise RuntimeError(f"expected a scalar tensor from f, got {type(out).__name__}")
    if out.ndim:
        raise RuntimeError(
            f"expected a scalar tensor from f, got {out.ndim} dimensions"
        )
    return out
