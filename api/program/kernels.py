"""Machine code for GPUs in a program's file: collected when saved, used on request.

The kernels are those that the program launches for arguments of its example's sizes.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any, Sequence

import numpy as np

from ...tracer.errors import GuardError
from ...tracer.later import Later
from ...tracer.pytree import rebuild
from ...tracer.sizes import hint
from ..jit.paths.unpack import Kind
from ..tensor import fresh

__all__ = ["PREFIX", "kernels_for", "use_kernels"]

collecting = Later("...kernels.gpu.collecting", __package__)
copies = Later("...kernels.gpu.copies", __package__)
loading = Later(".loading", __package__)

PREFIX = "~kernel."  # no tensor of a state has such a name
CALLS = 3  # it is recorded, replayed, and captured


def kernels_for(program: Any, targets: Sequence[str]) -> dict[str, np.ndarray]:
    """Machine code of the program for each target, by the names it has in a file."""
    found: dict[str, np.ndarray] = {}
    for target in targets:
        device = collecting.Collecting(target)
        _rehearse(program, device)
        for mark, code in collecting.packed_kernels(device).items():
            found[PREFIX + mark] = np.frombuffer(code, np.uint8)
    return found


def _rehearse(program: Any, device: Any) -> None:
    """Call a copy of the program on a device on which nothing happens."""
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    copy = loading.load_program(file).moved(device)
    for variant in copy.variants:
        if variant.training is not None:
            copy.train(variant.training)
        args, kwargs = _example(variant.signature, device)
        for _ in range(CALLS):
            with suppress(GuardError):  # zeros may lead where no example went
                copy(*args, **kwargs)


def _example(signature: Any, device: Any) -> tuple:
    """Arguments full of zeros, of the sizes in the example."""
    made: list = []
    for leaf in signature.leaves:
        made.append(_argument(leaf, made, device))
    return rebuild(signature.spec, made)


def _argument(leaf: Any, before: list, device: Any) -> Any:
    if not isinstance(leaf, Kind):
        return leaf
    if leaf.first is not None:
        return before[leaf.first]
    return fresh(copies.zeros(device, tuple(map(hint, leaf.shape)), leaf.dtype))


def use_kernels(arrays: dict[str, np.ndarray]) -> None:
    """Run this machine code wherever just these kernels are wanted from now on."""
    packed = [(name[len(PREFIX) :], a.tobytes()) for name, a in arrays.items()]
    collecting.carry_packed(packed)
