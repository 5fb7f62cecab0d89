"""Functions of floating-point numbers that Triton lacks, or does approximately.

float32 is computed in float32 with fused multiply-adds of our own, float64 rests on
Triton's exact `exp` and `log`. Everything is in `tl.*`: it runs in the interpreter too.
Coefficients: N. Juffa's expf, expm1f and atanf (Stack Overflow, CUDA math library);
fdlibm's atan; the quotients of tracer/special.py.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ...tracer import special

__all__ = ["atan2", "copysign", "erf", "erfinv", "exp", "expm1", "log1p", "round"]
__all__ += ["tanh", "divide", "maximum", "minimum"]

ERF_F32 = tl.constexpr(special.ERF_F32.num)
ERF_NUM = tl.constexpr(special.ERF_F64.num)
ERF_DEN = tl.constexpr(special.ERF_F64.den)
CENTRE_NUM_F32 = tl.constexpr(special.CENTRE_F32.num)
CENTRE_DEN_F32 = tl.constexpr(special.CENTRE_F32.den)
CENTRE_NUM = tl.constexpr(special.CENTRE_F64.num)
CENTRE_DEN = tl.constexpr(special.CENTRE_F64.den)
TAIL_NUM_F32 = tl.constexpr(special.TAIL_F32.num)
TAIL_DEN_F32 = tl.constexpr(special.TAIL_F32.den)
TAIL_NUM = tl.constexpr(special.TAIL_F64.num)
TAIL_DEN = tl.constexpr(special.TAIL_F64.den)
ATAN_F32 = tl.constexpr(
    (
        *(-0.333331018, 0.199926957, -0.142027363, 0.106347933),
        *(-0.0748900920, 0.0425049886, -0.0159569028, 0.00282363896),
    )
)
ATAN_F64 = tl.constexpr(
    (
        *(-3.33333333333329318027e-01, 1.99999999998764832476e-01),
        *(-1.42857142725034663711e-01, 1.11111104054623557880e-01),
        *(-9.09088713343650656196e-02, 7.69187620504482999495e-02),
        *(-6.66107313738753120669e-02, 5.83357013379057348645e-02),
        *(-4.97687799461593236017e-02, 3.65315727442169155270e-02),
        -1.62858201153657823623e-02,
    )
)
EXP = tl.constexpr(
    (1.0, 1.0, 0.499999851, 0.166664720, 0.0416695364, 0.00837312452, 0.00137805939)
)
EXPM1 = tl.constexpr(
    (
        *(0.499999970, 0.166666716, 0.0416668020, 0.00833343994),
        *(0.00139309070, 0.000197350979),
    )
)


@triton.jit
def _horner(x, row: tl.constexpr):
    """The polynomial with these coefficients, rounded at each step as NumPy does it."""
    n: tl.constexpr = len(row)
    p = x * row[n - 1] + row[n - 2]
    for i in tl.static_range(3, n + 1):
        p = p * x + row[n - i]
    return p


@triton.jit
def _fused(x, row: tl.constexpr):
    """The polynomial with fused multiply-adds, in float32."""
    n: tl.constexpr = len(row)
    p = tl.fma(x, row[n - 1], row[n - 2])
    for i in tl.static_range(3, n + 1):
        p = tl.fma(p, x, row[n - i])
    return p


@triton.jit
def maximum(a, b):
    """np.maximum: NaN if one of them is. Also what joins partial maxima."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(a, b):
    """np.minimum: NaN if one of them is. Also what joins partial minima."""
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def divide(a, b):
    """The quotient, rounded to nearest."""
    if a.dtype == tl.float64:
        return a / b
    else:
        return tl.div_rn(a, b)


@triton.jit
def copysign(x, s):
    """The size of `x` with the sign of `s`."""
    if x.dtype == tl.float64:
        sign = s.to(tl.int64, bitcast=True) & -0x8000000000000000
        size = x.to(tl.int64, bitcast=True) & 0x7FFFFFFFFFFFFFFF
        return (size | sign).to(tl.float64, bitcast=True)
    else:
        sign = s.to(tl.int32, bitcast=True) & -0x80000000
        size = x.to(tl.int32, bitcast=True) & 0x7FFFFFFF
        return (size | sign).to(tl.float32, bitcast=True)


@triton.jit
def round(x):
    """The nearest whole number, ties to even."""
    a = tl.abs(x)
    if x.dtype == tl.float64:
        near = (a + 4503599627370496.0) - 4503599627370496.0
        return copysign(tl.where(a < 4503599627370496.0, near, a), x)
    else:
        near = (a + 8388608.0) - 8388608.0
        return copysign(tl.where(a < 8388608.0, near, a), x)


