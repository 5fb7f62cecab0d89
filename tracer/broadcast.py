"""In which shape do several meet? NumPy's rule, for symbolic sizes too."""

from __future__ import annotations

from .errors import ShapeError
from .sizes import Dim

__all__ = ["broadcast"]


def broadcast(*shapes: tuple) -> tuple:
    """The shape in which all meet; ShapeError names the sizes that do not.

    >>> broadcast((3, 1), (4,), ())
    (3, 4)
    """
    widest = shapes[0] if shapes else ()
    for shape in shapes:
        if len(shape) > len(widest):
            widest = shape
    for shape in shapes:
        if not _fits(shape, widest):
            return _meet(shapes)
    return tuple(widest)


def _fits(shape: tuple, widest: tuple) -> bool:
    """Whether `widest` is plainly where they meet; False where that takes a look."""
    if shape is widest:
        return True
    for n, wide in zip(shape, widest[len(widest) - len(shape) :]):
        if n is not wide and (type(n) is not int or n != 1):
            if type(n) is not int or type(wide) is not int or n != wide:
                return False
    return True


def _is_one(n: object) -> bool:
    """Whether a symbolic size is 1 here: a guard, asked where nothing else fits."""
    return isinstance(n, Dim) and n == 1


def _meet(shapes: tuple) -> tuple:
    out: list = []
    for shape in shapes:
        out = [1] * (len(shape) - len(out)) + out
        for i in range(1, len(shape) + 1):
            a, b = out[-i], shape[-i]
            if a is b or not isinstance(b, Dim) and b == 1:
                continue
            if not isinstance(a, Dim) and a == 1:
                out[-i] = b
            elif a != b and not _is_one(b):
                if _is_one(a):
                    out[-i] = b
                    continue
                raise ShapeError(
                    f"The size of tensor a ({a}) must match the size of tensor b ({b}) "
                    f"at non-singleton dimension {len(out) - i}"
                )
    return tuple(out)
