"""Scatter: what several rows of updates for one row of the result become.

set      the last one wins: each row learns which position that is
add      atomic additions to a copy; half types add up in float32, small integers
         in int32
max, min  atomic as well, on integers in the order of the floating-point numbers,
         so that the result does not depend on who comes first; NaN is the end
mul      the updates sorted by row are multiplied up in log2(n) rounds, in their
         order: a loop for each round, no atomics
"""

from __future__ import annotations

import math
from typing import Callable, Optional, Sequence

from ....tracer.algebra import eq, where
from ....tracer.graph import Value, constant, make, node
from ....tracer.types import HALVES, DType, float32, float64, int32, int64, uint64
from ..emit import Axis, Emitter
from ..index import Group, Index, flat, number
from ..loop.blocks import Blocks
from ..loop.tile import Tile
from ..reads import row_of
from ..text import finished
from .launching import Launch, coordinate, program_id, region_of

__all__ = ["multiplied", "of_one_in_a_row", "scatter"]

Stored = Callable[[Value], bool]


def scatter(v: Value, name: str, stored: Stored) -> Optional[list[Launch]]:
    """The launches that compute a scatter; None for `mul`, which has none left."""
    mode = v.attrs["mode"]
    if mode == "set":
        return _set(v, name, stored)
    return None if mode == "mul" else _atomic(v, name, stored)


# -- add, max and min


def _atomic(v: Value, name: str, stored: Stored) -> list[Launch]:
    """Atomic updates of a copy, in a type that has them."""
    x, mode = v.args[0], v.attrs["mode"]
    wide = _atomic_type(v.dtype, mode)
    held = _encoded(x, wide, mode)
    made = [_tile(held, f"{name}_copy", stored)]
    known = _also(stored, held)
    em, axes, blocks = _walk(v.args[2].shape, known)
    index = tuple(number(axes[0].group, k) for k in range(len(v.args[2].shape)))
    place, inside = _target(em, v, index)
    value = em.read(_encoded(v.args[2], wide, mode), index)
    pointer, mask = em.place(em.buffer(held), flat(place, x.shape), [inside])
    value = em.spread(value, em.tile, v)
    em.write(f'tl.atomic_{mode}({pointer}, {value.text}, mask={mask}, sem="relaxed")')
    made.append(_launch(v, name, em, blocks, [held]))
    if wide is v.dtype:
        _renamed(held, v)
        return made
    made.append(_tile(_renamed(_decoded(held, v), v), f"{name}_back", known))
    return made


def _atomic_type(dtype: DType, mode: str) -> DType:
    """In which type updates are atomic."""
    if mode == "add" and dtype.category == 2:
        return float32 if dtype in HALVES else dtype
    if dtype is float64 or dtype.itemsize == 8:
        return dtype if dtype is int64 else int64
    if dtype.category == 1 and dtype.itemsize == 4 and not dtype.is_signed:
        return int64 if mode != "add" else int32
    return int32


def _encoded(x: Value, wide: DType, mode: str) -> Value:
    """`x` as atomic updates know it."""
    if mode != "add" and x.dtype.category == 2:
        x = x.cast(float32) if x.dtype in HALVES else x
        return node("ordered", (x,), {"mode": mode}, x.shape, wide)
    if mode != "add" and x.dtype is uint64:
        return _turned(x, int64)
    return _copy(x) if x.dtype is wide else x.cast(wide)


def _decoded(held: Value, v: Value) -> Value:
    """What was encoded."""
    if v.attrs["mode"] == "add":
        return held.cast(v.dtype)
    if v.dtype.category == 2:
        wide = float32 if v.dtype in HALVES else v.dtype
        back = node("unordered", (held,), {}, held.shape, wide)
        return back.cast(v.dtype) if wide is not v.dtype else back
    return _turned(held, uint64) if v.dtype is uint64 else held.cast(v.dtype)


def _turned(x: Value, to: DType) -> Value:
    """uint64 as int64 in the same order, and back."""
    high = constant(1 << 63 if x.dtype is uint64 else -(1 << 63), x.shape, x.dtype)
    return make("xor", (x, high)).cast(to)


# -- mul


