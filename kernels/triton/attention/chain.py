"""What a value is multiplied by on its way, element by element.

Dropout and scaling after a softmax are factors: the same that the gradient is
multiplied by on its way back. A product of weights that are a multiple of a softmax
may be divided by the total at the end.
"""

from __future__ import annotations

from typing import Optional

from ....tracer.graph import Value, reachable

__all__ = ["chain", "vanishes"]


def chain(v: Value, start: Value) -> Optional[list[tuple]]:
    """What `start` is multiplied by on its way to `v`, sorted; None if not only that.

    A cast multiplies by nothing, a `where` that keeps or drops by 1 or 0.
    """
    factors: list = []
    while v is not start:
        if v.op in ("cast", "reshape", "permute", "stop_gradient", "leaf"):
            (v,) = v.args
            continue
        step = _factor(v, start)
        if step is None:
            return None
        v, factor = step
        factors.append(factor)
    return sorted(factors)


def _factor(v: Value, start: Value) -> Optional[tuple]:
    if v.op == "mul":
        a, b = v.args
        if not _within(b, start):
            return a, ("mul", _number(b) or str(b.id))
        return None if _within(a, start) else (b, ("mul", _number(a) or str(a.id)))
    if v.op == "where":
        c, a, b = v.args
        if _within(c, start):
            return None
        if _number(b) == "0.0":
            return a, ("first", str(c.id))
        return (b, ("second", str(c.id))) if _number(a) == "0.0" else None
    return None


def _number(v: Value) -> str:
    return str(v.attrs["value"]) if v.op == "constant" else ""


def _within(v: Value, start: Value) -> bool:
    """Whether `v` is computed from `start`."""
    return any(x is start for x in reachable([v], stop=lambda x: x.id <= start.id))


def vanishes(v: Value, e: Value, known: Optional[dict[int, bool]] = None) -> bool:
    """Whether `v` is 0 wherever `e` is."""
    known = {e.id: True} if known is None else known
    if v.id not in known:
        known[v.id] = _vanishes(v, [vanishes(a, e, known) for a in _flow(v)])
    return known[v.id]


def _flow(v: Value) -> tuple:
    """The arguments whose zeros count."""
    if v.op in ("cast", "neg", "permute", "reshape", "stop_gradient", "abs"):
        return v.args
    if v.op in ("mul", "add", "sub"):
        return v.args
    return {"div": v.args[:1], "where": v.args[1:]}.get(v.op, ())


def _vanishes(v: Value, zeros: list[bool]) -> bool:
    if v.op == "constant":
        return v.attrs["value"] == 0
    return any(zeros) if v.op == "mul" else bool(zeros) and all(zeros)
