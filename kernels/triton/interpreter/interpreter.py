"""Triton kernels on NumPy memory: exact, without a GPU, an environment or PyTorch.

    Interpreted(kernel)[(4,)](x, out, 1000, B0=256)

runs a `@triton.jit` function with the rounding of a GPU (emulator.py), and checks every
address: a load or store outside of the arrays given is an IndexError. Triton itself is
imported at the first launch.
"""

from __future__ import annotations

import inspect
import itertools
import threading
from functools import partial
from importlib import import_module
from typing import Any, Callable, Union

import numpy as np

from ....tracer.errors import DeviceError

__all__ = ["Interpreted", "LOCK"]

# Triton's language is patched while a kernel is interpreted: one at a time.
LOCK = threading.RLock()
Grid = Union[int, tuple[int, ...]]


class Interpreted:
    """A `@triton.jit` function whose launches run on NumPy arrays.

    Pointers are C-contiguous arrays (bool as bytes, `ml_dtypes.bfloat16` as bf16),
    scalars are Python or NumPy numbers; constexprs go by name or by place. Raises
    IndexError where the kernel touches memory outside of its arguments, ValueError for
    an array that is not contiguous, DeviceError where triton is missing.
    """

    def __init__(self, fn: Any):
        self.fn = fn

    def __getitem__(self, grid: Grid) -> Callable[..., None]:
        return partial(self.run, (grid,) if isinstance(grid, int) else tuple(grid))

    def run(self, grid: tuple[int, ...], *args: Any, **constants: Any) -> None:
        """One launch: the programs of the grid, one after the other."""
        emulator = load()
        python = getattr(self.fn, "fn", self.fn)
        given = inspect.signature(python).bind(*args, **constants)
        given.apply_defaults()
        fixed = constexprs(python)
        full = (*grid, 1, 1)[:3]
        with LOCK, np.errstate(all="ignore"), emulator.launch(full) as machine:
            named = {
                name: value if name in fixed else machine.argument(name, value)
                for name, value in given.arguments.items()
            }
            body = emulator.rewritten(self.fn)
            for place in itertools.product(*map(range, full)):
                machine.set_grid_idx(*place)
                body(**named)


def constexprs(python: Callable) -> set[str]:
    """The names of the parameters that are annotated as constants."""
    notes = getattr(python, "__annotations__", {})
    return {name for name, note in notes.items() if "constexpr" in str(note)}


def load() -> Any:
    """The module that knows triton."""
    try:
        return import_module(".emulator", __package__)
    except ImportError as error:
        need = "interpreting GPU kernels needs triton: pip install 'tracefuse[gpu]'"
        raise DeviceError(f"{need} ({error})") from error
