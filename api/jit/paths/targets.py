"""Which inputs of a program are the arrays that it writes to."""

from __future__ import annotations

from typing import Any, Optional

from ....tracer.storage import Storage, memory_steps

__all__ = ["beside_of", "targets_of"]


def targets_of(rec: Any, writes: list) -> list[Optional[int]]:
    """Which input of the program is the very array that each write goes to."""
    of: dict[int, list] = {}
    for n, i in enumerate(rec.inputs):
        if i.kind in ("tensor", "root"):
            of.setdefault(id(i.owner._storage), []).append((n, i))
    return [_target(of.get(id(s), ()), s, shadow) for s, shadow in writes]


def _target(inputs: Any, storage: Storage, shadow: Any) -> Optional[int]:
    for n, i in inputs:
        if i.kind == "root" and shadow.root and i.owner._storage is storage:
            return n
        whole = not (shadow.root and memory_steps(shadow.owner._steps))
        if i.kind == "tensor" and i.owner is shadow.owner and whole:
            return n
    return None


def beside_of(rec: Any, writes: list, targets: list) -> list[int]:
    """The inputs that see what is written in another way than the write does."""
    written, gone = {id(storage) for storage, _ in writes}, {*targets}
    return [
        n
        for n, i in enumerate(rec.inputs)
        if i.kind in ("tensor", "root")
        and id(i.owner._storage) in written
        and n not in gone
    ]
