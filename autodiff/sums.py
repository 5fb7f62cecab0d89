"""The gradient of what all steps of a scan read: one product in place of many.

The gradient of a weight is the sum over steps of products a_t b_t. Side by side, all a
and all b make one product, which is much faster than many small ones: so the scan
stacks the factors that it would have multiplied.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..tracer.graph import Value, make
from ..tracer.sizes import Int

__all__ = ["Product", "products"]


class Product(NamedTuple):
    """A step's share in a gradient: permutations of `left` and `right`, multiplied,
    then permuted again. `left_axes` and the others are permutations, in order."""

    left: Value
    left_axes: list[tuple]
    right: Value
    right_axes: list[tuple]
    after: list[tuple]

    def total(self, left: Value, right: Value) -> Value:
        """The sum over steps, from the factors of all steps stacked."""
        a, b = _permuted(left, self.left_axes), _permuted(right, self.right_axes)
        (n, rows, k), columns = a.shape, b.shape[-1]
        length: Int = n * k
        a = a.permute((-2, -3, -1)).reshape((rows, length))
        y = make("dot", (a, b.reshape((length, columns))))
        for axes in self.after:
            y = y.permute(axes)
        return y


def _permuted(x: Value, permutations: list[tuple]) -> Value:
    for axes in permutations:
        x = x.permute((-x.ndim, *axes))
    return x


def products(x: Value) -> Optional[list[Product]]:
    """`x` as a sum of products of matrices, or None where it is something else."""
    if x.dtype.itemsize < 4:
        return None  # half types round at every step
    if x.op == "add":
        parts = [products(a) for a in x.args]
        return None if None in parts else [p for ps in parts for p in ps or ()]
    dot, after = _bare(x)
    if dot.op != "dot" or dot.ndim != 2:
        return None
    (left, left_axes), (right, right_axes) = map(_bare, dot.args)
    return [Product(left, left_axes, right, right_axes, after)]


def _bare(x: Value) -> tuple[Value, list[tuple]]:
    """What is behind the permutations of a value, and those, first to last."""
    found: list[tuple] = []
    while x.op == "permute":
        found.insert(0, x.attrs["axes"])
        x = x.args[0]
    return x, found
