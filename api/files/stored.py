"""A tensor as it is kept in a file: its numbers, and what kind of tensor it was."""

from __future__ import annotations

from typing import Any

from ...tracer.errors import FormatError
from ..nn.parameter import Parameter
from ..tensor import Tensor, require_grad, view

__all__ = ["KINDS", "kind_of", "revive", "twin"]

# kind -> (whether a Parameter, whether it requires grad)
KINDS = {
    "tensor": (False, False),
    "variable": (False, True),
    "parameter": (True, True),
    "frozen": (True, False),
}
_NAMES = {flags: kind for kind, flags in KINDS.items()}


def kind_of(t: Tensor) -> str:
    """Which of KINDS a tensor is."""
    return _NAMES[isinstance(t, Parameter), t.requires_grad]


def twin(t: Tensor) -> Tensor:
    """Another tensor on the memory of `t`, which has no history."""
    new = view(t, "stop_gradient")
    new._steps = t._steps
    return new


def revive(t: Tensor, kind: Any, where: str) -> Tensor:
    """A new, bare tensor turned into what it was when it was saved."""
    if type(kind) is not str or kind not in KINDS:
        known = ", ".join(KINDS)
        raise FormatError(f"{where} is of kind {str(kind)[:40]!r}, expected {known}")
    parameter, grad = KINDS[kind]
    if grad and not t.dtype.is_floating_point:
        raise FormatError(f"{where} is a {kind} of {t.dtype}, expected floats")
    return Parameter(t, grad) if parameter else require_grad(t, grad)
