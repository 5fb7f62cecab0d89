"""Forward mode: reverse mode, applied twice.

The vector-Jacobian product is linear in its cotangents, so its own transpose is the
Jacobian-vector product. The cotangents of the first pass appear in it nowhere: what
only they needed is dead, and nothing of it is computed.
"""

from __future__ import annotations

from typing import Optional, Sequence

from ..tracer.graph import Value, placeholder, replace
from .adjoints import zeros
from .forward import by_parts, loops_between
from .inside import Engine
from .vjp import between, vjp

__all__ = ["jvp"]

Tangent = Optional[Value]


def jvp(
    outputs: Sequence[Value], wrt: Sequence[Value], tangents: Sequence[Tangent]
) -> list[Tangent]:
    """The Jacobian-vector products: one tangent for each of the outputs.

    A tangent has the shape and element type of its variable in `wrt`; None stands for
    zero, among the results as well. Raises ShapeError or DTypeError where one does
    not fit.
    """
    loops = loops_between(between(wrt, outputs))
    if loops:
        return by_parts(jvp, Engine(vjp, between), loops, outputs, wrt, tangents)
    roots = [y for y in outputs if y.dtype.is_floating_point]
    free = [placeholder("u", y.shape, y.dtype) for y in roots]
    pulled = vjp(roots, free, wrt)
    pairs = [(g, t) for g, t in zip(pulled, tangents) if g is not None]
    found = vjp([g for g, _ in pairs], [t for _, t in pairs], free)
    by_root = dict(zip([y.id for y in roots], _without(free, found)))
    return [by_root.get(y.id) for y in outputs]


def _without(free: list[Value], found: list[Tangent]) -> list[Tangent]:
    """The results at zero for `free`, in case a rule left a trace of it."""
    known = {u.id: zeros(u) for u in free}
    new = iter(replace([t for t in found if t is not None], known))
    return [None if t is None else next(new) for t in found]
