"""Arguments that are none of the tensors the program captured, and must not become one.

`x is self.table` was false when it was recorded; so is it whenever this way is taken.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ....tracer.watching.mutation import asks_for_identity
from ....tracer.watching.pins import Pins
from ...tensor import Tensor
from .path import Path, Source
from .unpack import Kind, Writer

__all__ = ["stranger_tests"]


def stranger_tests(
    w: Writer, path: Path, pins: Pins, leaves: list, at: Callable[[Source], str]
) -> Iterator[str]:
    """Expressions that are true when an argument has become a captured tensor.

    Only variables, into which gradients flow, and code that compares objects can tell.
    """
    keys = any(isinstance(key, Tensor) for _, key, _ in pins.places)
    asks = keys or asks_for_identity(pins.codes)
    known = frozenset(pins.tensors_met())
    for n, kind in enumerate(leaves):
        if not _is_tensor(kind) or kind.first is not None:
            continue
        a = Source("arg", n)
        if not (asks or kind.leaf) or any(a in pair for pair in path.twice):
            continue
        if known:
            yield f"id({at(a)}) in {w.bind('known', known)}"
        for key in path.slots:
            yield f"{at(a)} is {at(Source('slot', key))}"


def _is_tensor(kind: Any) -> bool:
    return isinstance(kind, Kind) and kind.strides is None
