"""Modules that are imported when they are first used, so that importing us is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Callable

__all__ = ["Later", "submodules"]


class Later:
    """Stands for a module of the standard library until something asks it for a name.

    >>> hashlib = Later("hashlib")
    >>> hashlib.sha256(b"").hexdigest()[:8]
    'e3b0c442'
    """

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


def submodules(
    package: str, names: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that imports these submodules late."""
    late = names.split()

    def get(name: str) -> Any:
        if name in late:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *late})

    return get, listed
