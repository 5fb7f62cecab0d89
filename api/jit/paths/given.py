"""The containers that a call was given: which they are, and whether it changed one."""

from __future__ import annotations

import operator
from typing import Any, Iterator

from ....tracer.pytree import containers, content

__all__ = ["Given"]


class Given:
    """The containers among the arguments, left to right, and what was in them."""

    def __init__(self, args: tuple, kwargs: dict):
        tops = (*args, *kwargs.values())
        self.containers = [c for top in tops for c in containers(top)]
        self._then = [content(c) for c in self.containers]

    def changed(self) -> bool:
        """Whether anything was put in or taken out since."""
        now = map(content, self.containers)
        return not all(map(_same, self._then, now))

    def places(self) -> Iterator[tuple[Any, list]]:
        """Each container that may change, with the numbers at which it was given."""
        numbers: dict[int, list] = {}
        for n, c in enumerate(self.containers):
            numbers.setdefault(id(c), []).append(n)
        for at in numbers.values():
            c = self.containers[at[0]]
            if not isinstance(c, tuple):
                yield c, at


def _same(then: tuple, now: tuple) -> bool:
    (children, keys), (others, names) = then, now
    if not isinstance(keys, tuple):
        return keys == names and _identical(children, others)
    return _identical(keys, names) and _identical(children, others)


def _identical(a: tuple, b: tuple) -> bool:
    return len(a) == len(b) and all(map(operator.is_, a, b))
