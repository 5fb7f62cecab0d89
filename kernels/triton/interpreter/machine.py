"""What carries out the operations of an interpreted kernel, on NumPy arrays.

Triton's builder for that, put right: bf16 computes and compares as numbers, conversions
round to nearest even, and every address is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import triton.language as tl
from triton.runtime import interpreter as stock
from triton.runtime.interpreter import TensorHandle as Handle

from .memory import Memory
from .rounding import bits_of_bf16, fused, fused_wide, numbers_of_bf16, tf32

__all__ = ["Machine", "numpy_type"]

NAMES = [f"{s}{n}" for s in ("int", "uint") for n in (8, 16, 32, 64)]
NAMES += ["float16", "float32", "float64"]
TYPES = {np.dtype(name): getattr(tl, name) for name in NAMES}


def element(dtype: np.dtype, memory: bool = False) -> tl.dtype:
    """Triton's name of an element type; in memory, bool is a byte."""
    if dtype.kind == "b":
        return tl.uint8 if memory else tl.int1
    return tl.bfloat16 if dtype.name == "bfloat16" else TYPES[dtype]


KNOWN: dict[str, np.dtype] = {}
SLOW = stock._get_np_dtype


def numpy_type(kind: tl.dtype) -> np.dtype:
    """How elements of a type lie in NumPy's memory; looked up by name, once each."""
    found = KNOWN.get(kind.name)
    if found is None:
        found = KNOWN[kind.name] = np.dtype(SLOW(kind))
    return found


def widen(handle: Handle) -> np.ndarray:
    """The numbers of a handle; bf16, which lies there as bits, as float32."""
    bits = handle.data.dtype == np.uint16 and handle.dtype.scalar == tl.bfloat16
    return numbers_of_bf16(handle.data) if bits else handle.data


def converted(x: np.ndarray, to: tl.dtype) -> Handle:
    """Numbers as a handle of another type."""
    to = to.scalar
    if to == tl.bfloat16:
        return Handle(bits_of_bf16(x), to)
    return Handle(x.astype(numpy_type(to), copy=False), to)


class Machine(stock.InterpreterBuilder):
    """What carries out the operations of a kernel."""

    def __init__(self, grid: Sequence[int]):
        super().__init__()
        self.memory = Memory()
        self.set_grid_dim(*grid)
        self.set_grid_idx(0, 0, 0)

    def argument(self, name: str, value: Any) -> Any:
        """An argument of a launch as the kernel sees it."""
        if isinstance(value, np.ndarray):
            kind = tl.pointer_type(element(value.dtype, memory=True))
            start = np.array([self.memory.add(name, value)], np.uint64)
            return tl.tensor(Handle(start, kind), kind)
        if isinstance(value, (bool, np.generic)):
            data = np.asarray([value])
            return tl.tensor(Handle(data, element(data.dtype)), element(data.dtype))
        if isinstance(value, float):
            return self.argument(name, np.float32(value))
        return stock._implicit_cvt(value)

    # -- memory

    def create_masked_load(self, ptrs, mask, other, *rest, **named):  # type: ignore
        size, where = element_size(ptrs), np.asarray(mask.data)
        self.memory.check("loads", self.grid_idx, ptrs.data, where, size)
        return super().create_masked_load(ptrs, mask, other, *rest, **named)

    def create_masked_store(self, ptrs, value, mask, *rest, **named):  # type: ignore
        size, where = element_size(ptrs), np.asarray(mask.data)
        self.memory.check("stores", self.grid_idx, ptrs.data, where, size)
        return super().create_masked_store(ptrs, value, mask, *rest, **named)

    def create_atomic_rmw(self, op, ptr, val, mask, *rest):  # type: ignore
        size = element_size(ptr)
        self.memory.check("updates", self.grid_idx, ptr.data, mask.data, size)
        return super().create_atomic_rmw(op, ptr, val, mask, *rest)

    def create_atomic_cas(self, ptr, *rest):  # type: ignore
        size, every = element_size(ptr), np.ones_like(ptr.data, bool)
        self.memory.check("updates", self.grid_idx, ptr.data, every, size)
        return super().create_atomic_cas(ptr, *rest)

    # -- numbers

    def get_bf16(self, value: float) -> Handle:
        return converted(np.array([value], np.float32), tl.bfloat16)

    def cast_impl(self, src: Handle, dst_type: tl.dtype) -> Handle:
        return converted(widen(src), dst_type)

    def create_fp_to_fp(self, src, dst_type, rounding_mode):  # type: ignore
        if dst_type.scalar.is_fp8() or src.dtype.scalar.is_fp8():
            return super().create_fp_to_fp(src, dst_type, rounding_mode)
        return converted(widen(src), dst_type)

    def create_bitcast(self, src: Handle, dst_type: tl.dtype) -> Handle:
        data = np.ascontiguousarray(src.data).view(numpy_type(dst_type))
        return Handle(data.reshape(src.data.shape), dst_type.scalar)

    def computed(self, op: Callable, like: Handle, *args: Handle) -> Handle:
        out = op(*map(widen, args))
        return Handle(out, tl.int1) if out.dtype == bool else converted(out, like.dtype)

    def binary_op(self, lhs: Handle, rhs: Handle, op: Callable) -> Handle:
        return self.computed(op, lhs, lhs, rhs)

    def unary_op(self, arg: Handle, op: Callable) -> Handle:
        return self.computed(op, arg, arg)

    def ternary_op(self, a: Handle, b: Handle, c: Handle, op: Callable) -> Handle:
        return self.computed(op, c, a, b, c)

    def create_ashr(self, lhs: Handle, rhs: Handle) -> Handle:
        signed = stock._get_signed_np_dtype(lhs.data.dtype)
        data = np.right_shift(lhs.data.astype(signed), rhs.data.astype(signed))
        return Handle(data, lhs.dtype.scalar)

    def create_fma(self, x: Handle, y: Handle, z: Handle) -> Handle:
        a, b, c = (widen(h).astype(np.float64) for h in (x, y, z))
        exact = fused_wide if z.data.dtype == np.float64 else fused
        return converted(exact(a, b, c), z.dtype)

    def create_dot(self, a, b, d, precision, *rest):  # type: ignore
        left, right = (widen(h).astype(d.data.dtype) for h in (a, b))
        coarse = precision == stock._ir.INPUT_PRECISION.TF32
        if coarse and a.data.dtype == np.float32:
            left, right = tf32(left), tf32(right)
        return Handle(np.matmul(left, right) + d.data, d.dtype.scalar)


def element_size(ptr: Handle) -> int:
    return max(1, ptr.get_element_ty().primitive_bitwidth // 8)
