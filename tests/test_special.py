"""erf and erfinv against the standard library, to a few units in the last place."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from tracefuse.tracer import special
from tracefuse.tracer.special import ERF_F32, erf, erfinv

WIDE = [np.float32, np.float64]
HALF = [np.float16, ml_dtypes.bfloat16]
ULP = 6  # measured below 4; NumPy's tanh and log differ a little between machines

# Exact doubles and their images, from 30-digit arithmetic.
INVERSES = [
    (1e-10, 8.862269254527581e-11),
    (0.1, 0.08885599049425769),
    (0.5, 0.4769362762044699),
    (0.9, 1.1630871536766743),
    (0.99, 1.8213863677184494),
    (1 - 2.0**-24, 3.832506856900711),
    (1 - 2.0**-40, 5.05125408524939),
    (1 - 2.0**-53, 5.8635847487551676),
]


def ulps(got: np.ndarray, want: np.ndarray) -> float:
    """The largest error, in units of the last place of the right answer."""
    unit = np.spacing(np.abs(want).astype(got.dtype)).astype(np.float64)
    return float((np.abs(got.astype(np.float64) - want) / unit).max())


def exact_erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(v) for v in x.tolist()])


def grid(dtype) -> np.ndarray:
    tiny = np.geomspace(np.finfo(dtype).tiny, 1, 2001)
    return np.concatenate([np.linspace(-7, 7, 40001), tiny, -tiny]).astype(dtype)


@pytest.mark.parametrize("dtype", WIDE)
def test_erf_is_right_to_a_few_ulp(dtype):
    x = grid(dtype)
    got = erf(x)
    assert got.dtype == dtype and ulps(got, exact_erf(x)) < ULP


@pytest.mark.parametrize("dtype", WIDE)
def test_erf_is_odd_and_bounded(dtype):
    x = grid(dtype)
    got = erf(x)
    np.testing.assert_array_equal(erf(-x), -got)
    assert np.abs(got).max() == 1


@pytest.mark.parametrize("dtype", WIDE)
def test_erf_at_the_edges(dtype):
    big = np.finfo(dtype).max
    x = np.array([0.0, -0.0, 7.0, -7.0, big, np.inf, -np.inf, np.nan], dtype)
    with np.errstate(all="raise"):
        got = erf(x)
    np.testing.assert_array_equal(got, [0, 0, 1, -1, 1, 1, -1, np.nan])
    assert np.signbit(got[1]) and not np.signbit(got[0])


def test_erf_spelled_out_from_its_coefficients():
    x = np.linspace(-4, 4, 1001)
    tall = np.polynomial.polynomial.polyval(x * x, ERF_F32.num)
    assert np.abs(np.tanh(x * tall) - exact_erf(x)).max() < 1.2e-7
    assert ERF_F32.den == (1.0,)


@pytest.mark.parametrize("x, want", INVERSES)
def test_erfinv_known_values(x, want):
    got = erfinv(np.array([x, -x]))
    assert ulps(got, np.array([want, -want])) < ULP


def test_erfinv_undoes_erf():
    x = np.linspace(-0.9999, 0.9999, 20001)
    assert ulps(exact_erf(erfinv(x)), x) < 2 * ULP


def test_erfinv_far_out():
    """Near 1 the complement is the measure: erfc(y) moves by 2 y^2 ulp for one of y."""
    left = np.geomspace(2.0**-52, 0.1, 4001)
    x = 1 - left
    y = erfinv(x)
    back = np.array([math.erfc(v) for v in y.tolist()])
    assert (np.abs(back / (1 - x) - 1) < (2 * y * y + 4) * ULP * 2.0**-53).all()


def test_erfinv_float32_follows_float64():
    near = 1 - np.geomspace(2.0**-24, 0.1, 4001)
    x = np.concatenate([np.linspace(-0.999, 0.999, 40001), near]).astype(np.float32)
    x = x[x < 1]
    got = erfinv(x)
    assert got.dtype == np.float32 and ulps(got, erfinv(x.astype(np.float64))) < ULP


@pytest.mark.parametrize("dtype", WIDE)
def test_erfinv_at_the_edges(dtype):
    above = np.nextafter(dtype(1), dtype(2))
    x = np.array([0.0, -0.0, 1, -1, above, -above, np.inf, np.nan], dtype)
    with np.errstate(all="raise"):
        got = erfinv(x)
    np.testing.assert_array_equal(got, [0, 0, np.inf, -np.inf, *[np.nan] * 4])
    assert np.signbit(got[1]) and not np.signbit(got[0])


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("function", [erf, erfinv])
def test_half_types_round_the_float32_answer(function, dtype):
    x = np.linspace(-1, 1, 501).astype(dtype)
    want = function(x.astype(np.float32)).astype(dtype)
    got = function(x)
    assert got.dtype == x.dtype and got.tobytes() == want.tobytes()


@pytest.mark.parametrize("function", [erf, erfinv])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (5, 7), (3, 50_001)])
def test_every_shape(function, shape):
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    before = x.copy()
    got = function(x)
    assert got.shape == shape and (x == before).all()
    if shape:
        each = [function(row) for row in x]
        np.testing.assert_array_equal(got, np.array(each, x.dtype).reshape(shape))


@pytest.mark.parametrize("function", [erf, erfinv])
def test_strided_and_read_only(function):
    x = np.random.default_rng(1).uniform(-1, 1, (40, 30))
    x.flags.writeable = False
    for view in (x.T, x[::-2, ::3], np.broadcast_to(x[0], (4, 30))):
        np.testing.assert_array_equal(function(view), function(view.copy()))


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.complex64])
@pytest.mark.parametrize("function", [erf, erfinv])
def test_other_types_are_refused(function, dtype):
    with pytest.raises(TypeError, match=np.dtype(dtype).name):
        function(np.zeros(3, dtype))


def test_tiles_take_scratch_from_the_caller():
    x = np.linspace(-1, 1, 9)
    out, scratch = np.empty_like(x), np.empty((2, 9))
    special.erf_into(x, out, scratch)
    np.testing.assert_array_equal(out, erf(x))
