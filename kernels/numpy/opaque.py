"""Nodes that are kernels of their own, and views that are none.

One emitter for each primitive that is not pointwise; it writes the statements that
put node `v` where the program wants it.
"""

from __future__ import annotations

from typing import Callable

from ...tracer.graph import Value
from ...tracer.types import HALVES, float32
from ..axes import is_one, key
from .program import Program
from .spelling import dtype_text, number_text, shape_text, size_text
from .stored import Stored, seen_shape
from .straight import REDUCERS, reduce_whole

__all__ = ["EMITTERS"]


# -- views: nothing moves


def _permute(p: Program, v: Value) -> None:
    axes = tuple(a + len(v.shape) for a in v.attrs["axes"])
    text = p.see(p.array(v.args[0]), f"{{}}.transpose({shape_text(axes)})")
    wide = [a for a, n in zip(axes, v.shape) if not is_one(n)]
    breaks = _breaks(p, v.args[0], v)
    if wide == sorted(wide):
        p.stored[v.id] = Stored(text, v.shape, breaks)
        return
    swapped = wide[-1] != max(wide)
    p.stored[v.id] = Stored(text, v.shape, breaks | _all_broken(v), swapped)


def _all_broken(v: Value) -> frozenset:
    return frozenset(range(1, len(v.shape) + 1))


def _breaks(p: Program, x: Value, v: Value) -> frozenset:
    return frozenset() if p.is_solid(x) else _all_broken(v)


def _slice(p: Program, v: Value) -> None:
    axis, start, length, step = (
        v.attrs[name] for name in ("axis", "start", "length", "step")
    )
    text = p.see(p.array(v.args[0]), f"{{}}[{slice_text(axis, start, length, step)}]")
    at = axis + len(v.shape)
    breaks = {at} if any(not is_one(n) for n in v.shape[:at]) else set()
    breaks |= {at + 1} if not is_one(step) else set()
    p.stored[v.id] = Stored(text, v.shape, frozenset(breaks) | _breaks(p, v.args[0], v))


def slice_text(axis: int, start: object, length: object, step: object) -> str:
    """An index: `length` elements from `start` on along the negative `axis`."""
    stop = start + length * step  # type: ignore[operator]
    if type(stop) is int and type(length) is int:
        if not length:
            stop = start
        last = "" if stop < 0 else str(stop)
    else:
        # A stop below zero would count from the end.
        last = size_text(stop) if step == 1 else f"after({size_text(stop)})"
    by = "" if step == 1 else f":{size_text(step)}"
    return f"..., {size_text(start)}:{last}{by}" + ", :" * (-axis - 1)


def _reshape(p: Program, v: Value) -> None:
    x = v.args[0]
    source, axes = p.plan.views[x.id]
    if key(seen_shape(source, axes)) == key(x.shape):
        p.solid(source)
        text = p.array(x) if p.is_solid(x) else p.firm_array(x)
    else:
        text = p.block.array(x.shape, x.dtype)
        p.write(f"copyto({text}, {p.array(x)})")
    text = p.see(text, f"{{}}.reshape({shape_text(v.shape)})")
    p.stored[v.id] = Stored(text, v.shape)


def _windows(p: Program, v: Value) -> None:
    a = v.attrs
    given = ", ".join(shape_text(a[name]) for name in ("size", "stride", "dilation"))
    text = p.see(p.array(v.args[0]), f"windows({{}}, {given})")
    p.stored[v.id] = Stored(text, v.shape, _all_broken(v))


# -- contract


def _dot(p: Program, v: Value) -> None:
    a, b = (p.array(x) for x in v.args)
    if v.dtype in HALVES:
        _dot_half(p, v, a, b)
        return
    p.write(f"matmul({a}, {b}, {p.target(v)})")


def _dot_half(p: Program, v: Value, a: str, b: str) -> None:
    wide = [p.block.array(x.shape, float32) for x in v.args]
    for copy, x in zip(wide, (a, b)):
        p.write(f"copyto({copy}, {x})")
    total = p.block.array(v.shape, float32)
    p.write(f"matmul({wide[0]}, {wide[1]}, {total})")
    p.write(f'copyto({p.target(v)}, {total}, "unsafe")')


# -- index


def _gather(p: Program, v: Value) -> None:
    x, index = (p.array(a) for a in v.args)
    p.write(f"take_into({x}, {index}, {v.attrs['batch']}, {p.target(v)})")


def _scatter(p: Program, v: Value) -> None:
    x, index, u = p.operand(v.args[0]), p.array(v.args[1]), p.array(v.args[2])
    out = p.target(v)
    p.write(f"copyto({out}, {x})", elementwise=True)
    p.write(
        f"scatter_into({out}, {index}, {u}, {v.attrs['batch']}, {v.attrs['mode']!r})"
    )


