"""Steps of random graphs that move elements: see triton_maker.py."""

from __future__ import annotations

from tracefuse.tracer.graph import make
from triton_maker import WIDE, count


def is_number(v):
    return v.dtype.category > 0


def expand(m):
    x = m.some(lambda v: 1 in v.shape or len(v.shape) < 3)
    if x is None or not count(x.shape):
        return
    shape = [m.one((3, 17, 1)) if n == 1 else n for n in x.shape]
    if m.pick(2) and len(shape) < 4:
        shape.insert(0, m.one((2, 5, 64)))
    if count(shape) <= WIDE:
        m.add(x.expand(tuple(shape)), m.bound(x), x)


def factors(m, n, parts):
    found = []
    for _ in range(parts - 1):
        d = m.one([k for k in range(1, min(n, 64) + 1) if n % k == 0] or [1])
        found.append(d)
        n //= d
    return (*found, n)


def reshape(m):
    x = m.some()
    if x is not None:
        n = count(x.shape)
        shape = factors(m, n, m.between(1, 4)) if n else (0, m.one((1, 3)))
        m.add(x.reshape(shape), m.bound(x), x)


def permute(m):
    x = m.some(lambda v: len(v.shape) > 1)
    if x is not None:
        left, axes = list(range(-len(x.shape), 0)), []
        while left:
            axes.append(left.pop(m.pick(len(left))))
        m.add(x.permute(tuple(axes)), m.bound(x), x)


def span(m, n):
    """(start, length, step) of a slice inside an axis of size n."""
    step = m.one((1, 1, 2, 3, -1, -2))
    start = m.pick(n)
    room = (n - 1 - start if step > 0 else start) // abs(step) + 1
    return start, m.between(0, room) if m.maybe(4) else room, step


def cut(m):
    x = m.some(lambda v: v.shape and count(v.shape))
    if x is not None:
        axis = -m.between(1, len(x.shape))
        start, length, step = span(m, x.shape[axis])
        given = dict(axis=axis, start=start, length=length, step=step)
        m.add(make("slice", (x,), **given), m.bound(x), x)


def pad(m):
    x = m.some(lambda v: v.shape)
    if x is not None:
        pads = tuple((m.pick(4), m.pick(4), m.one((0, 0, 1, 2))) for _ in x.shape)
        value = bool(m.pick(2)) if not is_number(x) else m.one((0, 1, 3))
        y = make("pad", (x,), pads=pads, value=value)
        if count(y.shape) <= WIDE:
            m.add(y, max(m.bound(x), 3), x)


def concat(m):
    x = m.some(lambda v: v.shape)
    if x is None:
        return
    axis, parts = -m.between(1, len(x.shape)), [x]
    for _ in range(m.between(1, 2)):
        at = len(x.shape) + axis
        shape = (*x.shape[:at], m.one((1, 3, x.shape[axis], 0)), *x.shape[at + 1 :])
        parts.insert(m.pick(3), m.of(shape, x.dtype))
    y = make("concat", tuple(parts), axis=axis)
    if count(y.shape) <= WIDE:
        m.add(y, max(map(m.bound, parts)), *parts)


def update(m):
    x = m.some(lambda v: v.shape and count(v.shape))
    if x is not None:
        axis = -m.between(1, len(x.shape))
        start, length, step = span(m, x.shape[axis])
        given = dict(axis=axis, start=start, length=length, step=step)
        old = m.like(x)
        u = m.note(make("slice", (old,), **given), m.bound(old), old)
        u = u if m.pick(2) else m.input(u.shape, u.dtype)
        y = make("update_slice", (x, u), axis=axis, start=start, step=step)
        m.add(y, max(m.bound(x), m.bound(u)), x, u)


# -- windows


def windows(m):
    x = m.some(lambda v: v.shape and count(v.shape) and count(v.shape) < 5000)
    if x is None:
        return
    k = m.between(1, min(2, len(x.shape)))
    tail = x.shape[-k:]
    dilation = tuple(m.one((1, 1, 2)) for _ in tail)
    size = tuple(m.between(1, min(3, (n - 1) // d + 1)) for n, d in zip(tail, dilation))
    stride = tuple(m.one((1, 2, 3)) for _ in tail)
    y = make("windows", (x,), size=size, stride=stride, dilation=dilation)
    m.add(y, m.bound(x), x)
    if m.pick(2) and is_number(x):
        y = m.small(y, 64)
        y = y if m.pick(2) else m.note(y * m.like(y), 256 * 64, y)
        y = m.small(y, 64)
        given = dict(shape=tail, stride=stride, dilation=dilation)
        m.add(make("fold", (y,), **given), m.bound(y) * count(size), y)


MOVEMENT = (expand, reshape, permute, cut, pad, concat, update, reshape, permute)
