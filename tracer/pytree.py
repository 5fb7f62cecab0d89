"""Nested containers: flattened to their leaves and rebuilt around others.

Containers are tuples, named tuples, lists, dicts and dataclasses (and what `register`
adds); everything else is a leaf. A `Spec` is what is left of a tree without its
leaves: it hashes and compares, so it can be a key.
"""

from __future__ import annotations

import collections
from typing import Any, Callable, Container, Iterable, Iterator, NamedTuple

from .later import Later

__all__ = ["Spec", "flatten", "rebuild", "tree_map", "register", "containers"]
__all__ += ["content"]

dataclasses = Later("dataclasses")


class Spec(NamedTuple):
    """One level of a tree: its type, its keys, and the specs below (None: a leaf)."""

    kind: Any
    keys: Any
    below: tuple

    def __repr__(self) -> str:
        return f"{getattr(self.kind, '__name__', self.kind)}{list(self.below)}"


_registry: dict[type, tuple[Callable, Callable]] = {}


def register(kind: type, flatten: Callable, rebuild: Callable) -> None:
    """Make `kind` a container.

    `flatten(x)` gives (children, keys), `rebuild(keys, children)` the container.
    """
    _registry[kind] = (flatten, rebuild)


register(tuple, lambda x: (x, None), lambda keys, children: tuple(children))
register(list, lambda x: (x, None), lambda keys, children: list(children))
for _dict in (dict, collections.OrderedDict):
    register(
        _dict,
        lambda x: (x.values(), tuple(x)),
        lambda keys, children, kind=_dict: kind(zip(keys, children)),
    )


def _children(x: Any) -> Any:
    """(children, keys) of a container, None of a leaf."""
    kind = type(x)
    if kind in _registry:
        return _registry[kind][0](x)
    if isinstance(x, tuple) and hasattr(kind, "_fields"):
        return x, None
    if hasattr(kind, "__dataclass_fields__") and not isinstance(x, type):
        names = tuple(f.name for f in dataclasses.fields(x))
        return [getattr(x, name) for name in names], names
    return None


def content(x: Any) -> tuple[tuple, Any]:
    """(children, keys) of a container."""
    children, keys = _children(x)
    return tuple(children), keys


def containers(tree: Any) -> Iterator[Any]:
    """The containers of a tree: each before those in it, left to right.

    >>> list(containers([1, (2,)]))
    [[1, (2,)], (2,)]
    """
    found = _children(tree)
    if found is not None:
        yield tree
        for child in found[0]:
            yield from containers(child)


def flatten(tree: Any, whole: Container[int] = ()) -> tuple[list, Any]:
    """The leaves of a tree, left to right, and its Spec.

    Containers whose ids are in `whole` are not opened: they are leaves.

    >>> flatten({"a": 1, "b": (2, [3])})[0]
    [1, 2, 3]
    """
    leaves: list = []
    return leaves, _flatten(tree, leaves, whole)


def _flatten(tree: Any, leaves: list, whole: Container[int]) -> Any:
    found = None if id(tree) in whole else _children(tree)
    if found is None:
        leaves.append(tree)
        return None
    children, keys = found
    return Spec(type(tree), keys, tuple(_flatten(c, leaves, whole) for c in children))


def rebuild(spec: Any, leaves: Iterable) -> Any:
    """The tree of that Spec around other leaves.

    >>> rebuild(flatten({"a": 1, "b": (2, [3])})[1], "xyz")
    {'a': 'x', 'b': ('y', ['z'])}
    """
    return _rebuild(spec, iter(leaves))


def _rebuild(spec: Any, leaves: Iterator) -> Any:
    if spec is None:
        return next(leaves)
    children = [_rebuild(s, leaves) for s in spec.below]
    if spec.kind in _registry:
        return _registry[spec.kind][1](spec.keys, children)
    if hasattr(spec.kind, "_fields"):
        return spec.kind(*children)
    new = object.__new__(spec.kind)
    for name, child in zip(spec.keys, children):
        object.__setattr__(new, name, child)
    return new


def tree_map(function: Callable, *trees: Any) -> Any:
    """`function` applied to corresponding leaves.

    ValueError when the trees differ in structure.
    """
    flat = [flatten(tree) for tree in trees]
    if any(spec != flat[0][1] for _, spec in flat):
        raise ValueError(f"trees differ: {[spec for _, spec in flat]}")
    results = (function(*leaves) for leaves in zip(*(leaves for leaves, _ in flat)))
    return rebuild(flat[0][1], results)
