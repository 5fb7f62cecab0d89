"""Traced numbers and sizes that a recorded function left outside become plain ones.

Most are found where the pins look: attributes, cells, globals, containers by name. What
is still alive then is searched for with the help of the garbage collector, once: such
a function is recorded with plain numbers from there on.
"""

from __future__ import annotations

import collections
import gc
import weakref
from types import CellType
from typing import Any, Callable, Iterable

from ...tracer.pytree import flatten
from ...tracer.watching.pins import Pins
from ...tracer.watching.spots import Spot, place, spots
from ..tensor import Tensor
from .paths.path import PLAIN
from .recording import Recording, untraced
from .varying import Substitution

__all__ = ["untrace_outside", "untrace_rest"]


def untrace_outside(
    numbers: Substitution, function: Callable, leaves: list, args: tuple, kwargs: dict
) -> tuple[list[Spot], Pins]:
    """Put plain numbers and sizes where the function left traced ones.

    Returns these places, and the pins among which they were found.
    """
    objects = [x for x in leaves if not isinstance(x, (Tensor, *PLAIN))]
    pins = Pins.of([function, *objects], numbers.codes, set())
    found = [place(container, key) for container, key, _, _ in pins.every()]
    found += spots(list(args), dict(kwargs))
    left = []
    for spot in found:
        now = None if spot is None else spot.get()
        new = _plain(now)
        if spot is not None and new is not now:
            spot.put(new)
            left.append(spot)
    for x in list(pins._seen.values()):
        _untrace_keys(x)
    return left, pins


def _plain(x: Any) -> Any:
    """`x`, or what it is without traced numbers; a tuple is made anew."""
    if isinstance(x, (tuple, frozenset)) and any(_plain(i) is not i for i in x):
        made = map(_plain, x)
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return untraced(x)


def _untrace_keys(x: Any) -> None:
    """The same for what a set or the keys of a dict are, in place."""
    if type(x) is set and any(_plain(i) is not i for i in x):
        members = [_plain(i) for i in x]
        x.clear()
        x.update(members)
    if type(x) is dict and any(_plain(key) is not key for key in x):
        items = [(_plain(key), value) for key, value in x.items()]
        x.clear()
        x.update(items)


def untrace_rest(recording: Recording) -> bool:
    """The same for numbers in places that nobody watches; whether there were any."""
    numbers, following = recording.substitution, recording.rec.following
    if numbers is None or following is None:
        return False
    known = [*flatten(recording.result)[0], *(left for _, left in numbers.changes)]
    handed = {id(x) for x in known}
    recording.release(handed)
    if any(_is_left(ref, handed) for ref in following.made):
        gc.collect(0)  # what is young and in a circle is held by nobody
    refs = [ref for ref in following.made if _is_left(ref, handed)]
    for ref in refs:
        _replace(ref(), gc.get_referrers(ref()))
    return bool(refs)


def _is_left(ref: weakref.ref, handed: set[int]) -> bool:
    x = ref()
    return x is not None and id(x) not in handed


def _replace(x: Any, holders: Iterable[Any]) -> None:
    for holder in holders:
        if isinstance(holder, (list, collections.deque)):
            for i, item in enumerate(holder):
                if item is x:
                    holder[i] = x.now
        elif isinstance(holder, dict):
            for key in [key for key, value in holder.items() if value is x]:
                dict.__setitem__(holder, key, x.now)
        elif isinstance(holder, CellType):
            holder.cell_contents = x.now
        _untrace_keys(holder)
