"""Which view steps lead from one NumPy array to another on the same memory.

Two arrays say by their addresses and strides that one lies inside the other; tensors
on them must say it by view steps, so that a write through one is seen by the other.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from ...tracer.storage import view_array

__all__ = ["steps_to"]


def steps_to(root: np.ndarray, array: np.ndarray) -> Optional[tuple]:
    """View steps from `root` to `array`; None where no simple ones lead there.

    >>> root = np.zeros((4, 6))
    >>> [op for op, _ in steps_to(root, root[1:3, 2])]
    ['slice', 'slice', 'reshape']
    """
    if _same(root, array):
        return ()
    if root.dtype != array.dtype or not array.size or not root.size:
        return None
    offset, rest = divmod(_address(array) - _address(root), root.itemsize)
    if rest or not root.flags.c_contiguous or not 0 <= offset < root.size:
        return None
    for steps in (_slices(root, array, offset), _block(root, array, offset)):
        if steps is not None and _same(view_array(root, steps), array):
            return steps
    return None


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return (
        _address(a) == _address(b)
        and a.shape == b.shape
        and a.dtype == b.dtype
        and all(s == t for s, t, n in zip(a.strides, b.strides, a.shape) if n > 1)
    )


def _block(root: np.ndarray, array: np.ndarray, offset: int) -> Optional[tuple]:
    """A contiguous run of the flattened root, under another shape."""
    if not array.flags.c_contiguous or offset + array.size > root.size:
        return None
    run = {"axis": -1, "start": offset, "length": array.size, "step": 1}
    return (
        ("reshape", {"shape": (root.size,)}),
        ("slice", run),
        ("reshape", {"shape": array.shape}),
    )


def _slices(root: np.ndarray, array: np.ndarray, offset: int) -> Optional[tuple]:
    """A slice of each axis of the root, then reordered, without axes of size 1."""
    strides = [s // root.itemsize for s in array.strides]
    todo = [i for i, n in enumerate(array.shape) if n > 1]
    steps, order = [], []
    for k in range(root.ndim):
        apart = root.strides[k] // root.itemsize
        start, offset = divmod(offset, apart)
        span = range(apart, apart * root.shape[k])
        mine = [i for i in todo if strides[i] in span and strides[i] % apart == 0]
        if len(mine) > 1:
            return None
        step = strides[mine[0]] // apart if mine else 1
        length = array.shape[mine[0]] if mine else 1
        order += mine
        place = {"axis": k - root.ndim, "start": start, "length": length, "step": step}
        if start + (length - 1) * step >= root.shape[k]:
            return None
        if (start, length, step) != (0, root.shape[k], 1):
            steps.append(("slice", place))
    if len(order) < root.ndim:
        lean = tuple([array.shape[i] for i in order])
        steps.append(("reshape", {"shape": lean}))
    return _arranged(steps, order, todo, array.shape)


def _arranged(steps: list, order: list, todo: list, shape: tuple) -> Optional[tuple]:
    if sorted(order) != todo:
        return None
    axes = tuple([order.index(i) - len(order) for i in todo])
    return (
        *steps,
        *([("permute", {"axes": axes})] if order != todo else []),
        *([("reshape", {"shape": shape})] if len(todo) < len(shape) else []),
    )
