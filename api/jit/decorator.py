"""`jit`: the decorator."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, ParamSpec, TypeVar, overload

from ...tracer.later import Later
from ..backends import check_backend
from .jitted import Jitted

__all__ = ["jit"]

P = ParamSpec("P")
R = TypeVar("R")

# Imported when somebody asks for it.
verified = Later("..verify.verified", __package__)


@overload
def jit(
    function: Callable[P, R],
    *,
    dynamic_shapes: Optional[dict] = None,
    backend: Optional[str] = None,
    verify: Any = False,
) -> Jitted[P, R]: ...


@overload
def jit(
    function: None = None,
    *,
    dynamic_shapes: Optional[dict] = None,
    backend: Optional[str] = None,
    verify: Any = False,
) -> Callable[[Callable[P, R]], Jitted[P, R]]: ...


def jit(
    function: Optional[Callable] = None,
    *,
    dynamic_shapes: Optional[dict] = None,
    backend: Optional[str] = None,
    verify: Any = False,
) -> Any:
    """Compile a function (a method, a module, any callable) by recording it.

    The first call runs the Python and records what it does; later calls replay the
    compiled program as long as everything that the recording read is unchanged, and
    record again otherwise. Writes, random draws, `backward()` and optimizer steps are
    part of the program.

    `dynamic_shapes` marks sizes that vary: {"x": {0: Dim("batch")}}, by the name of
    the argument and the axis. `backend` says what code is generated: "numpy", or
    "triton-interpreter" for GPU kernels that run, exactly, on the CPU; without it
    `config.backend` does. ValueError for another one.

    `verify=True` runs the plain function beside the compiled one at every call, on the
    same state and random numbers, and raises VerifyError where they differ, naming the
    operation and the line; "float64" compares both with a float64 reference as well.

    >>> import tracefuse
    >>> @tracefuse.jit
    ... def f(x):
    ...     return (x * x).sum()
    >>> f(tracefuse.ones(3))
    tensor(3.)
    """
    if backend is not None:
        check_backend(backend)
    if function is None:
        options = dict(dynamic_shapes=dynamic_shapes, backend=backend, verify=verify)
        return functools.partial(jit, **options)
    if not callable(function):
        raise TypeError(f"jit takes a function, not a {type(function).__name__}")
    if verify:
        return verified.verified(function, dynamic_shapes, backend, verify)
    return Jitted(function, dynamic_shapes, backend)
