"""The shape rules: one per kind, and what each kind demands of its arguments.

A rule takes the argument Values and the attributes and returns (shape, dtype). It
raises ShapeError or DTypeError with what was given and what was expected.
"""

from __future__ import annotations

from .control import call_sizes, renamed, result
from .errors import DTypeError, ShapeError
from .meaning import window_counts
from .ops import OPS
from .sizes import numel, same_size
from .types import bool_, int64, uint32

__all__ = ["call_sizes", "infer", "renamed"]


def infer(op: str, args: tuple, attrs: dict) -> tuple:
    """Shape and dtype of a node; raises when the arguments do not fit."""
    return _RULES[op](op, args, attrs)


def _pointwise(op: str, args: tuple, attrs: dict) -> tuple:
    first = args[0]
    if len(args) == 2:
        _alike(op, first, args[1])
    return first.shape, first.dtype


def _alike(op: str, a, b) -> None:
    if a.shape is not b.shape and a.shape != b.shape:
        raise ShapeError(f"{op}: shapes {list(a.shape)} and {list(b.shape)} differ")
    if a.dtype is not b.dtype:
        raise DTypeError(f"{op}: element types {a.dtype} and {b.dtype} differ")


def _compare(op: str, args: tuple, attrs: dict) -> tuple:
    _alike(op, *args)
    return args[0].shape, bool_


def _where(op: str, args: tuple, attrs: dict) -> tuple:
    condition, a, b = args
    if condition.dtype is not bool_:
        raise DTypeError(f"where: the condition must be bool, not {condition.dtype}")
    _alike(op, a, b)
    if condition.shape != a.shape:
        raise ShapeError(
            f"where: condition {list(condition.shape)}, values {list(a.shape)}"
        )
    return a.shape, a.dtype


def _cast(op: str, args: tuple, attrs: dict) -> tuple:
    return args[0].shape, attrs["dtype"]


def _reduce(op: str, args: tuple, attrs: dict) -> tuple:
    (x,) = args
    rank = len(x.shape)
    drop = {rank + axis for axis in attrs["axes"]}
    if any([not 0 <= axis < rank for axis in drop]):
        raise ShapeError(f"{op}: no axes {attrs['axes']} in shape {list(x.shape)}")
    return tuple([n for i, n in enumerate(x.shape) if i not in drop]), x.dtype


def _arg_reduce(op: str, args: tuple, attrs: dict) -> tuple:
    shape, _ = _reduce(op, args, {"axes": (attrs["axis"],)})
    return shape, int64


def _expand(op: str, args: tuple, attrs: dict) -> tuple:
    (x,), shape = args, attrs["shape"]
    lead = len(shape) - len(x.shape)
    tail = shape[lead:]
    if lead < 0 or any(map(_does_not_stretch, x.shape, tail)):
        raise ShapeError(f"expand: {list(x.shape)} does not stretch to {list(shape)}")
    return shape, x.dtype


def _does_not_stretch(a, b) -> bool:
    return a is not b and not same_size(a, b) and a != 1 and a != b


def _reshape(op: str, args: tuple, attrs: dict) -> tuple:
    (x,), shape = args, attrs["shape"]
    if numel(x.shape) != numel(shape):
        raise ShapeError(f"shape {list(shape)} is invalid for input {list(x.shape)}")
    return shape, x.dtype


def _permute(op: str, args: tuple, attrs: dict) -> tuple:
    (x,), axes = args, attrs["axes"]
    if sorted(axes) != [*range(-len(x.shape), 0)]:
        raise ShapeError(f"permute: {axes} does not order {list(x.shape)}")
    return tuple([x.shape[axis] for axis in axes]), x.dtype


def _slice(op: str, args: tuple, attrs: dict) -> tuple:
    shape = list(args[0].shape)
    shape[attrs["axis"]] = attrs["length"]
    return tuple(shape), args[0].dtype


def _pad(op: str, args: tuple, attrs: dict) -> tuple:
    sizes = zip(args[0].shape, attrs["pads"])
    shape = (n + low + high + _gaps(n) * mid for n, (low, high, mid) in sizes)
    return tuple(shape), args[0].dtype


