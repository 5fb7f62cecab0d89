"""What the functions of `functional.py` share: variables, checks, zeros for nothing."""

from __future__ import annotations

from typing import Any, Optional

from ..arrays.fill import ones_like, zeros_like
from ..tensor import Tensor
from .gradients import grad

__all__ = ["as_tuple", "check_live", "filled", "given_form", "grads_of"]
__all__ += ["variables", "vectors_for"]


def as_tuple(given: Any, what: str, name: str) -> tuple[tuple, bool]:
    """As a tuple of tensors, and whether it was one."""
    many = isinstance(given, tuple)
    tensors = given if many else (given,)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            where = f"the value at index {i}" if many else f"the given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of "
                f"Tensors but {where} has type {type(t)}."
            )
    return tensors, many


def variables(tensors: tuple, create_graph: bool) -> tuple:
    """Fresh variables; with `create_graph` gradients flow on to what was given."""
    if create_graph:
        return tuple(
            t.view_as(t) if t.requires_grad else t.detach().requires_grad_()
            for t in tensors
        )
    return tuple(t.detach().requires_grad_() for t in tensors)


def vectors_for(v: Any, like: tuple, name: str) -> tuple:
    """The given vectors, checked against what they multiply."""
    if v is None:
        if len(like) != 1 or like[0].shape.numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a "
                "single Tensor with a single element."
                if name in ("vjp", "jvp output")
                else "The vector v can only be None if the input to the user-provided "
                "function is a single Tensor with a single element."
            )
        return (ones_like(like[0]),)
    vectors, _ = as_tuple(v, "v", name)
    if len(vectors) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got "
            f"{len(vectors)}."
        )
    for i, (own, t) in enumerate(zip(vectors, like)):
        if tuple(own.shape) != tuple(t.shape):
            entry = f"Entry {i} in " if len(like) > 1 else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {tuple(t.shape)} but got "
                f"{tuple(own.shape)}."
            )
    return tuple(own.detach() for own in vectors)


def check_live(outputs: tuple, strict: bool) -> None:
    for i, t in enumerate(outputs if strict else ()):
        if not t.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. "
                "The outputs must be computed in a differentiable manner from the "
                "input when running in strict mode."
            )


def grads_of(
    outputs: tuple, inputs: tuple, weights: Optional[tuple], again: bool
) -> tuple:
    """Gradients by the inputs, None where there are none."""
    pairs = list(zip(outputs, weights or (None,) * len(outputs)))
    pairs = [(t, w) for t, w in pairs if t.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    live, given = zip(*pairs)
    kind: Any = {"create_graph": again, "retain_graph": True, "allow_unused": True}
    return grad(live, inputs, given, **kind)


def filled(grads: tuple, like: tuple, strict: bool, again: bool = False) -> tuple:
    """Zeros in place of None; in strict mode RuntimeError."""
    for i, g in enumerate(grads if strict else ()):
        if g is None:
            raise RuntimeError(
                "The output of the user-provided function is independent of input "
                f"{i}. This is not allowed in strict mode."
            )
        if again and not g.requires_grad:
            raise RuntimeError(
                "The jacobian of the user-provided function is independent of input "
                f"{i}. This is not allowed in strict mode when create_graph=True."
            )
    return tuple(zeros_like(t) if g is None else g for g, t in zip(grads, like))


def given_form(results: tuple, many: bool, create_graph: bool) -> Any:
    """The results in the form of what was given, without history unless wanted."""
    kept = results if create_graph else tuple(t.detach() for t in results)
    return kept if many else kept[0]
