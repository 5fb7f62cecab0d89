"""Small regions: one statement a node, on whole arrays, no loop."""

from __future__ import annotations

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, float32
from ..regions import Region
from .narrow import is_narrow
from .pointwise import statements
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
            out = p.target(v)
            statements(v, args, out, v.shape, p.block, may_allocate(p, v))


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
    x = v.args[0]
    if v.op in ("argmax", "argmin"):
        source = p.array(x)
        p.write(f"{v.op}({source}, {v.attrs['axis']}, {p.target(v)})")
        return
    source, axes = p.array(x), shape_text(v.attrs["axes"])
    if len(v.attrs["axes"]) == 1:
        axes = str(v.attrs["axes"][0])
    name = f"{REDUCERS[v.op]}.reduce"
    if v.dtype not in HALVES and axes == "-1" and is_narrow(x.shape, -1):
        kept = shape_text((*v.shape, 1))
        out = p.see(p.target(v), f"{{}}.reshape({kept})")
        p.write(f"reduce_narrow({REDUCERS[v.op]}, {source}, {out})")
        return
    if v.dtype not in HALVES:
        dtype = dtype_text(v.dtype)
        p.write(f"{name}({source}, {axes}, {dtype}, {p.target(v)})")
        return
    # Half types accumulate in float32 and round once.
    wide, total = p.block.array(x.shape, float32), p.block.array(v.shape, float32)
    p.write(f"copyto({wide}, {source})")
    p.write(f"{name}({wide}, {axes}, float32, {total})")
    p.write(f'copyto({p.target(v)}, {total}, "unsafe")')
