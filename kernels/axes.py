"""Axes: what a broadcast or a size-1 axis means to the loop that reads it.

An `expand` and a `reshape` that only adds or drops axes of size 1 compute nothing:
they say how the axes of a value lie on those of another. `View` is that, composed over
a chain of such nodes: the value behind, and for each axis of the view the axis of the
value behind it (None where it is stretched or has size 1).

Sizes are compared by what they are called, never by `==`: asking a symbolic size
whether it equals another would make a guard of the answer.
"""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from ..tracer.graph import Value
from ..tracer.sizes import Dim, Int

__all__ = ["View", "compose", "elements", "is_one", "key", "locate", "numbered"]
__all__ += ["plain", "squeeze"]

Axes = tuple[Optional[int], ...]
# What a symbolic size without an example is taken for.
USUAL = 1024


class View(NamedTuple):
    """`axes[j]` is the axis of `source` that axis j of the view walks along."""

    source: Value
    axes: Axes


def is_one(size: Int) -> bool:
    """Whether a size is 1 for certain."""
    return type(size) is int and size == 1


def squeeze(shape: tuple) -> tuple:
    """The shape without its axes of size 1."""
    return tuple(n for n in shape if not is_one(n))


def key(shape: tuple) -> tuple:
    """The shape as something to compare: symbolic sizes by their text."""
    for n in shape:
        if type(n) is not int:
            return tuple(n.text if isinstance(n, Dim) else n for n in shape)
    return shape


def elements(sizes: Sequence[Int]) -> int:
    """How many elements, going by the example where sizes are symbolic."""
    count = 1
    for n in sizes:
        count *= n if type(n) is int else getattr(n, "hint", None) or USUAL
    return count


def plain(v: Value) -> View:
    """`v` seen as it is."""
    axes = tuple(None if is_one(n) else j for j, n in enumerate(v.shape))
    return View(v, axes)


def numbered(shape: tuple) -> Axes:
    """Which axis of its squeezed shape each axis is."""
    count = iter(range(len(shape)))
    return tuple(None if is_one(n) else next(count) for n in shape)


def compose(v: Value, behind: View) -> Optional[View]:
    """The view that node `v` makes of its argument; None if `v` moves elements."""
    if v.op in ("leaf", "stop_gradient", "again"):
        return behind
    if v.op == "expand":
        return View(behind.source, _expanded(v, behind.axes))
    if v.op == "reshape":
        given, wanted = v.args[0].shape, v.shape
        if key(squeeze(given)) == key(squeeze(wanted)):
            kept = iter(a for a, n in zip(behind.axes, given) if not is_one(n))
            axes = tuple(None if is_one(n) else next(kept) for n in wanted)
            return View(behind.source, axes)
    return None


def _expanded(v: Value, axes: Axes) -> Axes:
    given = v.args[0].shape
    new = len(v.shape) - len(given)
    stretched = (None if is_one(n) else a for a, n in zip(axes, given))
    return (None,) * new + tuple(stretched)


def locate(shape: tuple, space: tuple, known: Sequence) -> Optional[Axes]:
    """Which axis of `space` each axis of `shape` is (None: size 1).

    `known` says it for some axes; the others must fit between them in one way only,
    in order and size by size. The result is None when they do not.
    """
    if all(a is not None or is_one(n) for a, n in zip(known, shape)):
        place = tuple(None if is_one(n) else a for a, n in zip(known, shape))
        return place if _fits(shape, space, place) else None
    wide = [j for j, n in enumerate(shape) if not is_one(n)]
    place_list: list[Optional[int]] = [None] * len(shape)
    if not _fill(wide, known, len(space), place_list):
        return None
    return tuple(place_list) if _fits(shape, space, tuple(place_list)) else None


def _fill(
    wide: list[int], known: Sequence[Optional[int]], count: int, place: list
) -> bool:
    """Number the axes between known ones; False where that leaves a choice."""
    run: list[int] = []
    last = -1
    for j in [*wide, None]:
        at = count if j is None else known[j]
        if at is None:
            run.append(j)  # type: ignore[arg-type]
            continue
        if run and at - last - 1 != len(run):
            return False
        for i, axis in enumerate(run):
            place[axis] = last + 1 + i
        if j is not None:
            place[j] = at
        run, last = [], at
    return True


def _fits(shape: tuple, space: tuple, place: Axes) -> bool:
    last = -1
    for n, a in zip(shape, place):
        if a is None:
            continue
        if a <= last or a >= len(space) or key((n,)) != key((space[a],)):
            return False
        last = a
    return True
