"""Primitives with a template of their own: scatter, running sums and their kin.

A template returns launches: (kernel, emitter, values written). None means that there
is none for this case, and the primitive runs on the host.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Sequence

from ...tracer.graph import Value, make, node
from ...tracer.types import HALVES, float32, int32, int64
from ..axes import numbered, squeeze
from ..regions import Region
from .blocks import Blocks
from .emit import Axis, Emitter
from .index import Group, flat, number
from .kernel import Kernel
from .lowering import accumulator, combine, finish, neutral, reduction, scan
from .reads import row_of
from .text import finished
from .tile import Tile

__all__ = ["Launch", "special_kernel"]

Stored = Callable[[Value], bool]


class Launch(NamedTuple):
    """A kernel, the emitter that knows its buffers, and what it writes."""

    kernel: Kernel
    em: Emitter
    writes: list[Value]


def special_kernel(v: Value, name: str, stored: Stored) -> Optional[list[Launch]]:
    """The launches that compute `v`; None where there is no template."""
    template = _TEMPLATES.get(v.op)
    return template(v, name, stored) if template else None


# -- running sums, products, extremes


def _cumulative(v: Value, name: str, stored: Stored) -> list[Launch]:
    """Rows side by side; a long row in blocks, with what went before carried on."""
    at, shape = len(v.shape) + v.attrs["axis"], v.shape
    groups = [
        Group("i0", shape[:at]),
        Group("i1", (shape[at],)),
        Group("i2", shape[at + 1 :]),
    ]
    blocks = Blocks([g.size for g in groups], {1}, nodes=20)
    axes = [
        Axis(g, f"B{k}", f"m{k}" if blocks.is_ragged(k) else None)
        for k, g in enumerate(groups)
    ]
    em = Emitter(stored, axes)
    index = tuple(number(g, k) for g in groups for k in range(len(g.sizes)))
    em.write(f"pid = {_program(blocks)}")
    _coordinate(em, axes, 0, f"pid // tl.cdiv({groups[2].size}, B2) * B0")
    _coordinate(em, axes, 2, f"pid % tl.cdiv({groups[2].size}, B2) * B2")
    if blocks.looped is None:
        _coordinate(em, axes, 1, "")
        _scan_block(v, em, index, axes, None)
    else:
        dull = _dull(v)
        kind = accumulator(v.dtype)
        em.write(f"carry = tl.full([B0, 1, B2], {dull}, {kind})")
        with em.block(f"for j in range(0, {groups[1].size}, B1):"):
            _coordinate(em, axes, 1, "j")
            _scan_block(v, em, index, axes, "carry")
    grid = f"cdiv({groups[0].size}, B0) * cdiv({groups[2].size}, B2)"
    region = _region(v)
    kernel = finished(name, em, region, grid, blocks.configs(), ("scan",))
    return [Launch(kernel, em, [v])]


def _scan_block(
    v: Value, em: Emitter, index: tuple, axes: Sequence[Axis], carry: Optional[str]
) -> None:
    x = em.spread(em.read(v.args[0], index), em.tile, v)
    mask = axes[1].mask
    if mask:
        x = em.name(f"tl.where({mask}, {x.text}, {_dull(v)})", em.tile)
    wide = float32 if v.dtype in HALVES else v.dtype
    plain = node(v.op, v.args, v.attrs, v.shape, wide)  # rounded at the end only
    y = em.name(scan(plain, x.text, 1), em.tile)
    if carry:
        y = em.name(combine(_ALIKE[v.attrs["mode"]], v.dtype, carry, y.text), em.tile)
        total = node(_ALIKE[v.attrs["mode"]], v.args, {"axes": (-1,)}, (), v.dtype)
        last = reduction(total, x.text, 1, "")
        joined = combine(_ALIKE[v.attrs["mode"]], v.dtype, carry, last)
        em.write(f"{carry} = {joined}")
    em.store(v, index, em.name(finish(v, y.text), em.tile))


_ALIKE = {"add": "sum", "mul": "prod", "max": "max", "min": "min"}


def _dull(v: Value) -> str:
    return neutral(_ALIKE[v.attrs["mode"]], v.dtype)


def _program(blocks: Blocks) -> str:
    return "tl.program_id(0)" + (".to(tl.int64)" if blocks.wide else "")


def _coordinate(em: Emitter, axes: Sequence[Axis], k: int, start: str) -> None:
    spot = ", ".join(":" if k == j else "None" for j in range(len(axes)))
    shape = f"[{spot}]" if len(axes) > 1 else ""
    base = f"{start} + " if start else ""
    em.write(f"i{k} = ({base}tl.arange(0, B{k})){shape}")
    if axes[k].mask:
        em.write(f"m{k} = i{k} < {axes[k].group.size}")


def _region(v: Value) -> Region:
    region = Region("loop", [v], squeeze(v.shape), {v.id: numbered(v.shape)})
    region.outputs = [v]
    return region


# -- scatter


def _scatter(v: Value, name: str, stored: Stored) -> Optional[list[Launch]]:
    mode = v.attrs["mode"]
    if mode == "set":
        return _set(v, name, stored)
    if mode == "add" and (v.dtype.category == 2 or v.dtype in (int32, int64)):
        return _add(v, name, stored)
    return None


def _add(v: Value, name: str, stored: Stored) -> list[Launch]:
    """Atomic additions to a copy; half types add up in float32."""
    x, rows, u = v.args
    wide = float32 if v.dtype in HALVES else v.dtype
    sums = x.cast(wide) if wide is not v.dtype else _copy(x)
    made = [_tile(sums, f"{name}_copy", stored)]
    known = _also(stored, sums)
    em, axes, blocks = _walk(u.shape, known)
    index = tuple(number(axes[0].group, k) for k in range(len(u.shape)))
    place, inside = _target(em, v, index)
    value = em.read(u, index)
    pointer, mask = em.place(em.buffer(sums), flat(place, x.shape), [inside])
    em.write(f'tl.atomic_add({pointer}, {value.text}, mask={mask}, sem="relaxed")')
    made.append(_launch(v, name, em, blocks, [sums]))
    if wide is not v.dtype:
        last = _renamed(sums.cast(v.dtype), v)
        made.append(_tile(last, f"{name}_cast", known))
    else:
        _renamed(sums, v)
    return made


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
    count = 1
    for n in rows.shape[batch:]:
        count *= n
    lines = make("reshape", (u,), shape=(*x.shape[:batch], count, *rest))
    zero = make("constant", (), value=0, shape=last.shape, dtype=int32)
    position = make("maximum", (last, zero))
    attrs = {"batch": batch, "trusted": True}
    found = node("gather", (lines, position), attrs, x.shape, x.dtype)
    held = make("lt", (last, zero))
    held = held.reshape((*last.shape, *(1 for _ in rest))).expand(x.shape)
    return make("where", (held, x, found))


def _target(em: Emitter, v: Value, index: tuple) -> tuple:
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
    _coordinate(em, axes, 0, f"{_program(blocks)} * B0")
    return em, axes, blocks


def _launch(
    v: Value, name: str, em: Emitter, blocks: Blocks, writes: list[Value]
) -> Launch:
    grid = f"cdiv({blocks.groups[0]}, B0)"
    kernel = finished(name, em, _region(v), grid, blocks.configs(), ("scatter",))
    return Launch(kernel, em, writes)


def _tile(v: Value, name: str, stored: Stored) -> Launch:
    """A kernel that stores `v`, computed or read through."""
    tile = Tile(_region(v), name, stored)
    return Launch(tile.kernel, tile.em, [v])


def _copy(x: Value) -> Value:
    return node("stop_gradient", (x,), {}, x.shape, x.dtype)


def _also(stored: Stored, v: Value) -> Stored:
    return lambda w: w is v or stored(w)


def _renamed(own: Value, v: Value) -> Value:
    """Let `own` stand for `v`."""
    own.id = v.id
    return own


_TEMPLATES = {"cumulative": _cumulative, "scatter": _scatter}
