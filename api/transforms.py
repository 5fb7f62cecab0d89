"""Function transforms: `grad` and its kin, on functions of nested tensors.

A transform records its function: the values are plain SSA, so differentiating them is
one pass and the result can be transformed again. Outside a jitted function the
recording is computed at once; inside it joins the program being recorded.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Union

from ..autodiff.vjp import vjp
from ..tracer.graph import Value, constant, make, replace
from ..tracer.pytree import flatten, rebuild
from ..tracer.record import state
from .arrays.creation import tensor
from .gradmode import enable_grad
from .jit.recording import record
from .tensor import Tensor, wrap

__all__ = ["grad", "value_and_grad", "grad_and_value"]

Argnums = Union[int, tuple]


def grad(f: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
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
    f: Callable, argnums: Argnums = 0, has_aux: bool = False
) -> Callable:
    """As `value_and_grad`, the gradient first (the order of torch.func)."""
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, grads = both(*args, **kwargs)
        return grads, value

    return gradient


def value_and_grad(
    f: Callable, argnums: Argnums = 0, has_aux: bool = False
) -> Callable:
    """The function that returns (value of `f`, its gradient by `argnums`).

    RuntimeError when `f` does not return a scalar tensor; TypeError when an argument
    to differentiate by is not floating.

    >>> import tracefuse
    >>> value_and_grad(lambda x: (x * x).sum())(tracefuse.tensor([1.0, 2.0]))
    (tensor(5.), tensor([2., 4.]))
    """
    name = f"grad_{getattr(f, '__name__', 'function')}".replace("<lambda>", "lambda")

    def run(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            return _value_and_grad(f, argnums, has_aux, args, kwargs)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        if state.recorder is not None:
            return run(*args, **kwargs)
        return record(name, run, args, kwargs, listen=False).result

    return both


def _value_and_grad(
    f: Callable, argnums: Argnums, has_aux: bool, args: tuple, kwargs: dict
) -> tuple:
    chosen = argnums if isinstance(argnums, tuple) else (argnums,)
    leaves, spec = flatten([args[i] for i in chosen])
    variables = [_variable(x) for x in leaves]
    wrt = [v._storage.value for v in variables]  # before `f` can write to them
    inner = list(args)
    for i, new in zip(chosen, rebuild(spec, variables)):
        inner[i] = new
    result = f(*inner, **kwargs)
    out, aux = result if has_aux else (result, None)
    values, close = _differentiate(_scalar(out), wrt)
    grads = rebuild(spec, (wrap(state.recorder, v) for v in values))  # type: ignore
    value = (close(out), _close_all(aux, close)) if has_aux else close(out)
    return value, grads if isinstance(argnums, tuple) else grads[0]


def _variable(x: Any) -> Tensor:
    """A variable of its own with the value of `x`; writes to it stay inside."""
    t = x if isinstance(x, Tensor) else tensor(float(x))
    if not t.dtype.is_floating_point:
        raise TypeError(f"grad needs floating-point arguments, not {t.dtype}")
    rec = state.recorder
    return wrap(rec, make("leaf", (rec.value_of(t),)))  # type: ignore


def _scalar(out: Any) -> Tensor:
    if not isinstance(out, Tensor):
        raise RuntimeError(f"expected a scalar tensor from f, got {type(out).__name__}")
    if out.ndim:
        raise RuntimeError(
            f"expected a scalar tensor from f, got {out.ndim} dimensions"
        )
    return out


def _differentiate(out: Tensor, wrt: list) -> tuple[list[Value], Callable]:
    """Gradients by the leaves `wrt`, whose own values then take their place."""
    rec = state.recorder
    root = rec.value_of(out)  # type: ignore
    found = vjp([root], [constant(1, (), root.dtype)], wrt)
    grads = [
        constant(0, v.shape, v.dtype) if g is None else g for v, g in zip(wrt, found)
    ]
    known = {v.id: v.args[0] for v in wrt}

    def close(t: Tensor) -> Tensor:
        return wrap(rec, replace([rec.value_of(t)], known)[0])  # type: ignore

    return replace(grads, known), close


def _close_all(aux: Any, close: Callable) -> Any:
    leaves, spec = flatten(aux)
    closed = (close(x) if isinstance(x, Tensor) else x for x in leaves)
    return rebuild(spec, closed)
