"""Modules that are imported when they are first used, so that importing us is quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Later"]


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
