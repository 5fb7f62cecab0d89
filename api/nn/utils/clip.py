"""Keeping gradients small."""

from __future__ import annotations

from typing import Any, Iterable, Union

from ...arrays.fill import zeros
from ...arrays.joining import stack
from ...gradmode import no_grad
from ...math.norms import vector_norm
from ...tensor import Tensor, pointwise, write

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]
__all__ += ["clip_grads_with_norm_"]

Tensors = Union[Tensor, Iterable[Tensor]]


def _grads(parameters: Tensors) -> list[Tensor]:
    each = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    grads = (p.grad for p in each)  # type: ignore[attr-defined]
    return [g for g in grads if g is not None]


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all tensors taken together, as a 0-d tensor.

    RuntimeError for a norm that is not finite, if `error_if_nonfinite`.
    """
    each = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not each:
        return zeros(())
    norms = stack([vector_norm(t, float(norm_type)) for t in each])
    total = vector_norm(norms, float(norm_type))
    if error_if_nonfinite and not bool(total.isfinite()):  # type: ignore[attr-defined]
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is "
            "non-finite, so it cannot be clipped. To disable this error and scale the "
            "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor
) -> None:
    """Scale all gradients by max_norm / total_norm where that is below 1."""
    scale = max_norm / (total_norm + 1e-6)
    scale = pointwise("where", scale > 1, 1.0, scale)
    for g in _grads(parameters):
        write(g, g * scale)


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """Scale all gradients so that together their norm is at most `max_norm`.

    Returns the norm before, a 0-d tensor. RuntimeError for a norm that is not finite,
    if `error_if_nonfinite`.
    """
    each = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_grads(each), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(each, float(max_norm), total)
    return total


@no_grad()
def clip_grad_value_(
    parameters: Tensors, clip_value: float, foreach: Any = None
) -> None:
    """Hold every element of all gradients between -clip_value and clip_value."""
    bound = float(clip_value)
    for g in _grads(parameters):
        write(g, g.clamp(-bound, bound))  # type: ignore[attr-defined]