# -- movement that writes


def _update_slice(p: Program, v: Value) -> None:
    x, u = v.args
    axis, start, step = (v.attrs[name] for name in ("axis", "start", "step"))
    place = slice_text(axis, start, u.shape[axis], step)
    source, update, out = p.operand(x), p.operand(u), p.target(v)
    p.write(f"copyto({out}, {source})", elementwise=True)
    p.write(f"copyto({out}[{place}], {update})")


def _concat(p: Program, v: Value) -> None:
    arrays = [p.array(a) for a in v.args]
    out, start = p.target(v), 0
    axis = v.attrs["axis"]
    for a, text in zip(v.args, arrays):
        place = slice_text(axis, start, a.shape[axis], 1)
        p.write(f"copy_into({p.see(out, '{}[' + place + ']')}, {text})")
        start = start + a.shape[axis]


def _pad(p: Program, v: Value) -> None:
    pads = "(" + "".join(f"{shape_text(row)}, " for row in v.attrs["pads"]) + ")"
    x = p.array(v.args[0])
    value = number_text(v.attrs["value"])
    p.write(f"pad_into({p.target(v)}, {x}, {pads}, {value})")


def _fold(p: Program, v: Value) -> None:
    a, x = v.attrs, p.array(v.args[0])
    given = f"{shape_text(a['stride'])}, {shape_text(a['dilation'])}"
    p.write(f"fold_into({p.target(v)}, {x}, {given})")


# -- reductions that stay alone


def _reduce_alone(p: Program, v: Value) -> None:
    reduce_whole(p, v)


def _pool(p: Program, v: Value) -> None:
    """Reduce windows by combining shifted slices of what they look at."""
    if v.args[0].op != "windows" or v.dtype in HALVES or v.op in ("argmax", "argmin"):
        reduce_whole(p, v)
        return
    w = v.args[0].attrs
    given = ", ".join(shape_text(w[name]) for name in ("size", "stride", "dilation"))
    x = p.array(v.args[0].args[0])
    p.write(f"pool_into({REDUCERS[v.op]}, {p.target(v)}, {x}, {given})")


# -- scan and sort


def _cumulative(p: Program, v: Value) -> None:
    x, axis = p.array(v.args[0]), v.attrs["axis"]
    name = {"add": "add", "mul": "multiply", "max": "maximum", "min": "minimum"}
    call = f"{name[v.attrs['mode']]}.accumulate"
    if v.dtype not in HALVES:
        p.write(f"{call}({x}, {axis}, {dtype_text(v.dtype)}, {p.target(v)})")
        return
    wide, total = (p.block.array(v.shape, float32) for _ in range(2))
    p.write(f"copyto({wide}, {x})")
    p.write(f"{call}({wide}, {axis}, float32, {total})")
    p.write(f'copyto({p.target(v)}, {total}, "unsafe")')


def _argsort(p: Program, v: Value) -> None:
    x, axis, down = p.array(v.args[0]), v.attrs["axis"], v.attrs["descending"]
    p.write(f"copyto({p.target(v)}, argsort_into_new({x}, {axis}, {down}))")


# -- sources


# Lines up to this length are made once, when the module is loaded.
LINE = 1 << 16


def _iota(p: Program, v: Value) -> None:
    axis, n = v.attrs["axis"], v.shape[v.attrs["axis"]]
    line = f"arange({size_text(n)}, dtype={dtype_text(v.dtype)})"
    if axis != -1:
        line = f"{line}.reshape((-1{', 1' * (-axis - 1)}))"
    if v.id in p.claims:
        p.write(f"copyto({p.target(v)}, {line})")
        return
    text = f"broadcast_to({line}, {shape_text(v.shape)})"
    if all(type(n) is int for n in v.shape) and n <= LINE:
        name = p.table(text)
    else:
        name = p.local_name()
        p.write(f"{name} = {text}")
    p.stored[v.id] = Stored(name, v.shape, _all_broken(v))


def _random_bits(p: Program, v: Value) -> None:
    state, skip = p.array(v.args[0]), v.attrs["skip"]
    made = f"random_words({state}, {shape_text(v.shape)}, {size_text(skip)})"
    p.own(v, made)


EMITTERS: dict[str, Callable[[Program, Value], None]] = {
    "permute": _permute,
    "slice": _slice,
    "reshape": _reshape,
    "windows": _windows,
    "dot": _dot,
    "gather": _gather,
    "scatter": _scatter,
    "update_slice": _update_slice,
    "concat": _concat,
    "pad": _pad,
    "fold": _fold,
    "cumulative": _cumulative,
    "argsort": _argsort,
    "iota": _iota,
    "random_bits": _random_bits,
    "argmax": _reduce_alone,
    "argmin": _reduce_alone,
    **dict.fromkeys(REDUCERS, _pool),
}
