"""What type checkers are told of the methods that other files give to Tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator

from ..tracer.algebra import Algebra

__all__ = ["Declared"]

if TYPE_CHECKING:

    class Declared(Algebra):
        """Any name is a method; the ones behind Python's syntax need a line each."""

        __getitem__: Callable[..., Any]
        __setitem__: Callable[..., None]
        __iter__: Callable[..., Iterator[Any]]
        __len__: Callable[..., int]
        __contains__: Callable[..., bool]
        __int__: Callable[..., int]
        __float__: Callable[..., float]
        __index__: Callable[..., int]
        __abs__: Callable[..., Any]
        __invert__: Callable[..., Any]
        __pos__: Callable[..., Any]
        __matmul__: Callable[..., Any]
        __rmatmul__: Callable[..., Any]
        __array__: Callable[..., Any]

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        def __eq__(self, other: Any) -> Any: ...
        def __ne__(self, other: Any) -> Any: ...
        def __hash__(self) -> int: ...

else:
    Declared = Algebra
