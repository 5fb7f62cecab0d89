"""One or more samples of every differentiable primitive, at points where it is smooth.

A sample is (arrays, attributes). Floating arrays are float64, for finite differences.
"""

import numpy as np
from tracefuse.tracer.types import float32

_rng = np.random.default_rng(7)


def normal(*shape):
    """Standard normal numbers."""
    return _rng.standard_normal(shape)


def positive(*shape):
    """Numbers between 0.5 and 2."""
    return _rng.uniform(0.5, 2.0, shape)


def inner(*shape):
    """Numbers between -0.9 and 0.9."""
    return _rng.uniform(-0.9, 0.9, shape)


def with_zeros(*numbers):
    """The numbers given, zeros among them."""
    return np.array(numbers, float)


def index(*numbers):
    """An index array."""
    return np.array(numbers, np.int64)


_PAIR = [([normal(2, 3), normal(2, 3) + 4], {})]
_ROWS_OF_X = index([0, 2, 2], [1, 0, 0])
_BATCHED = index([0, 2, 2, -1], [1, 0, 0, 1])
_SHARED = [0, 1, 1, 3]


def _scatters(mode):
    # Distinct numbers: at ties the extremes have kinks.
    x, u = normal(4, 2), normal(4, 2)
    rows = [([x, index(*_SHARED), u], {"batch": 0, "mode": mode})]
    batched = [normal(2, 3), index([0, 0], [2, 1]), normal(2, 2)]
    return [*rows, (batched, {"batch": 1, "mode": mode})]


def _scans(mode):
    return [
        ([normal(2, 5)], {"axis": -1, "mode": mode}),
        ([normal(4, 2)], {"axis": -2, "mode": mode}),
        ([normal(1)], {"axis": -1, "mode": mode}),
    ]


SAMPLES = {
    "neg": [([normal(3)], {})],
    "abs": [([normal(4)], {})],
    "floor": [([normal(3)], {})],
    "round": [([normal(3)], {})],
    "sqrt": [([positive(3)], {})],
    "exp": [([normal(3)], {})],
    "expm1": [([normal(3)], {})],
    "log": [([positive(3)], {})],
    "log1p": [([positive(3)], {})],
    "sin": [([normal(3)], {})],
    "cos": [([normal(3)], {})],
    "tanh": [([normal(2, 2)], {})],
    "erf": [([normal(3)], {})],
    "erfinv": [([inner(3)], {})],
    "add": _PAIR,
    "sub": _PAIR,
    "mul": _PAIR,
    "div": _PAIR,
    "idiv": _PAIR,
    "rem": [([normal(4) * 5, with_zeros(2.5, -2.5, 1.3, -0.7)], {})],
    "pow": [([positive(4), normal(4)], {})],
    "atan2": [([normal(4), normal(4)], {})],
    "maximum": [([normal(5), normal(5)], {})],
    "minimum": [([normal(5), normal(5)], {})],
    "where": [([np.array([True, False, True]), normal(3), normal(3)], {})],
    "cast": [([normal(3)], {"dtype": float32})],
    "leaf": [([normal(3)], {})],
    "again": [([normal(3)], {})],
    "sum": [([normal(2, 3, 2)], {"axes": (-1, -3)}), ([normal(2)], {"axes": ()})],
    "prod": [
        ([normal(2, 3, 2)], {"axes": (-1, -3)}),
        ([with_zeros(2, 0, 3, -1.5)], {"axes": (-1,)}),
        ([with_zeros(2, 0, 0, -1.5)], {"axes": (-1,)}),
        ([with_zeros(0, 0, 0)], {"axes": (-1,)}),
        ([normal(2)], {"axes": ()}),
    ],
    "max": [([normal(3, 4)], {"axes": (-1,)}), ([normal(2, 3)], {"axes": (-2, -1)})],
    "min": [([normal(3, 4)], {"axes": (-1,)}), ([normal(2, 3)], {"axes": (-2, -1)})],
    "expand": [
        ([normal(1, 3)], {"shape": (2, 4, 3)}),
        ([np.array(1.5)], {"shape": (2,)}),
        ([normal(1, 1)], {"shape": (1, 3)}),
    ],
    "reshape": [([normal(2, 3)], {"shape": (3, 2)}), ([normal(1)], {"shape": ()})],
    "permute": [([normal(2, 3, 4)], {"axes": (-1, -3, -2)})],
    "slice": [
        ([normal(7)], {"axis": -1, "start": 1, "length": 3, "step": 2}),
        ([normal(7, 2)], {"axis": -2, "start": 5, "length": 3, "step": -2}),
        ([normal(3)], {"axis": -1, "start": 2, "length": 3, "step": -1}),
        ([normal(3)], {"axis": -1, "start": 1, "length": 0, "step": 2}),
        ([normal(3)], {"axis": -1, "start": 0, "length": 3, "step": 1}),
    ],
    "pad": [
        ([normal(3)], {"pads": ((1, 2, 0),), "value": 5.0}),
        ([normal(2, 3)], {"pads": ((0, 0, 0), (1, 0, 2)), "value": 0.0}),
    ],
    "concat": [([normal(2, 1), normal(2, 3), normal(2, 2)], {"axis": -1})],
    "update_slice": [
        ([normal(6), normal(2)], {"axis": -1, "start": 1, "step": 3}),
        ([normal(5, 2), normal(2, 2)], {"axis": -2, "start": 4, "step": -2}),
    ],
    "windows": [
        ([normal(2, 5)], {"size": (2,), "stride": (2,), "dilation": (1,)}),
        ([normal(4, 5)], {"size": (2, 2), "stride": (1, 2), "dilation": (2, 1)}),
    ],
    "fold": [
        ([normal(3, 2)], {"shape": (5,), "stride": (1,), "dilation": (2,)}),
        ([normal(2, 2)], {"shape": (9,), "stride": (3,), "dilation": (1,)}),
    ],
    "dot": [
        ([normal(2, 3), normal(3, 4)], {}),
        ([normal(2, 2, 3), normal(2, 3, 1)], {}),
    ],
    "gather": [
        ([normal(3, 2), _ROWS_OF_X], {"batch": 0}),
        ([normal(2, 3), _BATCHED], {"batch": 1}),
    ],
    "scatter": [
        sample
        for mode in ("set", "add", "mul", "max", "min")
        for sample in _scatters(mode)
    ],
    "cumulative": [
        *(s for mode in ("add", "mul", "max", "min") for s in _scans(mode)),
        ([with_zeros(2, 0, 3, 0, 0, -1.5)], {"axis": -1, "mode": "mul"}),
    ],
}
