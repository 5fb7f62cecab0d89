"""Which axis of which tensor `vmap` maps over: trees of axes, matched to trees."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ...tracer.pytree import containers, content
from ...tracer.sizes import Int, same_size
from ..tensor import Tensor

__all__ = ["Axes", "common_size"]


class Axes(NamedTuple):
    """A tree of axes as the user gave it.

    `where` and `what` are for messages: "vmap(f, in_axes=0)" and "inputs".
    """

    tree: Any
    where: str
    what: str

    def spread(self, tree: Any) -> list:
        """(leaf, its axis or None) for every leaf of `tree`, of which the axes are a
        prefix. ValueError where they are not."""
        if not is_axis(self.tree) and not _is_container(self.tree):
            raise ValueError(
                f"{self.where}: expected axes to be int, None or a (potentially nested)"
                f" container matching the structure of {self.what}, got: "
                f"{type(self.tree)}"
            )
        found: list = []
        self._spread(self.tree, tree, found)
        return found

    def _spread(self, axes: Any, tree: Any, found: list) -> None:
        if not _is_container(tree):
            if not is_axis(axes):
                raise self._misfit(axes, tree)
            found.append((tree, axes))
            return
        for below, child in zip(self._below(axes, tree), content(tree)[0]):
            self._spread(below, child, found)

    def _below(self, axes: Any, tree: Any) -> list:
        """The axes of each child."""
        children, keys = content(tree)
        if is_axis(axes):
            return [axes] * len(children)
        given, names = content(axes) if _is_container(axes) else ((), None)
        alike = isinstance(axes, dict) == isinstance(tree, dict)
        if not alike or len(given) != len(children):
            raise self._misfit(axes, tree)
        if not isinstance(axes, dict):
            return list(given)
        if {*names} != {*keys}:  # type: ignore[misc]
            raise self._misfit(axes, tree)
        return [axes[key] for key in keys]

    def _misfit(self, axes: Any, tree: Any) -> ValueError:
        return ValueError(
            f"{self.where}: the axes are not compatible with the structure of "
            f"{self.what}: {axes!r} for {_shown(tree)}"
        )

    def number(self, axis: Any, leaf: Any) -> Optional[int]:
        """The axis of an input, counted from the front; None where it is shared."""
        if axis is None or leaf is None:
            return None
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{self.where}: got axis {axis} for an input of type {type(leaf)}. "
                "vmap maps over tensors; give None as the axis of anything else"
            )
        return self.inside(axis, leaf.ndim)

    def inside(self, axis: int, ndim: int) -> int:
        """An axis counted from the front; ValueError when there is none like it."""
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"{self.where}: got axis {axis} for a tensor of dimensionality {ndim} "
                f"among the {self.what}, so expected -{ndim} <= axis < {ndim}"
            )
        return axis % ndim


def is_axis(x: Any) -> bool:
    """Whether this is one axis for all below."""
    return x is None or (isinstance(x, int) and not isinstance(x, bool))


def _is_container(x: Any) -> bool:
    return next(containers(x), None) is not None


def _shown(tree: Any) -> str:
    return type(tree).__name__ + (
        f" of {len(content(tree)[0])}" if _is_container(tree) else ""
    )


def common_size(pairs: list, given: Optional[Int], where: str) -> Int:
    """The size of the mapped axes; ValueError where they differ or there is none."""
    sizes = [t.shape[axis] for t, axis in pairs if axis is not None]
    sizes = sizes if given is None else [given, *sizes]
    if not sizes:
        raise ValueError(f"{where}: Expected at least one Tensor to vmap over")
    # Sizes that are written differently are compared, which a recording takes note of.
    if any(not same_size(n, sizes[0]) and n != sizes[0] for n in sizes):
        raise ValueError(
            f"{where}: Expected all tensors to have the same size in the mapped "
            f"dimension, got sizes {[*map(int, sizes)]} for the mapped dimension"
        )
    return sizes[0]
