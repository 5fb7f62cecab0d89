"""What a program takes: checked at each call, and named when it does not fit."""

from __future__ import annotations

import math
from typing import Any, Optional

from ...tracer.errors import DTypeError, ShapeError
from ...tracer.pytree import rebuild
from ...tracer.sizes import Dim, Int, hint
from ...tracer.texts.spelled import substitute
from ...tracer.types import BY_NUMPY, DType
from ..jit.paths.unpack import Kind
from ..jit.varying import form
from ..tensor import Tensor
from .plan import portable

__all__ = ["Signature", "same", "spelled", "within"]


class Signature:
    """The arguments of a program: a tree, and a Kind or a plain value at each leaf.

    Sizes that may differ from call to call are symbols; `str()` shows them.
    """

    def __init__(self, name: str, leaves: list, spec: Any) -> None:
        self.name, self.leaves, self.spec = name, leaves, portable(spec)

    def __str__(self) -> str:
        return spelled(self.name, self.leaves, self.spec)

    @property
    def symbols(self) -> dict[str, Dim]:
        """The sizes that have a name."""
        shapes = (x.shape for x in self.leaves if isinstance(x, Kind))
        dims = (n for shape in shapes for n in shape if isinstance(n, Dim))
        return {n.text: n for n in dims}

    @property
    def key(self) -> tuple:
        """What tells signatures apart: objects, which only a process has, by id."""
        return form(self.spec), tuple(map(_row, self.leaves))

    def check(self, leaves: list, spec: Any, hints: bool = False) -> dict[str, Int]:
        """The size of each symbol in a call. Raises when the call does not fit.

        TypeError for other containers, values or identities, DTypeError and
        ShapeError for tensors of another kind. `hints` takes symbolic sizes as what
        they are now.
        """
        if portable(spec) != self.spec:
            given = spelled(self.name, leaves, portable(spec))
            raise TypeError(f"{self} was called as {given}")
        sizes: dict[str, Int] = {}
        for i, (x, kind) in enumerate(zip(leaves, self.leaves)):
            if isinstance(kind, Kind):
                self._check_kind(i, x, kind, leaves)
                _bind(sizes, kind.shape, _shape(x, hints))
            elif not same(x, kind):
                raise TypeError(f"{self._input(i)} is {x!r}, expected {kind!r}")
        for i, (x, kind) in enumerate(zip(leaves, self.leaves)):
            if isinstance(kind, Kind):
                self._check_sizes(i, _shape(x, hints), kind.shape, sizes)
        return sizes

    def _check_kind(self, i: int, x: Any, kind: Kind, leaves: list) -> None:
        dtype = BY_NUMPY[kind.dtype]
        if not isinstance(x, Tensor):
            given = type(x).__name__
            raise TypeError(f"{self._input(i)} is a {given}, expected a Tensor")
        if x.dtype is not dtype:
            raise DTypeError(f"{self._input(i)} is {x.dtype}, expected {dtype}")
        if len(x.shape) != len(kind.shape):
            self._misfit(i, x.shape, kind.shape, "")
        if kind.first is not None and x is not leaves[kind.first]:
            raise TypeError(
                f"{self._input(i)} must be the same tensor as input {kind.first}, as "
                "it was when the program was traced"
            )

    def _check_sizes(self, i: int, given: tuple, expected: tuple, sizes: dict) -> None:
        for n, wanted in zip(given, expected):
            if n != substitute(wanted, sizes):
                is_known = isinstance(wanted, Dim)
                why = f" ({wanted} is {hint(sizes[str(wanted)])})" if is_known else ""
                self._misfit(i, given, expected, why)
            if isinstance(wanted, Dim) and not within(n, wanted):
                self._misfit(i, given, expected, f" ({_bounds(wanted)})")

    def _misfit(self, i: int, given: tuple, expected: tuple, why: str) -> None:
        raise ShapeError(
            f"{self._input(i)} has shape {[*map(hint, given)]}, expected "
            f"{list(expected)}{why}"
        )

    def _input(self, i: int) -> str:
        return f"input {i} of {self}"


def _row(x: Any) -> tuple:
    if isinstance(x, Kind):
        return (x.dtype.str, x.dtype.name, tuple(map(str, x.shape)), x.first)
    plain = x is None or isinstance(x, (int, float, str, DType))
    return (type(x), repr(x) if plain else id(x))


def _shape(x: Tensor, hints: bool) -> tuple:
    return tuple(map(hint, x.shape)) if hints else tuple(x.shape)


def _bind(sizes: dict, shape: tuple, given: tuple) -> None:
    for n, size in zip(shape, given):
        if isinstance(n, Dim):
            sizes.setdefault(n.text, size)


def within(n: Int, dim: Dim) -> bool:
    """Whether a symbol may have that size."""
    return n >= dim.min and (dim.max is None or n <= dim.max)


def _bounds(dim: Dim) -> str:
    top = "" if dim.max is None else f" and at most {dim.max}"
    return f"{dim} is at least {dim.min}{top}"


def same(x: Any, kind: Any) -> bool:
    """The same object or plain value: 1, 1.0 and True differ, nan equals nan."""
    if x is kind:
        return True
    if type(x) is not type(kind):
        return False
    if isinstance(x, float):
        equal = x == kind and math.copysign(1, x) == math.copysign(1, kind)
        return equal or (x != x and kind != kind)
    return x == kind


class _Word(str):
    __repr__ = str.__str__  # type: ignore[assignment]


def spelled(name: str, leaves: list, spec: Any) -> str:
    """The text of a call with types in the places of tensors."""
    words = [_Word(_describe(x)) for x in leaves]
    args, kwargs = rebuild(spec, words)
    named = [f"{key}={value!r}" for key, value in kwargs.items()]
    return f"{name}({', '.join([*map(repr, args), *named])})"


def _describe(leaf: Any) -> str:
    shape: Optional[tuple] = getattr(leaf, "shape", None)
    if not isinstance(leaf, (Kind, Tensor)) or shape is None:
        text = repr(leaf)
        return text if len(text) <= 60 else f"<{type(leaf).__name__}>"
    dtype = BY_NUMPY[leaf.dtype] if isinstance(leaf, Kind) else leaf.dtype
    sizes = shape if isinstance(leaf, Kind) else map(hint, shape)
    return f"{dtype.name}[{', '.join(map(str, sizes))}]"
