"""erf and its inverse for NumPy, which has neither.

    erf(x)    = tanh(x R(x^2))          all x: one formula, no branch
    erfinv(x) = x C(w)                  w = -log((1 - x)(1 + x)) < 5
              = sign(x) (s + T(s))      s = sqrt(-log(1 - |x|)), elsewhere

R, C and T are quotients of polynomials (`Ratio`). The tanh form follows from erf's own
shape: atanh(erf(x)) / x is even, smooth and slow. The variable w and the split at 5 are
those of M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2011. The
coefficients are minimax fits of the relative error, made in 90-digit arithmetic by
linearised least squares with Lawson's weights; each note says what is left. Errors in
ulp count the rounding of the evaluation too, and NumPy's tanh and log.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .types import BY_NUMPY, HALVES, float32, float64

__all__ = ["Ratio", "erf", "erf_into", "erfinv", "erfinv_into", "ERF_F32", "ERF_F64"]

Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


class Ratio:
    """num(x) / den(x) in one element type; coefficients from the lowest power up.

    `num` and `den` are Python floats, for generated code to spell.

    >>> out = np.empty(2)
    >>> Ratio(np.float64, (1.0, 2.0)).into(np.array([3.0, 5.0]), out, np.empty(2))
    >>> out
    array([ 7., 11.])
    """

    __slots__ = ("num", "den", "operands")

    def __init__(
        self, dtype: type, num: tuple[float, ...], den: tuple[float, ...] = (1.0,)
    ):
        self.num, self.den = num, den
        # Prebuilt 0-d arrays: a Python float costs each ufunc call a conversion.
        self.operands = [[np.array(c, dtype) for c in row] for row in (num, den)]

    def into(self, x: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
        """Write the quotient at `x` to `out`; three arrays of one shape and dtype."""
        num, den = self.operands
        _horner(num, x, out)
        if len(den) > 1:
            _horner(den, x, scratch)
            np.divide(out, scratch, out=out)


def _horner(row: list[np.ndarray], x: np.ndarray, out: np.ndarray) -> None:
    *rest, top = row
    np.multiply(x, top, out=out)
    for c in rest[:0:-1]:
        np.add(out, c, out=out)
        np.multiply(out, x, out=out)
    np.add(out, rest[0], out=out)


# erf = tanh(x R(x^2)), |x| <= 4: error 9.5e-8 (weighed as it shows in erf).
ERF_F32 = Ratio(
    np.float32,
    (
        *(1.1283792, 0.10276906, -0.0001918429, -0.00061977375),
        *(8.763297e-05, -5.667754e-06, 1.4181201e-07),
    ),
)
# |x| <= 6: error 1.1e-17. All coefficients are positive: nothing cancels.
ERF_F64 = Ratio(
    np.float64,
    (
        *(1.1283791670955126, 0.6352249249263926, 0.20127530835153776),
        *(0.0415564770751573, 0.006022070541975374, 0.0006258720471801789),
        *(4.582705665616122e-05, 2.2854213448631936e-06, 6.440287783725995e-08),
        4.669623874226735e-10,
    ),
    (
        *(1.0, 0.47187358394342327, 0.13558281719639467, 0.025090071932890114),
        *(0.003266461289154154, 0.000302642352122852, 1.9050968351287135e-05),
        *(8.037473536802832e-07, 1.379341382824528e-08, 2.864617869758181e-11),
    ),
)
# erfinv = x C(w), 0 <= w <= 5: error 3.0e-9.
CENTRE_F32 = Ratio(
    np.float32,
    (0.88622695, 0.3091969, 0.055440225, 0.0062776105, 0.00038656034),
    (1.0, 0.08709206, 0.026724089, 0.0015891036, 4.3367392e-05),
)
# Error 4.8e-18.
CENTRE_F64 = Ratio(
    np.float64,
    (
        *(0.886226925452758, 0.34965566821877325, 0.09345994297935684),
        *(0.01799799695217265, 0.002562945169634313, 0.00027604698033673123),
        *(2.189643736036537e-05, 1.165862926482273e-06, 3.2206682288433826e-08),
    ),
    (
        *(1.0, 0.13274478387577546, 0.057673712513971846, 0.006114567299255776),
        *(0.0010338259749907975, 7.9692475432776e-05, 5.554034882997073e-06),
        *(2.3699723498869785e-07, 1.9561080071217173e-09),
    ),
)
# erfinv = sign(x) (s + T(s)), 2.38 <= s <= 4.2: error 8.2e-11 (as it shows in the sum).
TAIL_F32 = Ratio(
    np.float32,
    (0.14690147, -1.4523841, -0.45478654, -0.003279339),
    (1.0, 1.744222, 1.8856286, 0.23026554),
)
# 2.38 <= s <= 6.07: error 1.0e-18.
TAIL_F64 = Ratio(
    np.float64,
    (
        *(0.027196837746661852, -1.1697251475823722, -1.5810648176018893),
        *(-3.517861445926353, -1.8195841401008674, -0.2105161418751464),
        *(-0.005013453666712825, -4.812009585230396e-06),
    ),
    (
        *(1.0, 2.92444520843079, 5.497344543002508, 6.426263179848064),
        *(5.372994915382661, 1.450534979927439, 0.10936591853651284),
        0.0017424370977418726,
    ),
)

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
# By element type: the ratio, and the x^2 where its fit ends and erf is flat.
_ERF = {F32: (ERF_F32, np.array(16, F32)), F64: (ERF_F64, np.array(36, F64))}
_INVERSE = {F32: (CENTRE_F32, TAIL_F32), F64: (CENTRE_F64, TAIL_F64)}
_SPLIT = 5.0
# The arrays of one tile stay in the L2 cache: 32,768 float32 numbers.
TILE_BYTES = 1 << 17
_WORK = {float32: F32, float64: F64, **{half: F32 for half in HALVES}}


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, for floats of any kind; shape and dtype of `x`.

    Measured error: at most 3.8 ulp in float32, 3.5 in float64 (mean 0.6 and 0.4); half
    types pass through float32 and round once more. Odd; NaN stays NaN. Raises
    TypeError for other types.

    >>> erf(np.array([0.0, 0.5, -np.inf]))
    array([ 0.        ,  0.52049988, -1.        ])
    """
    return _tiled("erf", erf_into, np.asarray(x))


