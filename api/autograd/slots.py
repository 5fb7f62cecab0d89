"""`Tensor.grad`: where gradients come to rest."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.record import state
from ...tracer.storage import Leaf
from ..gradmode import no_grad
from ..tensor import Tensor, write

__all__ = ["accumulate", "is_leaf", "leaf_of"]


def _get_grad(t: Tensor) -> Optional[Tensor]:
    rec = state.recorder
    if rec is not None and t._array is not None:  # it was there before the recording
        return rec.read_slot(t, "_grad")
    return t._grad


def _set_grad(t: Tensor, new: Optional[Tensor]) -> None:
    if new is not None:
        _check_grad(t, new)
    rec = state.recorder
    if rec is not None and t._array is not None:
        rec.write_slot(t, "_grad", new)
    else:
        t._grad = new


def _check_grad(t: Tensor, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(
            f"assigned grad expected to be a Tensor or None but got {type(new)}"
        )
    if tuple(new.shape) != tuple(t.shape):
        raise RuntimeError(
            f"assigned grad has data of a different size: {list(new.shape)} given, "
            f"{list(t.shape)} expected"
        )


Tensor.grad = property(  # type: ignore
    _get_grad, _set_grad, lambda t: _set_grad(t, None), "The accumulated gradient."
)


def leaf_of(t: Tensor) -> Optional[Leaf]:
    """What marks `t` as a variable, if it is one."""
    marked = bool(t._steps) and t._steps[-1][0] == "leaf"
    return t._steps[-1][1]["of"] if marked else None


def is_leaf(t: Tensor) -> bool:
    """Whether no operation made `t`, as far as gradients are concerned."""
    return leaf_of(t) is not None or not t.requires_grad


Tensor.is_leaf = property(is_leaf)  # type: ignore


def accumulate(t: Tensor, g: Tensor, create_graph: bool) -> None:
    """Add `g` to the gradient of `t`, then call the hooks that wait for that."""
    before = t.grad  # type: ignore[attr-defined]
    if before is None:
        t.grad = g  # type: ignore[attr-defined]
    elif create_graph:
        t.grad = before + g  # type: ignore[attr-defined]
    else:
        with no_grad():
            write(before, before + g)
    leaf = leaf_of(t)
    for hook in list(leaf.after.values()) if leaf is not None else ():
        hook(t)
