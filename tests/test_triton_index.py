"""Index algebra: however elements are moved, the text says where each of them lies."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tracefuse.kernels.triton.index import Group, Index, flat, number, split

SIZES = st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 12, 16))
usual = settings(max_examples=200, deadline=None, derandomize=True)


class Walk:
    """An array, and for each axis of what was made of it the index that is claimed.

    `where` holds the number of each element: a movement is done to it by NumPy, and to
    `index` by the algebra, as the reader of a loop over `shape` does it, backwards.
    """

    def __init__(self, shape, cuts):
        ends = sorted({0, len(shape), *(c % (len(shape) + 1) for c in cuts)})
        pairs = list(zip(ends, ends[1:]))
        self.groups = [Group(f"i{k}", shape[a:b]) for k, (a, b) in enumerate(pairs)]
        self.shape = shape
        self.index = tuple(
            number(g, k) for g in self.groups for k in range(len(g.sizes))
        )

    def coordinates(self):
        """An array for each coordinate, over the whole space."""
        sizes = [g.size for g in self.groups]
        return {g.name: a for g, a in zip(self.groups, np.indices(sizes, np.int64))}

    def value(self, index):
        """What the text of an index says, over the whole space."""
        scope = self.coordinates()
        full = np.zeros([g.size for g in self.groups], np.int64)
        return (full + eval(index.text(), {}, scope)).reshape(self.shape)


@st.composite
def walks(draw):
    shape = tuple(draw(st.lists(SIZES, min_size=1, max_size=4)))
    return Walk(shape, draw(st.lists(st.integers(0, 4), max_size=3)))


def refactored(draw, n):
    """A shape of n elements."""
    shape = []
    for _ in range(draw(st.integers(0, 3))):
        options = [d for d in range(1, n + 1) if n % d == 0]
        shape.append(draw(st.sampled_from(options)))
        n //= shape[-1]
    return (*shape, n)


def moved(draw, index, shape):
    """One movement: of the claimed index, and of the shape it indexes.

    Returns as well how the numbers of the new array's elements give back the old.
    """
    kind = draw(st.sampled_from(("reshape", "permute", "slice", "window")))
    if kind == "reshape":
        new = refactored(draw, prod(shape))
        return split(flat(index, shape), new), new, lambda a: a.reshape(shape)
    if kind == "permute":
        order = draw(st.permutations(range(len(shape))))
        new = tuple(shape[k] for k in order)
        back = tuple(np.argsort(order))
        return tuple(index[k] for k in order), new, lambda a: a.transpose(back)
    axis = draw(st.integers(0, len(shape) - 1))
    n, step = shape[axis], draw(st.sampled_from((1, 2, 3, -1, -2)))
    room = (n - 1) * abs(step)
    start = draw(st.integers(0, 3)) + (room if step < 0 else 0)
    size = start + (room if step > 0 else 0) + 1 + draw(st.integers(0, 3))
    at = (*index[:axis], index[axis] * step + start, *index[axis + 1 :])
    pick = start + step * np.arange(n)
    new = (*shape[:axis], size, *shape[axis + 1 :])
    return at, new, lambda a: a.take(pick, axis)


@usual
@given(st.data())
def test_chains_of_movements_find_every_element(data):
    walk = data.draw(walks())
    index, shape, back = walk.index, walk.shape, []
    for _ in range(data.draw(st.integers(1, 5))):
        index, shape, undo = moved(data.draw, index, shape)
        back.insert(0, undo)
        if prod(shape) > 1 << 16:
            break
    numbers = np.arange(prod(shape)).reshape(shape)
    for undo in back:
        numbers = undo(numbers)
    position = flat(index, shape)
    np.testing.assert_array_equal(walk.value(position), numbers)
    for i, n in zip(index, shape):
        assert_bounded(walk, i)
        assert 0 <= walk.value(i).min() and walk.value(i).max() < n
    assert_bounded(walk, position)


def assert_bounded(walk, index, real=...):
    """`least` and `bound` hold, and `groups` names what it depends on."""
    found = walk.value(index)
    low, high = found[real].min(initial=1 << 40), found[real].max(initial=-1 << 40)
    assert index.least <= low and high < index.bound
    for k, g in enumerate(walk.groups):
        lines = found.reshape([g.size for g in walk.groups])
        if (lines != lines.take([0], k)).any():
            assert g.name in index.groups()


def terms(draw, walk):
    """A sum of multiples of coordinates, also negative ones."""
    total = number(draw(st.integers(-40, 40)))
    for i in walk.index:
        total = total + i * draw(st.integers(-9, 9))
    return total


@usual
@given(st.data(), st.integers(1, 24))
def test_division(data, by):
    """Of what is not negative: whoever may read beyond an edge asks before."""
    walk = data.draw(walks())
    index = terms(data.draw, walk)
    assert_bounded(walk, index)
    assert_divided(walk, index, by, walk.value(index) >= 0)


def assert_divided(walk, index, by, real):
    value, parts = walk.value(index)[real], index.divided(by)
    high, low = (walk.value(i)[real] for i in parts)
    np.testing.assert_array_equal(high, value // by)
    np.testing.assert_array_equal(low, value % by)
    whole = walk.value(parts[0] * by + parts[1])[real]
    np.testing.assert_array_equal(whole, value)
    for i in parts:
        assert_bounded(walk, i, real)
    return parts


@usual
@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_divisions_of_divisions(data, first, second):
    walk = data.draw(walks())
    index = terms(data.draw, walk)
    real = walk.value(index) >= 0
    high, low = assert_divided(walk, index, first, real)
    for part in (high, low, high + low * 3, low + 2):
        assert_divided(walk, part, second, real)


@usual
@given(st.data())
def test_split_undoes_flat(data):
    walk = data.draw(walks())
    assert split(flat(walk.index, walk.shape), walk.shape) == walk.index
    shape = refactored(data.draw, prod(walk.shape))
    position = flat(walk.index, walk.shape)
    back = flat(split(position, shape), shape)
    assert sorted(back.text().split(" + ")) == sorted(position.text().split(" + "))


def test_a_whole_group_is_its_coordinate():
    g = Group("i0", (4, 3, 5))
    i = tuple(number(g, k) for k in range(3))
    assert flat(i, g.sizes).text() == "i0"
    assert (i[0] * 3 + i[1]).text() == "i0 // 5"
    assert Index().text() == "0" and number(7).bound == 8
