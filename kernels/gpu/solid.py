"""Copies of views: kernels want memory without gaps that begins at a multiple of 16."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..triton.kernel import Config, Kernel, Param
from .array import DeviceArray, span
from .device import Device
from .layout import joined_axes

__all__ = ["solid", "spread"]

BLOCK, VECTOR = 1024, 16


def solid(device: Device, array: DeviceArray) -> DeviceArray:
    """The array itself where it will do, else a contiguous and aligned copy."""
    if array.contiguous and not array.ptr % VECTOR:
        return array
    out = device.empty(array.shape, array.dtype, "contiguous copy")
    if array.contiguous:
        device.copy(out, array)
    elif array.size:
        _gather(device, out, array)
    return out


def spread(device: Device, out: DeviceArray, array: DeviceArray) -> None:
    """Write the elements of a contiguous array to where a view of memory sees them."""
    if array.size:
        _move(device, array, out, True)


def _gather(device: Device, out: DeviceArray, array: DeviceArray) -> None:
    _move(device, out, array, False)


def _move(device: Device, dense: DeviceArray, view: DeviceArray, into: bool) -> None:
    """The kernel gets the stretch of memory in which the elements of the view lie."""
    item = view.dtype.itemsize
    raw = np.dtype(f"u{item}")
    low, size = span(view)
    stretch = DeviceArray(device, view.memory, low, (size // item,), None, raw)
    axes = joined_axes(view.shape, view.strides)
    sizes, steps = [n for n, _ in axes], [step // item for _, step in axes]
    kernel = moving(len(axes), item, into)
    run = device.launcher(kernel, kernel.configs[0])[-(-view.size // BLOCK),]
    first = (view.ptr - low) // item
    run(stretch, dense.view(raw), view.size, first, *sizes, *steps)


@cache
def moving(rank: int, item: int, into: bool) -> Kernel:
    """The kernel that copies from a view of so many axes, elements of so many bytes,
    or (`into`) to one."""
    name = f"{'spread' if into else 'gather'}_{rank}d_{8 * item}"
    sizes = [f"n{k}" for k in range(rank)]
    steps = [f"s{k}" for k in range(rank)]
    numbers = ["size", "first", *sizes, *steps]
    head = ", ".join(["x", "o", *numbers, "B: tl.constexpr"])
    lines = ["@triton.jit", f"def {name}({head}):"]
    lines += ["    i = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)"]
    lines += ["    rest = i", "    at = first + tl.zeros([B], tl.int64)"]
    for n, s in zip(reversed(sizes), reversed(steps)):
        lines += [f"    at += rest % {n} * {s}", f"    rest = rest // {n}"]
    there, here = ("x + at", "o + i") if into else ("o + i", "x + at")
    lines += ["    m = i < size", f"    tl.store({there}, tl.load({here}, m), m)"]
    memory = [Param("x", f"*u{8 * item}", False), Param("o", f"*u{8 * item}")]
    params = (*memory, *(Param(p, "i64", False) for p in numbers))
    return Kernel(
        name,
        "\n".join(lines) + "\n",
        params,
        ("cdiv(size, B)",),
        (Config((("B", BLOCK),)),),
        ops=("copy",),
    )
