"""Nested containers as loops and branches see them: tensors, and what is around them.

A number among the leaves counts as a tensor of the type that fits: it takes the type of
what it meets. All other leaves (None, strings, objects) are not carried but must stay
what they are.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np

from ...tracer.graph import Value, constant
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state
from ...tracer.sizes import Dim, same_shape
from ...tracer.types import bool_, int64
from ..arrays.creation import tensor
from ..defaults import defaults
from ..tensor import Tensor, record_args, wrap

__all__ = ["Packed", "check_alike"]

_NUMBERS = (bool, int, float, Dim)


class Packed:
    """A tree of tensors: `values` are theirs, `rest` the leaves that are none.

    `weak` numbers those of the values that were Python numbers.
    """

    def __init__(self, tree: Any):
        self.leaves, self.spec = flatten(tree)
        self.weak: set[int] = set()
        self.places: list[int] = []
        tensors = []
        for i, leaf in enumerate(self.leaves):
            if isinstance(leaf, (Tensor, np.ndarray, np.generic, *_NUMBERS)):
                self.places.append(i)
                tensors.append(self.tensor(leaf))
        self.values: list[Value] = list(record_args(_recorder(), tuple(tensors)))
        inside = set(self.places)
        self.rest = [None if i in inside else x for i, x in enumerate(self.leaves)]
        self.leaves = []

    def tensor(self, x: Any) -> Tensor:
        """A leaf as a tensor."""
        if isinstance(x, Tensor):
            return x
        if not isinstance(x, _NUMBERS):
            return tensor(x)
        self.weak.add(len(self.places) - 1)
        kinds = ((bool, bool_), (float, defaults.dtype))
        dtype = next((d for kind, d in kinds if isinstance(x, kind)), int64)
        return wrap(_recorder(), _number(x, dtype))

    def around(self, values: Sequence[Value]) -> Any:
        """The tree with tensors of these values."""
        leaves = list(self.rest)
        for i, v in zip(self.places, values):
            leaves[i] = wrap(_recorder(), v)
        return rebuild(self.spec, leaves)

    def take_types(self, other: Packed) -> bool:
        """Give numbers the element types of what they meet; whether any changed."""
        changed = False
        for i, (v, w) in enumerate(zip(self.values, other.values)):
            wins = i not in other.weak or w.dtype.category > v.dtype.category
            if i in self.weak and wins and v.dtype is not w.dtype and not w.shape:
                self.values[i] = v.cast(w.dtype)
                self.weak.discard(i)
                changed = True
        return changed

    def names(self) -> list[str]:
        """How Python would reach each value: "[0]['h']"."""
        found = list(_paths(self.spec, ""))
        return [found[i] for i in self.places]

    def shown(self) -> str:
        """The tree with types in the places of tensors."""
        leaves = list(self.rest)
        for i, v in zip(self.places, self.values):
            leaves[i] = _Word(_type(v))
        return repr(rebuild(self.spec, leaves))


def _number(x: Any, dtype: Any) -> Value:
    if isinstance(x, Dim):
        return constant(1, (x,), dtype).sum((-1,))
    return constant(x, (), dtype)


def _recorder() -> Any:
    return state.recorder


def _paths(spec: Any, path: str) -> Iterator[str]:
    if spec is None:
        yield path
        return
    fields = getattr(spec.kind, "_fields", None)
    keys = spec.keys if fields is None else fields
    for i, below in enumerate(spec.below):
        key = i if keys is None else keys[i]
        named = fields is not None or not issubclass(spec.kind, (dict, list, tuple))
        yield from _paths(below, f"{path}.{key}" if named else f"{path}[{key!r}]")


def check_alike(a: Packed, b: Packed, one: str, two: str, whole: str) -> None:
    """TypeError that names what differs in structure, shape or element type."""
    if a.spec != b.spec or a.places != b.places:
        raise TypeError(
            f"{whole} must have the same structure, but they differ: {one} is "
            f"{a.shown()}, {two} is {b.shown()}"
        )
    for x, y in zip(a.rest, b.rest):
        if x is not y and (type(x) is not type(y) or x != y):
            raise TypeError(f"{whole} must be the same, but differ: {x!r} and {y!r}")
    for name, v, w in zip(a.names(), a.values, b.values):
        if v.dtype is not w.dtype or not same_shape(v.shape, w.shape):
            raise TypeError(
                f"{whole} must have the same types, but they differ: {one}{name} is "
                f"{_type(v)}, {two}{name} is {_type(w)}{_why(v, w)}"
            )


def _type(v: Value) -> str:
    return f"{v.dtype.name}[{', '.join(map(str, v.shape))}]"


def _why(v: Value, w: Value) -> str:
    shapes = [] if same_shape(v.shape, w.shape) else ["the shapes"]
    dtypes = [] if v.dtype is w.dtype else ["the element types"]
    return f", so {' and '.join(shapes + dtypes)} differ"


class _Word(str):
    __repr__ = str.__str__  # type: ignore[assignment]
