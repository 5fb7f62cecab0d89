"""`tracefuse.jit` is a module and the decorator in one."""

from __future__ import annotations

import types
from typing import Any

from .jitted import jit

__all__ = ["CallableModule"]


class CallableModule(types.ModuleType):
    """A module that can be called as `jit` is."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`jit(*args, **kwargs)`."""
        return jit(*args, **kwargs)
