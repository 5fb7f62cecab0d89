"""Backends: what code is generated, and where it runs.

    numpy                NumPy on the CPU (the default)
    triton-interpreter   Triton kernels, run exactly by an interpreter on the CPU

A backend is chosen for a function (`jit(f, backend=...)`) or for the process
(`config.backend`, `TRACEFUSE_BACKEND`). Tensors on a GPU need no choice.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from ..kernels.settings import settings
from ..tracer.later import Later

__all__ = ["BACKENDS", "check_backend", "compile_with", "current", "using"]
__all__ += ["compile_on", "mark_of", "writes_in_place"]

BACKENDS = ("numpy", "triton-interpreter")
ORACLE = "oracle"  # node by node: what others are compared with

# Imported when something is compiled for the first time.
numpy_compiler = Later("..kernels.numpy.sized", __package__)
triton_compiler = Later("..kernels.triton.compile", __package__)
interpreter = Later("..kernels.triton.interpreter.on_cpu", __package__)
gpu_programs = Later("..kernels.gpu.programs", __package__)
oracle = Later(".verify.oracle", __package__)


class _Chosen(threading.local):
    name: Optional[str] = None


class _Process:
    name = os.environ.get("TRACEFUSE_BACKEND") or "numpy"


_chosen = _Chosen()
_machines: dict[tuple, Any] = {}


def check_backend(name: str) -> str:
    """The name. ValueError when there is no such backend."""
    if name not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise ValueError(f"backend {name!r} is not there; there are {known}")
    return name


def current() -> str:
    """The backend for what this thread compiles now."""
    return _chosen.name or _Process.name


def set_process(name: str) -> None:
    """The backend of the process."""
    _Process.name = check_backend(name)


@contextmanager
def using(name: Optional[str]) -> Iterator[None]:
    """Compile with this backend in here (None: whichever it is)."""
    before = _chosen.name
    _chosen.name = name or before
    try:
        yield
    finally:
        _chosen.name = before


def writes_in_place() -> bool:
    """Whether what is compiled now may write over its inputs."""
    return current() == "numpy"


def compile_with(name: str, graph: Any, donated: tuple, inplace: tuple = ()) -> Any:
    """An executable for a simplified graph; `inplace` where that backend can."""
    if name == ORACLE:
        return oracle.Oracle(graph)
    if check_backend(name) == "numpy":
        return numpy_compiler.compile_sized(graph, donated, inplace)
    return triton_compiler.compile(graph, machine(name, settings.precision), donated)


def compile_on(device: Any, graph: Any, donated: tuple) -> Any:
    """An executable for tensors on a GPU."""
    return gpu_programs.program(device, graph, donated)


def mark_of(device: Any) -> Any:
    """What tells apart what is compiled for a GPU."""
    return gpu_programs.machine_of(device)


def machine(name: str, precision: str) -> Any:
    """Where the programs of a backend run."""
    found = _machines.get((name, precision))
    if found is None:
        found = _machines[name, precision] = interpreter.Interpreter(precision)
    return found
