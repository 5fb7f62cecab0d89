"""Small regions: one statement a node, on whole arrays, no loop."""

from __future__ import annotations

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, float32
from ..regions import ARG, Region
from .narrow import is_narrow
from .pointwise import UFUNCS, statements
from .program import Program
from .spelling import dtype_text, shape_text

__all__ = ["straight", "REDUCERS"]

REDUCERS = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}


def straight(p: Program, region: Region) -> None:
    """Write the nodes of a region one after the other."""
    for v in region.nodes:
        p.at(v)
        if OPS[v.op].kind == "reduce":
            reduce_whole(p, v)
        else:
            args = [p.operand(a) for a in v.args]
            p.floors.read(v, p.block.lines)
            out = p.target(v)
            statements(v, args, out, v.shape, p.block, may_allocate(p, v))
        if v.op not in UFUNCS:
            p.floors.read(v, p.block.lines)


def may_allocate(p: Program, v: Value) -> bool:
    """Whether a ufunc that is given no `out` makes the right array by itself.

    That is cheaper than `empty` and `out`; but operands of other strides would give a
    result of other strides, and operands without axes a scalar.
    """
    if not v.shape or not all(map(p.is_plain, v.args)):
        return False
    rank = len(v.shape)  # a source of lower rank lacks leading axes of size 1
    sources = ((a, p.plan.views[a.id].source) for a in v.args)
    return any(p.is_solid(a) and len(s.shape) == rank for a, s in sources)


def reduce_whole(p: Program, v: Value) -> None:
    """A reduction of a whole array in one call."""
    x = p.array(v.args[0])
    if v.op in ARG:
        p.write(f"{v.op}({x}, {v.attrs['axis']}, {p.target(v)})")
    elif v.dtype in HALVES:
        reduce_half(p, v, x)
    elif v.attrs["axes"] == (-1,) and is_narrow(v.args[0].shape, -1):
        kept = f"{{}}.reshape({shape_text((*v.shape, 1))})"
        out = p.see(p.target(v), kept)
        p.write(f"reduce_narrow({REDUCERS[v.op]}, {x}, {out})")
    else:
        given = f"{x}, {axes_text(v)}, {dtype_text(v.dtype)}, {p.target(v)}"
        p.write(f"{REDUCERS[v.op]}.reduce({given})")


def reduce_half(p: Program, v: Value, x: str) -> None:
    """Half types accumulate in float32 and round once."""
    wide = p.block.array(v.args[0].shape, float32)
    total = p.block.array(v.shape, float32)
    p.write(f"copyto({wide}, {x})")
    p.write(f"{REDUCERS[v.op]}.reduce({wide}, {axes_text(v)}, float32, {total})")
    p.write(f'copyto({p.target(v)}, {total}, "unsafe")')


def axes_text(v: Value) -> str:
    """The axes of a reduction: a number where it is one."""
    axes = v.attrs["axes"]
    return str(axes[0]) if len(axes) == 1 else shape_text(axes)
