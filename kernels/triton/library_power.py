"""Powers, floor division and remainders of floating-point numbers, as in NumPy."""

from __future__ import annotations

import triton
import triton.language as tl

from .library_floats import copysign, divide

__all__ = ["floor_divide", "power", "remainder"]

# 2/3, 2/5, 2/7, ...: log((1 + s) / (1 - s)) = 2 s + s**3 (2/3 + 2/5 s**2 + ...)
ATANH = tl.constexpr(tuple(2.0 / k for k in range(3, 29, 2)))


@triton.jit
def _two_product(a, b):
    """What rounding left of a * b, in float64 (Dekker and Veltkamp)."""
    c = a * 134217729.0
    a1 = c - (c - a)
    a2 = a - a1
    c = b * 134217729.0
    b1 = c - (c - b)
    b2 = b - b1
    return a2 * b2 - (((a * b - a1 * b1) - a2 * b1) - a1 * b2)


@triton.jit
def _log(x):
    """log(x) of positive finite float64 as a sum of two, to some 2**-59."""
    small = x < 2.2250738585072014e-308
    bits = tl.where(small, x * 18014398509481984.0, x).to(tl.int64, bitcast=True)
    e = (bits >> 52) - tl.where(small, 1077, 1023)
    m = ((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).to(tl.float64, bitcast=True)
    e = tl.where(m > 1.4142135623730951, e + 1, e).to(tl.float64)
    m = tl.where(m > 1.4142135623730951, m * 0.5, m)
    f, d = m - 1.0, m + 1.0
    s = f / d
    rest = (f - s * d) - _two_product(s, d)
    low = (rest - s * (m - (d - 1.0))) / d
    z = s * s
    p = z * (2.0 / 29)
    for i in tl.static_range(1, 14):
        p = (p + 2.0 / (29 - 2 * i)) * z
    first = e * 6.93147180369123816490e-01
    high = first + 2.0 * s
    low = 2.0 * low + e * 1.90821492927058770002e-10 + s * p
    low = low + ((first - high) + 2.0 * s)
    total = high + low
    return total, low - (total - high)


@triton.jit
def _size(x, y):
    """x**y of positive float64 `x`."""
    inside = (x > 0.0) & (x < float("inf"))
    high, low = _log(tl.where(inside, x, 1.0))
    high = tl.where(inside, high, tl.where(x == 0.0, float("-inf"), float("inf")))
    # Beyond 2**64 the result is 0, 1 or infinite whatever y is.
    y = tl.minimum(tl.maximum(y, -18446744073709551616.0), 18446744073709551616.0)
    p = high * y
    far = tl.abs(p) > 800.0
    more = tl.where(far, 0.0, _two_product(high, y) + low * y)
    found = tl.exp(p) * (more + 1.0)
    return tl.where((x == 1.0) | (y == 0.0), 1.0, found)


@triton.jit
def power(x, y):
    """x**y, with C's rules for signs, zeros, infinities and NaN."""
    a, b = tl.abs(x).to(tl.float64), y.to(tl.float64)
    if x.dtype == tl.float64:
        found = _size(a, b)
    else:
        found = tl.exp(tl.log(a) * b)
        found = tl.where((a == 1.0) | (b == 0.0), 1.0, found)
    whole = tl.floor(b) == b
    odd = whole & (tl.floor(b * 0.5) != b * 0.5)
    below = copysign(tl.full((), 1.0, x.dtype), x) < 0.0
    found = tl.where(odd & below, found * -1.0, found)
    nothing = (x != x) | (y != y) | ((x < 0.0) & (a != float("inf")) & (whole == 0))
    found = tl.where(nothing, float("nan"), found)
    return tl.where((x == 1.0) | (y == 0.0), 1.0, found).to(x.dtype)


@triton.jit
def _any(test):
    """Whether it holds for some element."""
    if test.type.is_block():
        return tl.max(test.to(tl.int32), axis=None) != 0
    else:
        return test


@triton.jit
def _exponent(x):
    """floor(log2(x)) of a positive float, subnormals included."""
    if x.dtype == tl.float64:
        small = x < 2.2250738585072014e-308
        bits = tl.where(small, x * 18014398509481984.0, x).to(tl.int64, bitcast=True)
        return ((bits >> 52) - tl.where(small, 1077, 1023)).to(tl.int32)
    else:
        small = x < 1.17549435e-38
        bits = tl.where(small, x * 33554432.0, x).to(tl.int32, bitcast=True)
        return (bits >> 23) - tl.where(small, 152, 127)


@triton.jit
def _scaled(x, n):
    """x * 2**n, in steps none of which overflows alone."""
    for _ in tl.static_range(3):
        if x.dtype == tl.float64:
            step = tl.minimum(n, 1000)
            x = x * ((step.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)
        else:
            step = tl.minimum(n, 120)
            x = x * ((step + 127) << 23).to(tl.float32, bitcast=True)
        n = n - step
    return x


@triton.jit
def _fmod(a, b):
    """C's fmod of sizes, exact: the quotient is taken off in pieces."""
    good = (b > 0.0) & (a < float("inf")) & (b == b)
    bits: tl.constexpr = a.dtype.fp_mantissa_width - 2
    r = tl.where(good, a, 0.0)
    d = tl.where(good, b, 1.0)
    while _any(r >= d):
        shift = tl.maximum(_exponent(r) - _exponent(d) - bits, 0)
        part = _scaled(d, tl.where(r >= d, shift, 0))
        q = tl.floor(divide(r, part))
        rest = tl.fma(q * -1.0, part, r)
        rest = tl.where(rest < 0.0, rest + part, rest)  # the quotient was rounded up
        r = tl.where(r >= d, rest, r)
    return tl.where(good, r, float("nan"))


@triton.jit
def remainder(a, b):
    """np.remainder: what floor division leaves, exact, with the sign of `b`."""
    r = copysign(_fmod(tl.abs(a), tl.abs(b)), a)
    r = tl.where((r != 0.0) & ((b < 0.0) != (r < 0.0)), r + b, r)
    return tl.where(r == 0.0, copysign(r, b), r)


@triton.jit
def floor_divide(a, b):
    """np.floor_divide: the whole number that `remainder` belongs to."""
    r = copysign(_fmod(tl.abs(a), tl.abs(b)), a)
    q = divide(a - r, b)
    q = tl.where((r != 0.0) & ((b < 0.0) != (r < 0.0)), q - 1.0, q)
    near = tl.floor(q)
    near = tl.where(q - near > 0.5, near + 1.0, near)
    near = tl.where(q == 0.0, copysign(near * 0.0, divide(a, b)), near)
    return tl.where(b == 0.0, divide(a, b), near)
