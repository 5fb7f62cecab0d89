"""`gradcheck`: derivatives against finite differences."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np

from ...tracer.errors import GradcheckError
from ..arrays.fill import zeros_like
from ..gradmode import enable_grad, no_grad
from ..random.draws import randn
from ..tensor import Tensor, fresh
from .gradients import grad

__all__ = ["gradcheck", "gradgradcheck"]


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
    **options: Any,
) -> bool:
    """Whether the backward of `func` agrees with central differences at `inputs`.

    Every floating input that requires grad is moved by `eps` either way, one element
    at a time; float64 is needed for the default tolerances. GradcheckError (False,
    without `raise_exception`) names the output and the input that differ and shows
    both Jacobians. ValueError when no input requires grad.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, dtype=tracefuse.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x, (x,))
    True
    """
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    _check_inputs(given)
    try:
        with enable_grad():
            _check(func, given, eps, atol, rtol, nondet_tol)
            if check_undefined_grad:
                _check_undefined(func, given)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _differentiable(given: Sequence) -> list[int]:
    return [i for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]


def _check_inputs(given: tuple) -> None:
    if not _differentiable(given):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none "
            "of them have requires_grad=True."
        )


def _outputs(func: Callable, given: tuple) -> list[Tensor]:
    """The results that are differentiable in principle."""
    result = func(*given)
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [t for t in several if isinstance(t, Tensor) and t.dtype.is_floating_point]


def _check(
    func: Callable, given: tuple, eps: float, atol: float, rtol: float, nondet: float
) -> None:
    outputs, moved = _outputs(func, given), _differentiable(given)
    analytical = [_analytical(t, [given[i] for i in moved]) for t in outputs]
    for n, i in enumerate(moved):
        numerical = _numerical(func, given, i, eps)
        for o, (rows, wanted) in enumerate(zip(analytical, numerical)):
            if not np.allclose(rows[n], wanted, rtol, atol, equal_nan=True):
                raise GradcheckError(_mismatch(o, n, wanted, rows[n]))
    again = [_analytical(t, [given[i] for i in moved]) for t in outputs]
    _check_same(analytical, again, nondet)


def _mismatch(o: int, i: int, numerical: np.ndarray, analytical: np.ndarray) -> str:
    return (
        f"Jacobian mismatch for output {o} with respect to input {i},\n"
        f"numerical:{fresh(numerical)!r}\nanalytical:{fresh(analytical)!r}\n"
    )


def _check_same(first: list, second: list, tolerance: float) -> None:
    for o, (rows, others) in enumerate(zip(first, second)):
        for i, (a, b) in enumerate(zip(rows, others)):
            if a.size and np.max(np.abs(a - b)) > tolerance:
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same "
                    "input and grad_output multiple times gives different values, "
                    f"although analytical gradient matches numerical gradient (output "
                    f"{o}, input {i}). The tolerance for nondeterminism was "
                    f"{tolerance}."
                )


def _analytical(t: Tensor, inputs: list) -> list[np.ndarray]:
    """The Jacobian of one output by each input, as (input elements, outputs)."""
    size = t._array.size
    found = [np.zeros((x._array.size, size)) for x in inputs]
    for column in range(size if t.requires_grad else 0):
        weight = np.zeros(size, t._array.dtype)
        weight[column] = 1
        seed = fresh(weight.reshape(t._array.shape))
        grads = grad(t, inputs, seed, retain_graph=True, allow_unused=True)
        for jacobian, g in zip(found, grads):
            if g is not None:
                jacobian[:, column] = g._array.reshape(-1)
    return found


def _numerical(func: Callable, given: tuple, i: int, eps: float) -> list[np.ndarray]:
    """The same by central differences, for input number `i`."""
    flat = given[i]._array.reshape(-1)
    rows: list[list[np.ndarray]] = []
    for place in range(flat.size):
        high, low = (_moved(func, given, i, place, by) for by in (eps, -eps))
        rows.append([(a - b) / (2 * eps) for a, b in zip(high, low)])
    return [np.stack(row) for row in zip(*rows)]


def _moved(func: Callable, given: tuple, i: int, place: int, by: float) -> list:
    """The outputs with one element of one input moved."""
    changed = given[i]._array.copy()
    changed.reshape(-1)[place] += by
    moved = fresh(changed)
    with no_grad():
        outputs = _outputs(func, (*given[:i], moved, *given[i + 1 :]))
    return [np.array(t._array, np.float64).reshape(-1) for t in outputs]


def _check_undefined(func: Callable, given: tuple) -> None:
    """Where one of several outputs has no gradient, that must count as zero."""
    outputs = [t for t in _outputs(func, given) if t.requires_grad]
    inputs = [given[i] for i in _differentiable(given)]
    for one in outputs if len(outputs) > 1 else ():
        try:
            grad(one, inputs, zeros_like(one), retain_graph=True, allow_unused=True)
        except (TypeError, AttributeError) as error:
            raise GradcheckError(
                "Expected backward function to handle undefined output grads. Please "
                'look at "Notes about undefined output gradients" in '
                "the documentation of autograd.Function."
            ) from error


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Optional[Any] = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    **options: Any,
) -> bool:
    """Whether second derivatives agree with differences of the first.

    `grad_outputs` weigh the outputs (default: random numbers); they are moved too.
    Raises as `gradcheck` does.

    >>> import tracefuse
    >>> x = tracefuse.ones(2, dtype=tracefuse.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, (x,))
    True
    """
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    _check_inputs(given)
    weights = _weights(func, given, grad_outputs)
    count = len(given)

    def gradients(*both: Any) -> tuple:
        xs, seeds = both[:count], both[count:]
        xs = tuple(_live(x, was) for x, was in zip(xs, given))
        outputs = [t for t in _outputs(func, xs) if t.requires_grad]
        wrt = [xs[i] for i in _differentiable(given)]
        with enable_grad():
            found = grad(outputs, wrt, seeds, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    kind: Any = {"eps": eps, "atol": atol, "rtol": rtol}
    return gradcheck(
        enable_grad(gradients),
        (*given, *weights),
        raise_exception=raise_exception,
        check_undefined_grad=False,
        **kind,
        **options,
    )


def _live(x: Any, was: Any) -> Any:
    """A moved input, as a variable where the given one was."""
    wanted = isinstance(was, Tensor) and was.requires_grad and not x.requires_grad
    return x.detach().requires_grad_() if wanted else x


def _weights(func: Callable, given: tuple, chosen: Any) -> tuple:
    if chosen is not None:
        return tuple(chosen) if isinstance(chosen, (tuple, list)) else (chosen,)
    outputs = [t for t in _outputs(func, given) if t.requires_grad]
    return tuple(
        randn(*t.shape, dtype=t.dtype).requires_grad_()  # type: ignore[attr-defined]
        for t in outputs
    )
