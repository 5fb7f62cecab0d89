"""`autograd.forward_ad`: tangents that travel with tensors, PyTorch's dual numbers.

A dual tensor is a variable of the usual history. Its outputs' tangents come of that
history, differentiated twice: once for the product with an unknown v, which is linear
in v, and once by v (`autodiff/jvp.py` does the same to graphs).
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple, Optional

from ...tracer.record import state
from ..arrays.attributes import clone, detach
from ..arrays.fill import zeros_like
from ..tensor import Tensor, require_grad
from .gradients import grad

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level"]
__all__ += ["make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: a tensor, and its tangent or None."""

    primal: Tensor
    tangent: Optional[Tensor]


class _Level(threading.local):
    duals: Optional[list] = None  # of (variable, tangent); None: outside of a level


_level = _Level()


def enter_dual_level() -> int:
    """Begin a level of forward differentiation. RuntimeError inside another one."""
    if _level.duals is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _level.duals = []
    return 0


def exit_dual_level(*, level: Optional[int] = None) -> None:
    """End the level: its tangents are gone."""
    if _level.duals is None:
        raise RuntimeError("Trying to exit a forward AD level that was not entered")
    _level.duals = None


class dual_level:
    """Inside, tensors can have tangents.

    >>> import tracefuse
    >>> with dual_level():
    ...     x = make_dual(tracefuse.tensor([2.0]), tracefuse.tensor([1.0]))
    ...     unpack_dual(x * x).tangent.detach()
    tensor([4.])
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: Any) -> None:
        exit_dual_level()


def make_dual(
    tensor: Tensor, tangent: Tensor, *, level: Optional[int] = None
) -> Tensor:
    """`tensor` with a tangent, which whatever is computed from it has in turn.

    RuntimeError outside of a level and under no_grad, ValueError unless both are
    floating, and where their shapes or types differ.
    """
    if _level.duals is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make "
            "sure to enter_dual_level() first."
        )
    if not state.grad:
        raise RuntimeError("make_dual: tangents follow the history, which is off here")
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not t.dtype.is_floating_point:
            raise ValueError(
                f"Expected {name} to be floating point, but got: {t.dtype}"
            )
    if tuple(tangent.shape) != tuple(tensor.shape) or tangent.dtype is not tensor.dtype:
        raise ValueError(
            f"Expected a tangent like the primal ({tensor.dtype} {list(tensor.shape)}),"
            f" but got: {tangent.dtype} {list(tangent.shape)}"
        )
    variable = clone(tensor) if tensor.requires_grad else _variable(tensor)
    _level.duals.append((variable, tangent))
    return clone(variable)


def _variable(t: Tensor) -> Tensor:
    return require_grad(detach(t))


def unpack_dual(tensor: Tensor, *, level: Optional[int] = None) -> UnpackedDualTensor:
    """A tensor and its tangent: None where no dual tensor led to it.

    The tangent can be differentiated further where a primal requires grad.
    """
    duals = _level.duals
    if not duals or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    wrt, tangents = zip(*duals)
    v = require_grad(zeros_like(tensor))
    pulled = grad(tensor, wrt, v, create_graph=True, allow_unused=True)
    pairs = [(g, t) for g, t in zip(pulled, tangents) if g is not None]
    if not pairs:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(
        tensor, _by_v(v, [p for p in pairs if p[0].requires_grad])
    )


def _by_v(v: Tensor, pairs: list) -> Tensor:
    """The tangent: the sum of what reaches v. What does not depend on it is 0."""
    if not pairs:
        return zeros_like(v)
    pulled, tangents = zip(*pairs)
    (found,) = grad(pulled, v, tangents, create_graph=True, allow_unused=True)
    return zeros_like(v) if found is None else found
