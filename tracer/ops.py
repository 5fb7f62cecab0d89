"""The primitives: what each one *is*.

One row per primitive: its kind and its NumPy meaning, `meaning(*arrays, **attrs)`.
The meaning is the executable definition: it runs eager tensors on a CPU, folds
constants, and is what every generated kernel is tested against. The kind carries all
structure (shape rule in `shapes.py`, batching rule, kernel template).

Axes in attributes are negative, so that a leading batch dimension changes nothing.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from . import meaning as m
from .special import erf, erfinv

__all__ = ["OPS", "Op"]


class Op(NamedTuple):
    """One primitive: its name, its kind, and what it does to NumPy arrays."""

    name: str
    kind: str
    meaning: Callable


_ROWS = {
    "pointwise": {
        "neg": np.negative,
        "abs": np.absolute,
        "floor": np.floor,
        "round": np.rint,
        "sqrt": np.sqrt,
        "exp": np.exp,
        "expm1": np.expm1,
        "log": np.log,
        "log1p": np.log1p,
        "sin": np.sin,
        "cos": np.cos,
        "tanh": np.tanh,
        "erf": erf,
        "erfinv": erfinv,
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.true_divide,
        "idiv": np.floor_divide,
        "rem": np.remainder,
        "pow": np.power,
        "atan2": np.arctan2,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
        "shl": np.left_shift,
        "shr": np.right_shift,
        "where": np.where,
        "cast": m.cast,
        "stop_gradient": m.identity,
        "leaf": m.identity,
        # The same numbers; what is computed from them is computed again, never shared.
        "again": m.identity,
    },
    "compare": {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
    },
    "reduce": {
        "sum": m.reduce_sum,
        "prod": m.reduce_prod,
        "max": m.reduce_max,
        "min": m.reduce_min,
        "argmax": m.argmax,
        "argmin": m.argmin,
    },
    "movement": {
        "expand": m.expand,
        "reshape": m.reshape,
        "permute": m.permute,
        "slice": m.slice_axis,
        "pad": m.pad,
        "concat": m.concat,
        "update_slice": m.update_slice,
    },
    "window": {
        "windows": m.windows,
        "fold": m.fold,
    },
    "contract": {
        "dot": m.dot,
    },
    "index": {
        "gather": m.gather,
        "scatter": m.scatter,
    },
    "scan": {
        "cumulative": m.cumulative,
        "argsort": m.argsort,
    },
    "source": {
        "input": None,
        "constant": m.constant,
        "iota": m.iota,
        "random_bits": m.random_bits,
    },
    # Nodes that run graphs of their own (control.py); an item is one of the results.
    "control": {
        "call": None,
        "cond": None,
        "while": None,
        "scan": None,
        "item": None,
    },
}

OPS = {
    name: Op(name, kind, meaning)
    for kind, rows in _ROWS.items()
    for name, meaning in rows.items()
}
