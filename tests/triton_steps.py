"""One step of a random graph for each kind of primitive: see triton_maker.py."""

from __future__ import annotations

from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import constant, make
from triton_maker import DTYPES, EXACT, FLOATS, INTS, WIDE, count
from triton_moves import MOVEMENT, windows

SMOOTH = ("tanh", "sin", "cos", "erf")


def is_float(v):
    return v.dtype.is_floating_point


def is_number(v):
    return v.dtype is not ty.bool_


def is_whole(v):
    return v.dtype.category == 1


# -- pointwise


def unary(m):
    x = m.some(is_number)
    if x is not None:
        m.add(make(m.one(("neg", "abs")), (x,)), m.bound(x), x)


def smooth(m):
    x = m.some(is_float)
    if x is None:
        return
    op = m.one((*SMOOTH, "exp", "log1p", "sqrt", "expm1", "erfinv", "log"))
    if op in SMOOTH:
        y = make(op, (x,))
    elif op == "erfinv":
        y = make(op, (al.tanh(x) * 0.5,))
    else:
        y = make(op, ((-al.absolute(x) if op[:3] == "exp" else al.absolute(x) + 1.0),))
    m.rough.add(y.id)
    m.add(y, max(m.bound(x), 1.0))


def rounding(m):
    x = m.exact(is_float)
    if x is not None:
        m.add(make(m.one(("floor", "round")), (x * 0.5,)), m.bound(x))


def binary(m):
    x = m.some(is_number)
    if x is None:
        return
    y, op = m.like(x), m.one(("add", "sub", "mul", "maximum", "minimum", "add", "mul"))
    x, y = m.small(x, 64), m.small(y, 64)
    a, b = m.bound(x), m.bound(y)
    most = {"add": a + b, "sub": a + b, "mul": a * b}.get(op, max(a, b))
    m.add(make(op, (x, y)), most, x, y)


def bits(m):
    x = m.some(lambda v: not is_float(v))
    if x is not None:
        y = m.like(x)
        m.add(make(m.one(("and", "or", "xor", "maximum", "minimum")), (x, y)), 8)


def whole(m):
    x = m.exact(is_whole)
    if x is None:
        return
    op, y = m.one(("idiv", "rem", "shl", "shr", "pow")), m.like(x)
    if op in ("shl", "shr", "pow"):
        y = make("and", (y, constant(7, x.shape, x.dtype)))
    m.add(make(op, (x, y)), 8)


def quotient(m):
    x = m.some(is_float)
    if x is None:
        return
    y = al.absolute(m.like(x)) + 1.0
    z = make(m.one(("div", "atan2")), (x, y))
    m.rough.add(z.id)
    m.add(z, m.bound(x) + 2)


def divided(m):
    x = m.exact(is_float)
    if x is not None:
        y = m.like(x, lambda v: v.id not in m.rough)
        y = al.where(al.eq(y, 0.0), 1.0, y)
        op = m.one(("idiv", "rem"))
        m.add(make(op, (x, y)), m.bound(x) + m.bound(y))


def compare(m):
    x = m.exact()
    if x is not None:
        y = m.like(x, lambda v: v.id not in m.rough)
        m.add(make(m.one(("eq", "ne", "lt", "le")), (x, y)), 1)


def chosen(m):
    x = m.some()
    if x is not None:
        y = m.like(x)
        c = m.some(lambda v: v.dtype is ty.bool_ and v.shape == x.shape)
        c = c if c is not None else m.input(x.shape, ty.bool_)
        m.add(al.where(c, x, y), max(m.bound(x), m.bound(y)), x, y)


def cast(m):
    x = m.some()
    if x is None:
        return
    new = m.one(DTYPES)
    if is_float(x) and not new.is_floating_point:
        if x.id in m.rough:
            return
        x = m.small(x, 100)
        x = al.absolute(x) if not new.is_signed and new is not ty.bool_ else x
    elif not is_float(x) and new.is_floating_point and is_number(x):
        x = m.note(make("rem", (x, constant(60, x.shape, x.dtype))), 60)
    m.add(x.cast(new), max(m.bound(x), 1), x)


def marked(m):
    x = m.some()
    if x is not None:
        m.add(make(m.one(("stop_gradient", "leaf", "again")), (x,)), m.bound(x), x)


# -- reductions and scans


def reduction(m):
    x = m.some(lambda v: v.shape)
    if x is None:
        return
    axes = [a for a in range(-len(x.shape), 0) if m.pick(2)] or [-1]
    n = count([x.shape[a] for a in axes])
    op = m.one(("sum", "sum", "max", "min", "prod"))
    if op in ("max", "min") and not n:
        return
    x = m.small(x, {"sum": EXACT / max(n, 1), "prod": 1}.get(op, 1e9))
    if op == "prod" and x.id in m.rough:
        return
    r = m.note(make(op, (x,), axes=tuple(axes)), m.bound(x) * n + 1, x)
    m.add(r, m.bound(r), r)
    if m.pick(2) and is_number(x):
        kept = [1 if j - len(x.shape) in axes else s for j, s in enumerate(x.shape)]
        y = m.small(r.reshape(tuple(kept)).expand(x.shape), 1e9)
        m.note(y, m.bound(r), r)
        y = m.small(y, 64)
        m.add(m.small(x, 64) - y, m.bound(x) + m.bound(y), x, y)


