"""What no comparison sees change: arrays, iterators, generators of random numbers."""

from __future__ import annotations

import array
import collections
import functools
import sys
import types
from typing import Any, Optional

import numpy as np

__all__ = ["hidden", "hidden_module", "is_standard"]

_MUTABLE = (collections.deque, bytearray, array.array, memoryview)
_NUMPYS = "random load loadtxt genfromtxt fromfile memmap save savez savetxt".split()
_RANDOM = ("_random", "random", "secrets", "uuid")
_ENVIRONMENT = frozenset("environ environb getenv getcwd".split())


def hidden(x: Any) -> Optional[str]:
    """What `x` is, when it may change in ways that no comparison sees."""
    kind = type(x)
    if issubclass(kind, np.generic) and not issubclass(kind, np.void):
        return None
    if hasattr(kind, "__array_interface__") and not hasattr(kind, "_storage"):
        return f"an array of shape {getattr(x, 'shape', '?')}"
    if hasattr(kind, "__next__"):
        return f"an iterator ({kind.__name__})"
    if isinstance(x, _MUTABLE):
        return f"a {kind.__name__}"
    if isinstance(x, functools._lru_cache_wrapper):
        return "the cache of a function (lru_cache)"
    return _hidden_kind(x, kind)


def _hidden_kind(x: Any, kind: type) -> Optional[str]:
    home = kind.__module__
    if not isinstance(home, str):
        return None
    if home.startswith("numpy.random") or home in _RANDOM:
        return f"a source of random numbers ({home}.{kind.__name__})"
    if home == "operator" and kind.__name__ in ("attrgetter", "methodcaller"):
        return f"attributes by names that it was not told ({kind.__name__})"
    if home in ("weakref", "_weakrefset"):
        return "a weak reference"
    if kind.__name__ == "cython_function_or_method":
        return _cython(x)
    return None


def _cython(x: Any) -> Optional[str]:
    # Cython's functions are not heard of when they are called, before Python 3.12.
    home = str(getattr(x, "__module__", None))
    return f"numpy's {x.__name__}" if home.startswith("numpy.random") else None


def hidden_module(x: types.ModuleType, names: set[str]) -> Optional[str]:
    """What code with these names may read through the module, and nobody watches."""
    name = x.__name__
    if name.startswith("numpy.random"):
        return "numpy.random"
    if name == "numpy":
        return next((f"numpy.{n}" for n in _NUMPYS if n in names), None)
    if name == "os" and not _ENVIRONMENT.isdisjoint(names):
        return "the environment (os)"
    return None


def is_standard(module: types.ModuleType) -> bool:
    """Whether a module without a file is one that comes with Python."""
    name = module.__name__.partition(".")[0]
    return name in sys.builtin_module_names or name in sys.stdlib_module_names
