"""`tracefuse.jit` is a module and the decorator in one."""

from __future__ import annotations

import types
from typing import Any, Callable, Optional, ParamSpec, TypeVar, overload

from .decorator import jit
from .jitted import Jitted

__all__ = ["CallableModule"]

P = ParamSpec("P")
R = TypeVar("R")


class CallableModule(types.ModuleType):
    """A module that can be called as `jit` is."""

    @overload
    def __call__(
        self,
        function: Callable[P, R],
        *,
        dynamic_shapes: Optional[dict] = None,
        backend: Optional[str] = None,
        verify: Any = False,
    ) -> Jitted[P, R]: ...

    @overload
    def __call__(
        self,
        function: None = None,
        *,
        dynamic_shapes: Optional[dict] = None,
        backend: Optional[str] = None,
        verify: Any = False,
    ) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`jit(*args, **kwargs)`."""
        return jit(*args, **kwargs)