@triton.jit
def _power_of_two(n):
    """2**n in float32, for -126 <= n <= 127 given as int32."""
    return ((n + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def exp(x):
    """e**x."""
    if x.dtype == tl.float64:
        return tl.exp(x)
    else:
        a = minimum(maximum(x, -104.0), 89.0)
        n = tl.fma(a, 1.44269502, 12582912.0) - 12582912.0
        f = tl.fma(n, -1.42860677e-6, tl.fma(n, -0.693145752, a))
        i = tl.where(x == x, n, 0.0).to(tl.int32)
        p = _fused(f, EXP) * _power_of_two(i >> 1)
        return p * _power_of_two(i - (i >> 1))


@triton.jit
def expm1(x):
    """e**x - 1."""
    if x.dtype == tl.float64:
        # W. Kahan: the errors of the two factors cancel.
        u = tl.exp(x)
        near = (u - 1.0) * (x / tl.log(u))
        near = tl.where(u == 1.0, x, near)
        return tl.where(u - 1.0 == -1.0, -1.0, tl.where(x > 700.0, u, near))
    else:
        a = minimum(maximum(x, -20.0), 89.0)
        n = tl.fma(a, 1.44269502, 12582912.0) - 12582912.0
        f = tl.fma(n, -1.42860677e-6, tl.fma(n, -0.693145752, a))
        v = tl.fma(_fused(f, EXPM1), f * f, f)
        # 2 (t v + (t - 1/2)), the difference as a sum of two numbers
        t = _power_of_two(tl.where(x == x, n, 0.0).to(tl.int32) - 1)
        high = t - 0.5
        low = (t - high) - 0.5
        far = tl.fma(v, t, low) + high
        found = tl.where(n == 0.0, v, far + far)
        return tl.where(x == 0.0, x, found)


@triton.jit
def log1p(x):
    """log(1 + x)."""
    # W. Kahan: the error of 1 + x is in both log(u) and u - 1.
    u = x + 1.0
    near = tl.log(u) * divide(x, u - 1.0)
    return tl.where(u == 1.0, x, tl.where(u == float("inf"), u, near))


@triton.jit
def tanh(x):
    """The hyperbolic tangent."""
    t = expm1(tl.abs(x) * -2.0)
    return copysign(divide(t, t + 2.0), x)


@triton.jit
def erf(x):
    """The error function: tanh(x R(x**2)), as in tracer/special.py."""
    if x.dtype == tl.float64:
        square = minimum(x * x, 36.0)
        return tanh(_horner(square, ERF_NUM) / _horner(square, ERF_DEN) * x)
    else:
        return tanh(_horner(minimum(x * x, 16.0), ERF_F32) * x)


@triton.jit
def erfinv(x):
    """The inverse of `erf`, as in tracer/special.py."""
    w = tl.log((1.0 - x) * (1.0 + x)) * -1.0
    near = minimum(w, 5.0)
    a = tl.abs(x)
    if x.dtype == tl.float64:
        s = tl.sqrt(tl.log(1.0 - a) * -1.0)
        centre = _horner(near, CENTRE_NUM) / _horner(near, CENTRE_DEN) * x
        tail = _horner(s, TAIL_NUM) / _horner(s, TAIL_DEN) + s
    else:
        s = tl.sqrt_rn(tl.log(1.0 - a) * -1.0)
        centre = tl.div_rn(_horner(near, CENTRE_NUM_F32), _horner(near, CENTRE_DEN_F32))
        centre = centre * x
        tail = tl.div_rn(_horner(s, TAIL_NUM_F32), _horner(s, TAIL_DEN_F32)) + s
    tail = tl.where(a == 1.0, float("inf"), tail)
    return tl.where(w >= 5.0, copysign(tail, x), centre)


@triton.jit
def atan2(y, x):
    """The angle of the point (x, y), from -pi to pi."""
    a, b = tl.abs(y), tl.abs(x)
    most, least = tl.maximum(a, b), tl.minimum(a, b)
    t = divide(least, tl.where(most == 0.0, 1.0, most))
    t = tl.where((least == most) & (most != 0.0), 1.0, t)
    if x.dtype == tl.float64:
        far = t > 0.4375
        u = tl.where(far, (t - 1.0) / (t + 1.0), t)
        z = u * u
        r = _horner(z, ATAN_F64) * z * u + u
        r = tl.where(far, (r + 3.06161699786838301793e-17) + 0.78539816339744830962, r)
        r = tl.where(a > b, (6.123233995736766e-17 - r) + 1.5707963267948966, r)
        r = tl.where(
            x.to(tl.int64, bitcast=True) < 0,
            (1.2246467991473532e-16 - r) + 3.141592653589793,
            r,
        )
    else:
        z = t * t
        r = tl.fma(_fused(z, ATAN_F32) * z, t, t)
        r = tl.where(a > b, (-4.37113883e-8 - r) + 1.57079637, r)
        r = tl.where(
            x.to(tl.int32, bitcast=True) < 0, (-8.74227766e-8 - r) + 3.14159274, r
        )
    return copysign(tl.where((a == a) & (b == b), r, x + y), y)
