"""`@triton.jit` functions that generated kernels call as `lib`.

What Triton lacks, or does otherwise than NumPy: integer division and shifts, how
partial results of reductions and scans are joined, random words. The functions of
floating-point numbers come from library_floats.py and library_power.py. A function
takes registers of one type, blocks or single numbers, in the form of lowering.py.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .library_floats import (
    atan2,
    copysign,
    divide,
    erf,
    erfinv,
    exp,
    expm1,
    log1p,
    maximum,
    minimum,
    round,
    tanh,
)
from .library_power import floor_divide, power, remainder

__all__ = ["add", "argmax", "argmin", "atan2", "copysign", "divide", "erf", "erfinv"]
__all__ += ["exp", "expm1", "floor_divide", "log1p", "maximum", "minimum", "multiply"]
__all__ += ["before", "halves", "ordered", "power", "random_word", "remainder"]
__all__ += ["round", "shift_left"]
__all__ += ["shift_right", "splat", "tanh", "unordered", "whole_divide", "whole_power"]
__all__ += ["whole_remainder"]


# -- integers


@triton.jit
def whole_divide(a, b):
    """The quotient rounded down; 0 where `b` is 0; the smallest over -1 wraps."""
    if a.dtype.is_int_signed():
        plain = (b != 0) & (b != -1)
        d = tl.where(plain, b, 1)
        q = a // d
        rest = a - q * d
        q = tl.where((rest != 0) & ((rest < 0) != (d < 0)), q - 1, q)
        return tl.where(plain, q, b * a)
    else:
        return tl.where(b != 0, a // tl.where(b != 0, b, 1), 0)


@triton.jit
def whole_remainder(a, b):
    """What `whole_divide` leaves, with the sign of `b`; 0 where `b` is 0."""
    if a.dtype.is_int_signed():
        plain = (b != 0) & (b != -1)
        d = tl.where(plain, b, 1)
        rest = a % d
        rest = tl.where((rest != 0) & ((rest < 0) != (d < 0)), rest + d, rest)
        return tl.where(plain, rest, 0)
    else:
        return tl.where(b != 0, a % tl.where(b != 0, b, 1), 0)


@triton.jit
def whole_power(a, b):
    """a**b, wrapping round; a negative `b`, which NumPy refuses, counts as 0."""
    result = a * 0 + 1
    square = a + 0
    left = tl.where(b > 0, b, 0)
    for _ in range(a.dtype.primitive_bitwidth):
        result = tl.where((left & 1) != 0, result * square, result)
        square = square * square
        left = left >> 1
    return result


@triton.jit
def shift_left(a, b):
    """a << b; 0 where all bits are shifted out, also where `b` is negative."""
    fits = (b >= 0) & (b < a.dtype.primitive_bitwidth)
    return tl.where(fits, a << tl.where(fits, b, 0), 0)


@triton.jit
def shift_right(a, b):
    """a >> b; the sign alone where all bits are shifted out, also for negative `b`."""
    fits = (b >= 0) & (b < a.dtype.primitive_bitwidth)
    most: tl.constexpr = a.dtype.primitive_bitwidth - 1
    if a.dtype.is_int_signed():
        return a >> tl.where(fits, b, most)
    else:
        return tl.where(fits, a >> tl.where(fits, b, 0), 0)


# -- how reductions and scans join (with `maximum` and `minimum`)


@triton.jit
def add(a, b):
    """A sum."""
    return a + b


@triton.jit
def multiply(a, b):
    """A product."""
    return a * b


@triton.jit
def _first_most(a, i, b, j):
    """The larger with its place; NaN is larger; of equals the first."""
    same = (a == b) | ((a != a) & (b != b))
    second = (b > a) | ((b != b) & (a == a)) | (same & (j < i))
    return tl.where(second, b, a), tl.where(second, j, i)


@triton.jit
def _first_least(a, i, b, j):
    """The smaller with its place; NaN is smaller; of equals the first."""
    same = (a == b) | ((a != a) & (b != b))
    second = (b < a) | ((b != b) & (a == a)) | (same & (j < i))
    return tl.where(second, b, a), tl.where(second, j, i)


@triton.jit
def argmax(x, i, axis: tl.constexpr):
    """The place of the first largest along a dimension, of which 1 stays."""
    places = tl.broadcast_to(i, x.shape)
    _, found = tl.reduce((x, places), axis, _first_most, keep_dims=True)
    return found


@triton.jit
def argmin(x, i, axis: tl.constexpr):
    """The place of the first smallest along a dimension, of which 1 stays."""
    places = tl.broadcast_to(i, x.shape)
    _, found = tl.reduce((x, places), axis, _first_least, keep_dims=True)
    return found


# -- the order of numbers


@triton.jit
def before(a, b):
    """Whether `a` is less than `b`; NaN is the largest of all."""
    return (a < b) | ((a == a) & (b != b))


@triton.jit
def ordered(x, most: tl.constexpr):
    """An integer in the order of floating-point numbers; NaN comes last, or first."""
    if x.dtype.primitive_bitwidth == 64:
        bits = x.to(tl.int64, bitcast=True)
        key = bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)
        end = 0x7FFFFFFFFFFFFFFF
    else:
        bits = x.to(tl.int32, bitcast=True)
        key = bits ^ ((bits >> 31) & 0x7FFFFFFF)
        end = 0x7FFFFFFF
    return tl.where(x != x, key * 0 + end if most else key * 0 - end - 1, key)


@triton.jit
def unordered(key):
    """The number that `ordered` made this integer of."""
    if key.dtype.primitive_bitwidth == 64:
        bits = key ^ ((key >> 63) & 0x7FFFFFFFFFFFFFFF)
        return bits.to(tl.float64, bitcast=True)
    else:
        bits = key ^ ((key >> 31) & 0x7FFFFFFF)
        return bits.to(tl.float32, bitcast=True)


# -- blocks and random words


@triton.jit
def splat(x, shape: tl.constexpr):
    """A single number as a block."""
    return tl.full(shape, x, x.dtype)


@triton.jit
def random_word(seed, start, i):
    """Word `i` of a draw that starts at block `start`: tracer/philox.py's."""
    a, b, c, d = tl.randint4x(seed, start + (i // 4))
    k = i % 4
    return tl.where(k < 2, tl.where(k == 0, a, b), tl.where(k == 2, c, d)).to(tl.uint32)


@triton.jit
def random_words(seed, start, block, shape: tl.constexpr):
    """All four words of each block side by side along the last dimension."""
    a, b, c, d = tl.randint4x(seed, start + block)
    return tl.join(tl.join(a, c), tl.join(b, d)).reshape(shape).to(tl.uint32)


@triton.jit
def halves(x):
    """The left and the right half of the columns of a tile."""
    rows: tl.constexpr = x.shape[0]
    columns: tl.constexpr = x.shape[1]
    pairs = tl.reshape(x, [rows, 2, columns // 2])
    return tl.split(tl.permute(pairs, [0, 2, 1]))
