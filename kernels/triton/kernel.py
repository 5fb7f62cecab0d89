"""What a generated kernel is: its text, its parameters, how it may be configured."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

from ...tracer.types import DType

__all__ = ["Config", "Kernel", "Param", "pointer"]

# Triton's names of the element types; bool lies in memory as one byte.
_NAMES = {
    **{"bool": "u8", "f16": "fp16", "bf16": "bf16", "f32": "fp32", "f64": "fp64"},
    **{f"{s}{n}": f"{s}{n}" for s in "iu" for n in (8, 16, 32, 64)},
}


def pointer(dtype: DType) -> str:
    """The signature type of a pointer to such elements: "*fp32"."""
    return "*" + _NAMES[dtype.short]


@dataclass(frozen=True)
class Param:
    """A parameter that is no constexpr.

    `type` is Triton's: "*fp32" for memory, "i32" or "i64" for a size, "fp32", ... for a
    number. `aligned` says that the pointer (or the size) is divisible by 16.
    """

    name: str
    type: str
    aligned: bool = True


@dataclass(frozen=True)
class Config:
    """One choice of block sizes (constexprs by name), warps and pipeline stages.

    It is for NVIDIA's targets from number `needs` on: 90 for "sm_90"; 0 is for all.
    """

    constants: tuple[tuple[str, int], ...] = ()
    warps: int = 4
    stages: int = 3
    needs: int = 0


@dataclass(frozen=True)
class Kernel:
    """A generated kernel.

    `source` is the text of the function, `@triton.jit` included. `grid` holds one to
    three Python expressions over the names of constexprs and sizes, with `cdiv` and
    `SMS`, the number of multiprocessors, in scope. `configs` are the candidates, the
    default first. `ops`, `line`, `bytes` and `flops` tell people what it does.
    """

    name: str
    source: str
    params: tuple[Param, ...]
    grid: tuple[str, ...]
    configs: tuple[Config, ...] = (Config(),)
    ops: tuple[str, ...] = ()
    line: Optional[str] = None
    bytes: int = 0
    flops: int = 0
    tags: frozenset = field(default_factory=frozenset)  # "matmul", "attention", ...

    @property
    def sizes(self) -> frozenset[str]:
        """The parameters that say how many programs there are.

        >>> sorted(Kernel("f", "", (Param("n", "i32"),), ("cdiv(n, 4)",)).sizes)
        ['n']
        """
        words = frozenset(re.findall(r"\w+", " ".join(self.grid)))
        return words & {p.name for p in self.params}

    def choices(self, target: str) -> tuple[Config, ...]:
        """The configurations that a target ("sm_90") has.

        >>> [c.needs for c in Kernel("f", "", (), ()).choices("sm_90")]
        [0]
        """
        number = int(target[3:].rstrip("a")) if target.startswith("sm_") else 0
        return tuple(c for c in self.configs if c.needs <= number)
