"""Tensors that one place holds together: `self.state = (h, c)`, `cache["kv"] = [k, v]`.

A bundle is a tuple, list or dict of tensors, of None, or of such. A step into one is
(type, keys or length, key): what it must be, and which item is meant.
"""

from __future__ import annotations

from typing import Any, Iterator

__all__ = ["alike", "bundled", "inside", "is_bundle", "stepped"]

_DEEPEST = 8  # containers within each other: one may be in itself


def is_bundle(x: Any) -> bool:
    """Whether it is a container of tensors, all of which can be named.

    >>> is_bundle((None, [None])), is_bundle((None, 1)), is_bundle(())
    (False, False, False)
    """
    if not _is_container(x):
        return False
    leaves = [leaf for _, leaf in bundled(x)]
    plain = (leaf is None or _is_tensor(leaf) for leaf in leaves)
    return all(plain) and any(leaf is not None for leaf in leaves)


def bundled(x: Any, below: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """(steps to it, leaf) for all that is in it."""
    if not _is_container(x) or len(below) == _DEEPEST:
        yield below, x
        return
    for step, item in _items(x):
        yield from bundled(item, (*below, step))


def inside(x: Any, depth: int = 0) -> Iterator[Any]:
    """The containers of a bundle, each after those in it."""
    if _is_container(x) and depth < _DEEPEST:
        for _, item in _items(x):
            yield from inside(item, depth + 1)
        yield x


def alike(a: Any, b: Any) -> bool:
    """Whether both are bundles, of the same structure."""
    return (
        is_bundle(a)
        and is_bundle(b)
        and [steps for steps, _ in bundled(a)] == [steps for steps, _ in bundled(b)]
    )


def stepped(x: Any, steps: tuple) -> Any:
    """What lies there. LookupError if that is not the structure."""
    for kind, keys, key in steps:
        if type(x) is not kind or (tuple(x) if kind is dict else len(x)) != keys:
            raise LookupError(f"{keys} of a {kind.__name__}")
        x = x[key]
    return x


def _items(x: Any) -> Iterator[tuple[tuple, Any]]:
    if isinstance(x, dict):
        keys = tuple(x)
        yield from (((dict, keys, key), x[key]) for key in keys)
    else:
        yield from (((type(x), len(x), i), item) for i, item in enumerate(x))


def _is_container(x: Any) -> bool:
    kind = type(x)
    if kind is dict:
        return bool(x) and all(type(key) in (str, int) for key in x)
    named = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return (kind is tuple or kind is list or named) and len(x) > 0


def _is_tensor(x: Any) -> bool:
    return hasattr(type(x), "_storage") and not vars(x)
