"""Small regions: one statement a node, on whole arrays, no loop."""

from __future__ import annotations

from ...tracer.graph import Value
from ...tracer.ops import OPS
from ...tracer.types import HALVES, float32
from ..axes import key
from ..fusion import Region
from .block import dtype_text, shape_text
from .pointwise import UFUNCS, statements
from .program import Program

__all__ = ["straight", "REDUCERS"]

REDUCERS = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}


def straight(p: Program, region: Region) -> None:
    """Write the nodes of a region one after the other."""
    for v in region.nodes:
        p.at(v)
        if OPS[v.op].kind == "reduce":
            reduce_whole(p, v)
        elif not direct(p, v):
            args = [p.operand(a) for a in v.args]
            statements(v, args, p.target(v), p.write)


def direct(p: Program, v: Value) -> bool:
    """A result that a ufunc may allocate itself: cheaper than `empty` and `out`."""
    claim = p.claims.get(v.id)
    if claim is None or v.op not in UFUNCS or not v.shape or claim[0] in p.donated:
        return False
    k, out = claim
    if key(out.shape) != key(v.shape) or k in p.results:
        return False
    if not any(p.is_solid(a) for a in v.args) or not all(map(p.is_plain, v.args)):
        return False
    args = ", ".join(p.operand(a) for a in v.args)
    p.own(v, f"{UFUNCS[v.op]}({args})")
    return True


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
    if v.dtype not in HALVES:
        dtype = dtype_text(v.dtype)
        p.write(f"{name}({source}, {axes}, {dtype}, {p.target(v)})")
        return
    # Half types accumulate in float32 and round once.
    wide, total = p.block.array(x.shape, float32), p.block.array(v.shape, float32)
    p.write(f"copyto({wide}, {source})")
    p.write(f"{name}({wide}, {axes}, float32, {total})")
    p.write(f'copyto({p.target(v)}, {total}, "unsafe")')
