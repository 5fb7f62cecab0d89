"""How a value is read that no kernel has to compute: movement is arithmetic on indices.

One row per primitive that moves, cuts, joins or makes up elements: a function
`(emitter, value, index) -> register`. The arguments are read in turn, at the index that
the movement says, under the condition that there is something to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Sequence

from ...tracer.graph import Value
from ...tracer.types import HALVES, bool_, int32
from .index import Index, flat, number, split
from .lowering import cast, literal, memory_type

if TYPE_CHECKING:
    from .emit import Emitter, Reg

__all__ = ["READS"]

Row = Callable[["Emitter", Value, tuple], "Reg"]


def _through(em: Emitter, v: Value, index: tuple) -> Reg:
    return em.read(v.args[0], index)


def _expand(em: Emitter, v: Value, index: tuple) -> Reg:
    (x,) = v.args
    tail = index[len(index) - len(x.shape) :]
    return em.read(x, tuple(Index() if n == 1 else i for i, n in zip(tail, x.shape)))


def _reshape(em: Emitter, v: Value, index: tuple) -> Reg:
    (x,) = v.args
    return em.read(x, split(flat(index, v.shape), x.shape))


def _permute(em: Emitter, v: Value, index: tuple) -> Reg:
    where = {axis % len(index): i for axis, i in zip(v.attrs["axes"], index)}
    return em.read(v.args[0], tuple(where[axis] for axis in range(len(index))))


def _slice(em: Emitter, v: Value, index: tuple) -> Reg:
    at = len(index) + v.attrs["axis"]
    moved = index[at] * v.attrs["step"] + v.attrs["start"]
    return em.read(v.args[0], (*index[:at], moved, *index[at + 1 :]))


def _windows(em: Emitter, v: Value, index: tuple) -> Reg:
    k = len(v.attrs["size"])
    lead, place, offset = index[: -2 * k], index[-2 * k : -k], index[-k:]
    steps = zip(place, offset, v.attrs["stride"], v.attrs["dilation"])
    return em.read(v.args[0], (*lead, *(p * s + o * d for p, o, s, d in steps)))


def _pad(em: Emitter, v: Value, index: tuple) -> Reg:
    (x,) = v.args
    inside: list[Reg] = []
    where = []
    for i, n, (low, _, gap) in zip(index, x.shape, v.attrs["pads"]):
        tests = within(em, i + -low, 0, max(n - 1, 0) * (gap + 1) + 1 if n else 0)
        i = i + -low
        if gap:
            i, rest = i.divided(gap + 1)
            tests += equal(em, rest, 0)
        where.append(pinned(em, i, n) if tests else i)
        inside += tests
    return chosen(em, inside, x, tuple(where), literal(v.attrs["value"], v.dtype), v)


def _concat(em: Emitter, v: Value, index: tuple) -> Reg:
    at = len(index) + v.attrs["axis"]
    start, found = 0, None
    for x in v.args:
        n = x.shape[at]
        inside = within(em, index[at], start, start + n)
        i = index[at] + -start
        moved = (*index[:at], pinned(em, i, n) if inside else i, *index[at + 1 :])
        other = literal(0, v.dtype) if found is None else found.text
        walks: frozenset = frozenset() if found is None else found.walks
        found = chosen(em, inside, x, moved, other, v, walks)
        start += n
    assert found is not None
    return found


def _update_slice(em: Emitter, v: Value, index: tuple) -> Reg:
    x, u = v.args
    at, step = len(index) + v.attrs["axis"], v.attrs["step"]
    i = index[at] + -v.attrs["start"]
    if step < 0:
        i, step = i * -1, -step
    inside = within(em, i, 0, (u.shape[at] - 1) * step + 1 if u.shape[at] else 0)
    if step > 1:
        i, rest = i.divided(step)
        inside += equal(em, rest, 0)
    old = em.read(x, index)
    i = pinned(em, i, u.shape[at]) if inside else i
    moved = (*index[:at], i, *index[at + 1 :])
    return chosen(em, inside, u, moved, old.text, v, old.walks)


def _iota(em: Emitter, v: Value, index: tuple) -> Reg:
    i = index[len(index) + v.attrs["axis"]]
    if not i.terms:
        return em.name(literal(i.constant, v.dtype))
    text = f"({i.text()})"
    if v.dtype in HALVES or v.dtype is bool_:
        return em.name(cast(text, int32, v.dtype), i.groups())
    return em.name(f"{text}.to({memory_type(v.dtype)})", i.groups())


def _gather(em: Emitter, v: Value, index: tuple) -> Reg:
    x, rows = v.args
    batch, k = v.attrs["batch"], len(rows.shape)
    n = x.shape[batch]
    if v.attrs.get("trusted") or is_place(rows, n):
        row = em.read(rows, index[:k])
        return em.read(x, (*index[:batch], em.as_index(row, n), *index[k:]))
    row = row_of(em, em.read(rows, index[:k]), n)
    inside = [em.name(f"({row.text} >= 0) & ({row.text} < {n})", row.walks, "c")]
    em.note_bad(v, inside[0])
    place = (*index[:batch], em.as_index(row, n), *index[k:])
    with em.only(inside):
        return em.read(x, place)


def is_place(rows: Value, n: int) -> bool:
    """Whether row numbers are places that something was found at: all are inside."""
    while rows.op in ("reshape", "permute", "expand", "slice"):
        rows = rows.args[0]
    places = rows.op in ("argmax", "argmin", "argsort")
    return places and rows.args[0].shape[rows.attrs["axis"]] <= n


def _checked(em: Emitter, v: Value, index: tuple) -> Reg:
    """Row numbers, each noted if it is none: the rows are `size`."""
    number, n = em.read(v.args[0], index), v.attrs["size"]
    test = f"({number.text} >= {-n}) & ({number.text} < {n})"
    em.note_bad(v, em.name(test, number.walks, "c"))
    return number


def _ordered(em: Emitter, v: Value, index: tuple) -> Reg:
    """A floating-point number as an integer in the same order; NaN is at one end."""
    x = em.read(v.args[0], index)
    most = "True" if v.attrs["mode"] == "max" else "False"
    return em.name(f"lib.ordered({x.text}, {most})", x.walks)


def _unordered(em: Emitter, v: Value, index: tuple) -> Reg:
    """The floating-point number again."""
    x = em.read(v.args[0], index)
    return em.name(f"lib.unordered({x.text})", x.walks)


def row_of(em: Emitter, number: Reg, n: int) -> Reg:
    """The row that a number names: -1 is the last."""
    text = f"tl.where({number.text} < 0, {number.text} + {n}, {number.text})"
    return em.name(text, number.walks, "r")


def _random_bits(em: Emitter, v: Value, index: tuple) -> Reg:
    (state,) = v.args
    with em.always():
        seed, offset = (em.read(state, (number(k),)) for k in (0, 1))
    i = flat(index, v.shape)
    em.at(v)
    place = f"{offset.text} + {v.attrs['skip']}"
    block = em.fourth(i)
    if block is not None:
        text = f"lib.random_words({seed.text}, {place}, {block}, {em.shape(em.tile)})"
        return em.name(text, em.tile)
    return em.name(f"lib.random_word({seed.text}, {place}, {i.text()})", i.groups())


def _folded(em: Emitter, v: Value, index: tuple) -> Reg:
    """The terms of a fold: what each window offset adds to each place."""
    (x,) = v.args
    k = len(v.attrs["size"])
    lead, place, offset = index[: -2 * k], index[-2 * k : -k], index[-k:]
    counts = x.shape[-2 * k : -k]
    inside: list[Reg] = []
    where = []
    begin = v.attrs.get("begin", (0,) * k)
    steps = zip(place, offset, counts, v.attrs["stride"], v.attrs["dilation"], begin)
    for p, o, n, s, d, first in steps:
        i = p + first + o * -d
        tests = within(em, i, 0, (n - 1) * s + 1)
        if s > 1:
            i, rest = i.divided(s)
            tests += equal(em, rest, 0)
        where.append(pinned(em, i, n) if tests else i)
        inside += tests
    zero = literal(0, v.dtype)
    return chosen(em, inside, x, (*lead, *where, *offset), zero, v)


# -- parts


def within(em: Emitter, i: Index, low: int, high: int) -> list:
    """The conditions under which `low <= i < high`: none where that is certain."""
    tests = []
    if i.least < low:
        tests.append(f"({i.text()} >= {low})")
    if i.bound > high:
        tests.append(f"({i.text()} < {high})")
    return [em.name(" & ".join(tests), i.groups(), "c")] if tests else []


def pinned(em: Emitter, i: Index, n: int) -> Index:
    """An index that a condition keeps in range: from here on it is known to be."""
    if not i.terms or i.least >= 0 and i.bound <= n:
        return i
    return em.as_index(em.name(i.text(), i.groups(), "q"), n)


def equal(em: Emitter, i: Index, to: int) -> list:
    """The condition that `i` is `to`."""
    return [em.name(f"({i.text()}) == {to}", i.groups(), "c")]


def chosen(
    em: Emitter,
    inside: Sequence[Reg],
    x: Value,
    index: tuple,
    other: str,
    v: Value,
    walks: frozenset = frozenset(),
) -> Reg:
    """`x` at `index` where all of `inside` holds, `other` elsewhere."""
    with em.only(inside):
        found = em.read(x, index)
    if not inside:
        return found
    if other == literal(0, v.dtype) and em.is_zero(found, [c.text for c in inside]):
        return found
    em.at(v)
    test = " & ".join(c.text for c in inside)
    every = walks.union(found.walks, *(c.walks for c in inside))
    return em.name(f"tl.where({test}, {found.text}, {other})", every)


READS: dict[str, Row] = {
    "stop_gradient": _through,
    "laid": _through,
    "leaf": _through,
    "again": _through,
    "expand": _expand,
    "reshape": _reshape,
    "permute": _permute,
    "slice": _slice,
    "pad": _pad,
    "concat": _concat,
    "update_slice": _update_slice,
    "windows": _windows,
    "folded": _folded,
    "gather": _gather,
    "checked": _checked,
    "ordered": _ordered,
    "unordered": _unordered,
    "iota": _iota,
    "random_bits": _random_bits,
}