def position(m):
    x = m.exact(lambda v: v.shape and count(v.shape))
    if x is not None:
        axis = -m.between(1, len(x.shape))
        op = m.one(("argmax", "argmin"))
        m.add(make(op, (x,), axis=axis), x.shape[axis])


def scan(m):
    x = m.some(lambda v: v.shape and is_number(v))
    if x is None:
        return
    axis, mode = -m.between(1, len(x.shape)), m.one(("add", "mul", "max", "min"))
    n = max(x.shape[axis], 1)
    x = m.small(x, {"add": EXACT / n, "mul": 1}.get(mode, 1e9))
    if mode == "mul" and x.id in m.rough:
        return
    y = make("cumulative", (x,), axis=axis, mode=mode)
    m.add(y, m.bound(x) * (n if mode == "add" else 1), x)


def order(m):
    x = m.exact(lambda v: v.shape and v.shape[-1] <= 300)
    if x is not None:
        axis = -m.between(1, len(x.shape))
        if x.shape[axis] <= 300 and count(x.shape) * x.shape[axis] < 1 << 17:
            y = make("argsort", (x,), axis=axis, descending=bool(m.pick(2)))
            m.add(y, x.shape[axis])


# -- products, rows by number


def product(m):
    x = m.some(lambda v: len(v.shape) > 1 and is_number(v))
    if x is None:
        return
    x = m.small(x, 32)
    n = m.one((1, 2, 15, 17, 65, 130))
    *lead, rows, k = x.shape
    if count(lead) * rows * n > WIDE or count((*lead, k, n)) > WIDE:
        return
    y = m.input((*lead, n, k) if m.maybe() else (*lead, k, n), x.dtype)
    if y.shape[-2:] != (k, n) or (k == n and m.maybe()):
        y = y.permute((*range(-len(y.shape), -2), -1, -2))
    z = make("dot", (x, y))
    m.add(z, m.bound(x) * 4 * max(k, 1), x)


def rows_for(m, x, batch):
    shape = (*x.shape[:batch], *[m.one((1, 2, 5, 33, 0)) for _ in range(m.pick(3))])
    n, kind = x.shape[batch], m.one((ty.int64, ty.int32))
    i = m.exact(lambda v: is_whole(v) and v.dtype.is_signed and v.shape == shape)
    i = m.input(shape, kind) if i is None else i.cast(kind)
    return make("rem", (i, constant(n, shape, kind))) - m.one((0, n, n // 2))


def gather(m):
    x = m.some(lambda v: v.shape and count(v.shape))
    if x is not None:
        batch = m.pick(len(x.shape))
        y = make("gather", (x, rows_for(m, x, batch)), batch=batch)
        if count(y.shape) <= WIDE:
            m.add(y, m.bound(x), x)


def scatter(m):
    x = m.some(lambda v: v.shape and count(v.shape))
    if x is None:
        return
    batch, mode = m.pick(len(x.shape)), m.one(("set", "add", "mul", "max", "min"))
    rows = rows_for(m, x, batch)
    shape = rows.shape + x.shape[batch + 1 :]
    if count(shape) > WIDE or mode == "mul" and m.bound(x) > 64:
        return
    u = m.input(shape, x.dtype)
    x = m.small(x, EXACT / 64)
    if mode == "mul":
        u = m.small(u, 1)
    y = make("scatter", (x, rows, u), batch=batch, mode=mode)
    m.add(y, m.bound(x) + 4 * max(count(rows.shape), 1), x)


# -- sources


def iota(m):
    shape = tuple(m.shape())
    if shape:
        axis, kind = -m.between(1, len(shape)), m.one((*FLOATS, *INTS))
        y = make("iota", (), shape=shape, axis=axis, dtype=kind)
        m.add(m.small(m.note(y, max(shape)), 64), 64)


def random(m):
    state = m.input((2,), ty.int64, "state")
    y = make("random_bits", (state,), shape=tuple(m.shape()), skip=m.pick(3))
    m.add((y >> constant(29, y.shape, y.dtype)).cast(m.one((*FLOATS, *INTS))), 8)


POINTWISE = (unary, smooth, rounding, binary, binary, bits, whole, quotient, divided)
POINTWISE += (compare, chosen, cast, marked)
REDUCING = (reduction, reduction, position, scan)
HEAVY = (windows, product, gather, scatter, order, iota, random)
STEPS = (*POINTWISE, *MOVEMENT, *MOVEMENT, *REDUCING, *REDUCING, *HEAVY, binary, cast)
