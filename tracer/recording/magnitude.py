"""How large the integers of a recorded value can be, from what made them."""

from __future__ import annotations

from ..graph import Value

__all__ = ["most"]

_ELEMENTS = 2**40  # no tensor has more
_SAME = frozenset("expand reshape permute slice max min gather stop_gradient".split())
_LARGEST = 2**63


def most(v: Value, depth: int = 8) -> int:
    """A number that no element of `v` exceeds, whatever its sign.

    >>> from ..graph import placeholder
    >>> from ..types import bool_, int8, int64
    >>> most(placeholder("x", (3,), bool_)), most(placeholder("x", (3,), int8))
    (1, 128)
    >>> most(placeholder("x", (3,), int64)) == 2**63
    True
    """
    if v.dtype.category == 0:
        return 1
    if v.dtype.is_floating_point:
        return _LARGEST
    own = 2 ** (8 * v.dtype.np.itemsize - 1) * (2 if v.dtype.np.kind == "u" else 1)
    if not v.args or not depth:
        return own
    if v.op == "argmax":
        return min(own, _ELEMENTS)
    below = most(v.args[0], depth - 1)
    if v.op in _SAME or v.op == "cast":
        return min(own, below)
    return min(own, below * _ELEMENTS) if v.op == "sum" else own