def erfinv(x: np.ndarray) -> np.ndarray:
    """The inverse of `erf` on [-1, 1]; shape and dtype of `x`; NaN outside.

    Measured error: at most 3.3 ulp in float32, 3.1 in float64 (mean 0.6 in both); half
    types pass through float32 and round once more. Infinite at -1 and 1. Raises
    TypeError for other types.

    >>> erfinv(np.array([0.0, 0.5, -1.0, 2.0]))
    array([0.        , 0.47693628,       -inf,        nan])
    """
    return _tiled("erfinv", erfinv_into, np.asarray(x))


def erf_into(x: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
    """Write erf(x) to `out`: one tile, no allocation.

    `x` and `out` are distinct arrays [n] of one type, float32 or float64, `scratch` is
    [2, n]. An x whose square overflows sets NumPy's flag; the caller says who hears it.
    """
    ratio, limit = _ERF[x.dtype]
    square, spare = scratch
    np.multiply(x, x, out=square)
    np.minimum(square, limit, out=square)
    ratio.into(square, out, spare)
    np.multiply(out, x, out=out)
    np.tanh(out, out=out)


def erfinv_into(x: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
    """Write erfinv(x) to `out`; arguments as in `erf_into`.

    The tails, 0.34 percent of uniform numbers, are computed apart.
    """
    centre, tail = _INVERSE[x.dtype]
    w, spare = scratch
    # 1 - x^2 as a product: the square would round away what counts near 1.
    np.subtract(1, x, out=w)
    np.add(1, x, out=out)
    np.multiply(w, out, out=w)
    np.log(w, out=w)
    np.negative(w, out=w)
    far = np.flatnonzero(w >= _SPLIT)
    np.minimum(w, _SPLIT, out=w)
    centre.into(w, out, spare)
    np.multiply(out, x, out=out)
    if far.size:
        out[far] = _tail(x[far], tail)


def _tail(x: np.ndarray, ratio: Ratio) -> np.ndarray:
    s = np.sqrt(-np.log(1 - np.abs(x)))
    out = np.empty_like(s)
    ratio.into(s, out, np.empty_like(s))
    np.add(out, s, out=out)
    out[np.isinf(s)] = np.inf  # at -1 and 1, where the quotient is inf / inf
    return np.copysign(out, x)


def _tiled(name: str, kernel: Kernel, x: np.ndarray) -> np.ndarray:
    try:
        work = _WORK[BY_NUMPY[x.dtype]]
    except KeyError:
        message = f"{name} takes floating-point numbers, got {x.dtype}"
        raise TypeError(message) from None
    flat = np.ascontiguousarray(x, work).reshape(-1)
    out, tile = np.empty_like(flat), TILE_BYTES // work.itemsize
    scratch = np.empty((2, min(tile, flat.size)), work)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, tile):
            part = flat[start : start + tile]
            kernel(part, out[start : start + tile], scratch[:, : part.size])
    return out.reshape(x.shape).astype(x.dtype, copy=False)