def _gaps(n):
    return max(n - 1, 0) if type(n) is int else n - 1


def _concat(op: str, args: tuple, attrs: dict) -> tuple:
    first, axis = args[0], attrs["axis"]
    shape = list(first.shape)
    for other in args[1:]:
        _alike(op, *(_without(v, axis) for v in (first, other)))
        shape[axis] = shape[axis] + other.shape[axis]
    return tuple(shape), first.dtype


class _without:
    """A value seen without one of its axes (to compare the others)."""

    def __init__(self, v, axis: int):
        at = len(v.shape) + axis
        self.shape, self.dtype = v.shape[:at] + v.shape[at + 1 :], v.dtype


def _update_slice(op: str, args: tuple, attrs: dict) -> tuple:
    x, u = args
    _alike(op, *(_without(v, attrs["axis"]) for v in args))
    return x.shape, x.dtype


def _windows(op: str, args: tuple, attrs: dict) -> tuple:
    (x,), size = args, attrs["size"]
    lead = len(x.shape) - len(size)
    counts = window_counts(x.shape[lead:], size, attrs["stride"], attrs["dilation"])
    if any(n < 1 for n in counts):
        raise ShapeError(f"a window of {list(size)} does not fit in {list(x.shape)}")
    return x.shape[:lead] + counts + tuple(size), x.dtype


def _fold(op: str, args: tuple, attrs: dict) -> tuple:
    (x,), k = args, len(attrs["shape"])
    return x.shape[: len(x.shape) - 2 * k] + tuple(attrs["shape"]), x.dtype


def _dot(op: str, args: tuple, attrs: dict) -> tuple:
    a, b = args
    if a.dtype is not b.dtype:
        raise DTypeError(f"dot: element types {a.dtype} and {b.dtype} differ")
    if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        raise ShapeError(
            f"shapes {list(a.shape)} and {list(b.shape)} cannot be multiplied"
        )
    return a.shape[:-1] + b.shape[-1:], a.dtype


def _gather(op: str, args: tuple, attrs: dict) -> tuple:
    x, index = args
    batch = attrs["batch"]
    if index.dtype.category != 1 or index.shape[:batch] != x.shape[:batch]:
        raise ShapeError(f"gather: {index!r} does not index {x!r} (batch {batch})")
    return index.shape + x.shape[batch + 1 :], x.dtype


def _scatter(op: str, args: tuple, attrs: dict) -> tuple:
    x, index, u = args
    shape, dtype = _gather(op, (x, index), attrs)
    if u.shape != shape or u.dtype is not dtype:
        raise ShapeError(f"scatter: {u!r} given, {dtype} {list(shape)} expected")
    return x.shape, x.dtype


def _same(op: str, args: tuple, attrs: dict) -> tuple:
    return args[0].shape, args[0].dtype


def _argsort(op: str, args: tuple, attrs: dict) -> tuple:
    return args[0].shape, int64


def _source(op: str, args: tuple, attrs: dict) -> tuple:
    return attrs["shape"], attrs.get("dtype", uint32)


def _item(op: str, args: tuple, attrs: dict) -> tuple:
    return result(args[0], attrs["index"])


def _call(op: str, args: tuple, attrs: dict) -> tuple:
    return (), None


_KINDS = {
    "pointwise": _pointwise,
    "compare": _compare,
    "reduce": _reduce,
    "source": _source,
    "scan": _same,
}
_RULES = {
    "where": _where,
    "cast": _cast,
    "argmax": _arg_reduce,
    "argmin": _arg_reduce,
    "expand": _expand,
    "reshape": _reshape,
    "permute": _permute,
    "slice": _slice,
    "pad": _pad,
    "concat": _concat,
    "update_slice": _update_slice,
    "windows": _windows,
    "fold": _fold,
    "dot": _dot,
    "gather": _gather,
    "scatter": _scatter,
    "argsort": _argsort,
    **dict.fromkeys(("call", "cond", "while", "scan"), _call),
    "item": _item,
}
for _op in OPS.values():
    _RULES.setdefault(_op.name, _KINDS.get(_op.kind, _same))
