"""What runs a program: a jitted function whose symbols are those of a signature."""

from __future__ import annotations

from typing import Any

from ...tracer.pytree import flatten
from ...tracer.sizes import Dim
from ..jit.jitted import Jitted
from ..jit.paths.unpack import Kind
from ..tensor import Tensor

__all__ = ["Compiled"]


class Compiled(Jitted):
    """Runs a program; its symbols are those of the arguments."""

    _always = True  # there is no plain Python to run instead

    def __init__(self, program: Any):
        super().__init__(program._run)
        self._name, self._program = program.name, program

    def _shapes(self, args: tuple, kwargs: dict) -> dict:
        leaves, spec = flatten((args, kwargs))
        found: dict = {}
        known: dict[str, int] = {}
        try:
            kinds = self._program.variants_for(leaves, spec)[0].signature.leaves
        except (TypeError, RuntimeError):  # which the run itself is to raise
            return {}
        for x, kind in zip(leaves, kinds):
            if isinstance(x, Tensor) and isinstance(kind, Kind):
                found[id(x)] = (x, _symbols(kind.shape, x._array.shape, known))
        return found


def _symbols(shape: tuple, sizes: tuple, known: dict[str, int]) -> tuple:
    """The sizes of an argument, as the program's symbols where they agree with them."""
    if len(shape) != len(sizes):
        return sizes
    pairs = list(zip(shape, sizes))
    fits = [isinstance(n, Dim) and known.setdefault(n.text, k) == k for n, k in pairs]
    return tuple(n.bind(k) if fit else k for (n, k), fit in zip(pairs, fits))