def multiplied(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """A scatter that multiplies, in terms of what there are templates for.

    After the round of step s, an update holds the product of the 2 s updates up to it,
    as far as they are for its row; the last one of a row holds all of them.
    """
    x, rows, u = args
    batch = v.attrs["batch"]
    lead, n, rest = x.shape[:batch], x.shape[batch], x.shape[batch + 1 :]
    count = math.prod(rows.shape[batch:])
    if v.attrs["mode"] != "mul" or not count or 0 in x.shape:
        return None
    rows = node("checked", (rows,), {"size": n}, rows.shape, rows.dtype)
    rows = where(rows < 0, rows + n, rows).reshape((*lead, count))
    wide = float32 if x.dtype in HALVES else x.dtype
    terms = make("reshape", (u,), shape=(*lead, count, *rest)).cast(wide)
    order = make("argsort", (rows,), axis=-1, descending=False)
    keys = node("gather", (rows, order), _trusted(batch), rows.shape, rows.dtype)
    terms = node("gather", (terms, order), _trusted(batch), terms.shape, wide)
    step = 1
    while step < count:
        same = eq(_later(keys, batch, step, -1), keys)
        same = same.reshape((*keys.shape, *(1 for _ in rest))).expand(terms.shape)
        terms = where(same, _later(terms, batch, step, 1) * terms, terms)
        step *= 2
    ones = constant(1, x.shape, wide)
    factor = make("scatter", (ones, keys, terms), batch=batch, mode="set")
    return (x.cast(wide) * factor).cast(v.dtype)


def _trusted(batch: int) -> dict:
    return {"batch": batch, "trusted": True}


def _later(x: Value, at: int, step: int, fill: int) -> Value:
    """`x` moved by `step` along an axis, with `fill` before it."""
    axis, length = at - len(x.shape), x.shape[at] - step
    kept = make("slice", (x,), axis=axis, start=0, length=length, step=1)
    pads = tuple((step if k == at else 0, 0, 0) for k in range(len(x.shape)))
    return make("pad", (kept,), pads=pads, value=fill)


# -- one of a row


_JOINED = {"mul": "mul", "max": "maximum", "min": "minimum", "add": "add"}


def of_one_in_a_row(v: Value, args: Sequence[Value]) -> Optional[Value]:
    """One element of each row is written: a comparison finds it, in any loop."""
    x, rows, u = args
    batch, n = v.attrs["batch"], x.shape[-1]
    if batch != len(x.shape) - 1 or math.prod(rows.shape[batch:]) != 1:
        return None
    lines = (*x.shape[:-1], 1)
    rows = node("checked", (rows,), {"size": n}, rows.shape, rows.dtype)
    row = make("reshape", (rows,), shape=lines)
    row = where(row < 0, row + n, row).expand(x.shape)
    value = make("reshape", (u,), shape=lines).expand(x.shape)
    place = make("iota", (), shape=x.shape, axis=-1, dtype=rows.dtype)
    mode = v.attrs["mode"]
    new = value if mode == "set" else make(_JOINED[mode], (x, value))
    return where(eq(place, row), new, x)


# -- set


def _set(v: Value, name: str, stored: Stored) -> list[Launch]:
    """The last of several wins: each row learns which position that is."""
    x, rows, u = v.args
    batch, k = v.attrs["batch"], len(rows.shape)
    shape = x.shape[: batch + 1]
    none = make("constant", (), value=-1, shape=shape, dtype=int32)
    last = _copy(none)
    made = [_tile(last, f"{name}_none", stored)]
    known = _also(stored, last)
    em, axes, blocks = _walk(rows.shape, known)
    index = tuple(number(axes[0].group, j) for j in range(k))
    place, inside = _target(em, v, index)
    own = em.name(flat(index[batch:], rows.shape[batch:]).text() + " + 0 * i0", em.tile)
    pointer, mask = em.place(em.buffer(last), flat(place[: batch + 1], shape), [inside])
    em.write(f"tl.atomic_max({pointer}, {own.text}, mask={mask})")
    made.append(_launch(v, f"{name}_last", em, blocks, [last]))
    made.append(_tile(_renamed(_picked(v, last), v), name, known))
    return made


def _picked(v: Value, last: Value) -> Value:
    """`u` at the position that wrote a row last, else `x`: a loop like any other."""
    x, rows, u = v.args
    batch = v.attrs["batch"]
    rest = x.shape[batch + 1 :]
    count = math.prod(rows.shape[batch:])
    lines = make("reshape", (u,), shape=(*x.shape[:batch], count, *rest))
    zero = make("constant", (), value=0, shape=last.shape, dtype=int32)
    position = make("maximum", (last, zero))
    found = node("gather", (lines, position), _trusted(batch), x.shape, x.dtype)
    held = make("lt", (last, zero))
    held = held.reshape((*last.shape, *(1 for _ in rest))).expand(x.shape)
    return make("where", (held, x, found))


# -- parts


def _target(em: Emitter, v: Value, index: tuple[Index, ...]) -> tuple:
    """Where in `x` an element of `u` goes, and whether that is inside."""
    x, rows, _ = v.args
    batch, k = v.attrs["batch"], len(rows.shape)
    n = x.shape[batch]
    row = row_of(em, em.read(rows, index[:k]), n)
    inside = em.name(f"({row.text} >= 0) & ({row.text} < {n})", row.walks, "c")
    em.note_bad(v, inside)
    return (*index[:batch], em.as_index(row, n), *index[k:]), inside


def _walk(shape: tuple, stored: Stored) -> tuple:
    """A flat tile over a shape."""
    group = Group("i0", shape)
    blocks = Blocks([group.size], set())
    axes = [Axis(group, "B0", "m0" if blocks.is_ragged(0) else None)]
    em = Emitter(stored, axes)
    coordinate(em, axes, 0, f"{program_id(blocks)} * B0")
    return em, axes, blocks


def _launch(
    v: Value, name: str, em: Emitter, blocks: Blocks, writes: list[Value]
) -> Launch:
    grid = f"cdiv({blocks.groups[0]}, B0)"
    kernel = finished(name, em, region_of(v), grid, blocks.configs(), ("scatter",))
    return Launch(kernel, em, writes)


def _tile(v: Value, name: str, stored: Stored) -> Launch:
    """A kernel that stores `v`, computed or read through."""
    tile = Tile(region_of(v), name, stored)
    return Launch(tile.kernel, tile.em, [v])


def _copy(x: Value) -> Value:
    return node("stop_gradient", (x,), {}, x.shape, x.dtype)


def _also(stored: Stored, v: Value) -> Stored:
    return lambda w: w is v or stored(w)


def _renamed(own: Value, v: Value) -> Value:
    """Let `own` stand for `v`."""
    own.id = v.id
    return own
