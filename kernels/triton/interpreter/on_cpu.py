"""The machine that runs Triton kernels in the interpreter, on NumPy arrays."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from ....tracer.graph import Value
from ....tracer.ops import OPS
from ....tracer.types import DTYPES
from ..kernel import Kernel
from ..native.build import function_of
from .interpreter import Interpreted

__all__ = ["Interpreter", "grid_of"]


SMS = 4  # programs that stay, where they make one tile after the other


class Interpreter:
    """Every kernel runs exactly, one program after another; accesses are checked."""

    name = "triton-interpreter"

    def __init__(self, precision: str = "ieee"):
        self.precision = precision
        self.programs: dict = {}

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """The interpreter takes them as they are."""

    def launcher(self, kernel: Kernel) -> Callable[..., None]:
        """What runs a kernel in the interpreter."""
        config = kernel.configs[0]
        run = Interpreted(function_of(kernel))[grid_of(kernel, config)]
        constants = dict(config.constants)

        def launch(*arrays: np.ndarray) -> None:
            run(*arrays, **constants)

        return launch

    def empty(self, shape: tuple, dtype: str) -> np.ndarray:
        """A fresh array."""
        return np.empty(shape, DTYPES[dtype].np)

    def solid(self, array: np.ndarray) -> np.ndarray:
        """The array, contiguous."""
        return np.ascontiguousarray(array).reshape(array.shape)

    def host(self, v: Value) -> Callable[..., None]:
        """What runs a primitive by its meaning."""
        meaning, attrs = OPS[v.op].meaning, v.attrs

        def run(*arrays: np.ndarray) -> None:
            out = arrays[-1]
            out[...] = meaning(*arrays[:-1], **attrs).reshape(out.shape)

        return run

    def read(self, array: np.ndarray) -> np.ndarray:
        """The array in host memory."""
        return array

    def copy(self, out: np.ndarray, array: np.ndarray) -> None:
        """Write one array to another of its shape."""
        np.copyto(out, array)

    def flag(self) -> np.ndarray:
        """A fresh int32 that is 0."""
        return np.zeros(1, np.int32)

    def check(self, flag: np.ndarray) -> None:
        """IndexError if the flag was set."""
        if flag[0]:
            raise IndexError("an index is out of bounds")


def grid_of(kernel: Kernel, config: Any) -> tuple[int, ...]:
    """How many programs a configuration takes."""
    scope = {"cdiv": lambda a, b: -(-a // b), "SMS": SMS, **dict(config.constants)}
    return tuple(eval(text, {}, scope) for text in kernel.grid)
