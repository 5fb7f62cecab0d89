"""Modules that are imported when they are first used, so that importing us is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Callable

__all__ = ["Later", "late"]


class Later:
    """Stands for a module until something asks it for a name.

    A name with points in front is relative to `package`, as in an import.

    >>> hashlib = Later("hashlib")
    >>> hashlib.sha256(b"").hexdigest()[:8]
    'e3b0c442'
    """

    def __init__(self, name: str, package: str | None = None):
        self._name, self._package = name, package

    def __getattr__(self, attribute: str) -> Any:
        module = self.__dict__.get("_module")
        if module is None:  # asking Python again takes a microsecond
            module = self._module = import_module(self._name, self._package)
        return getattr(module, attribute)


def late(
    package: str, submodules: str, **functions: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that imports some of its names late.

    `functions` says of each the module that defines it: `save="tracefuse.api.files"`.
    """
    known = {name: f"{package}.{name}" for name in submodules.split()}

    def get(name: str) -> Any:
        if name in known:
            return import_module(known[name])
        if name == "__all__":  # `import *` asks for it, and gets the late ones, too
            return [public for public in listed() if public[0] != "_"]
        if name not in functions:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(functions[name]), name)

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *known, *functions})

    return get, listed
