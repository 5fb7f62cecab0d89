"""What a row of the table of samples is, and what its arguments are made of."""

from __future__ import annotations

import itertools
import math
from typing import Any, Callable, NamedTuple, Optional, Sequence

import ml_dtypes
import numpy as np
import tracefuse as torch

FLOATS = ("float32", "float64")
HALVES = ("float16", "bfloat16")
ALL_FLOATS = (*FLOATS, *HALVES)
INTS = ("int64", "int32", "uint8")
NUMBERS = (*ALL_FLOATS, *INTS)
PLAIN = ("int64",)  # for samples whose arguments are whole numbers to begin with


class Sample(NamedTuple):
    """One call of one public function, and what is known about it.

    The name is the public one (`Tensor.` before a method), with `:variant` after it
    where there are several. Makers among `args` become tensors. `order` is how often
    it is differentiated by finite differences (0 to 2). `exact` says that the result is
    `numpy` of arrays of the same type, bit for bit.
    """

    name: str
    called: Callable
    args: tuple
    options: dict
    numpy: Optional[Callable]
    order: int
    dtypes: tuple
    rtol: float
    exact: bool

    def make_args(self, seed: int, dtype: str) -> list[np.ndarray]:
        """Arrays for the tensors; what is real is made of this type."""
        rng = np.random.default_rng(seed)
        makers = [a for a in self.args if isinstance(a, Maker)]
        return [fit(m.make(rng), dtype) for m in makers]

    @property
    def function(self) -> Callable:
        """A function of the tensors alone."""
        called, options = self.called, self.options
        at = itertools.count()
        slots = [
            (True, next(at)) if isinstance(a, Maker) else (False, a) for a in self.args
        ]
        return lambda *tensors: called(
            *[tensors[slot] if drawn else slot for drawn, slot in slots], **options
        )


class Maker(NamedTuple):
    """Draws one argument."""

    make: Callable[[np.random.Generator], np.ndarray]


def real(*shape: int) -> Maker:
    """Standard normal numbers."""
    return Maker(lambda rng: np.asarray(rng.standard_normal(shape)))


def between(low: float, high: float, *shape: int) -> Maker:
    """Numbers in an interval."""
    return Maker(lambda rng: np.asarray(rng.uniform(low, high, shape)))


def positive(*shape: int) -> Maker:
    """Numbers between 0.5 and 2."""
    return between(0.5, 2.0, *shape)


def inner(*shape: int) -> Maker:
    """Numbers between -0.9 and 0.9."""
    return between(-0.9, 0.9, *shape)


def unit(*shape: int) -> Maker:
    """Numbers between 0.05 and 0.95."""
    return between(0.05, 0.95, *shape)


def away(*shape: int) -> Maker:
    """Numbers of either sign that are not near zero."""
    sign = lambda rng: np.where(rng.uniform(size=shape) < 0.5, -1, 1)
    return Maker(lambda rng: np.asarray(rng.uniform(0.5, 2, shape) * sign(rng)))


def special(*shape: int) -> Maker:
    """Infinities, NaN, both zeros and plain numbers."""
    some = [0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 3.0]
    return Maker(
        lambda rng: rng.permutation(np.resize(some, shape).ravel()).reshape(shape)
    )


def whole(low: int, high: int, *shape: int) -> Maker:
    """Integers in [low, high), int64 whatever the sample's type."""
    return Maker(lambda rng: np.asarray(rng.integers(low, high, shape)))


def shuffled(n: int) -> Maker:
    """0 to n-1 in any order."""
    return Maker(lambda rng: rng.permutation(n))


def mask(*shape: int) -> Maker:
    """Bools, both kinds among them wherever two fit."""

    def make(rng: np.random.Generator) -> np.ndarray:
        return (rng.permutation(math.prod(shape)) % 2 == 0).reshape(shape)

    return Maker(make)


def given(array: Any) -> Maker:
    """The same array at every call."""
    return Maker(lambda rng: np.array(array))


def fit(array: np.ndarray, dtype: str) -> np.ndarray:
    """Real numbers in the type of the sample; bools and integers stay."""
    if array.dtype.kind != "f":
        return array
    kind = numpy_type(dtype)
    if kind.kind in "iu":
        array = np.rint(array * 4)
        array = np.abs(array) if kind.kind == "u" else array
    return array.astype(kind)


def numpy_type(name: str) -> np.dtype:
    """NumPy's type of this name."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def lookup(name: str) -> Any:
    """The public function of a sample: `Tensor.add_`, `nn.functional.gelu:tanh`."""
    found: Any = torch
    for part in name.split(":")[0].split("."):
        found = getattr(found, part)
    return found


def sample(
    name: str,
    *args: Any,
    call: Optional[Callable] = None,
    numpy: Optional[Callable] = None,
    order: int = 0,
    dtypes: tuple = FLOATS,
    rtol: float = 0.0,
    exact: bool = False,
    **options: Any,
) -> Sample:
    """A row: Makers become tensors, other arguments are passed as they are."""
    called = call or lookup(name)
    return Sample(name, called, args, options, numpy, order, dtypes, rtol, exact)


def tensors(arrays: Sequence, grad: bool = False) -> list:
    """A tensor of each array; with `grad`, a variable where it can be one."""
    made = [torch.tensor(a) for a in arrays]
    return [t.requires_grad_(grad and t.dtype.is_floating_point) for t in made]


def flatten(result: Any) -> list:
    """The tensors and numbers of a nested result, one after the other."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in flatten(part)]
    return [result]


def as_array(leaf: Any) -> np.ndarray:
    """One of them as an array."""
    return leaf.detach().numpy() if isinstance(leaf, torch.Tensor) else np.asarray(leaf)


# A few units in the last place, since two ways of computing round apart.
CLOSE = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


def assert_close(got: Any, want: Any, rtol: float = 0.0) -> None:
    """Equal to rounding, and of the same type, shape and structure."""
    got, want = flatten(got), flatten(want)
    assert len(got) == len(want)
    for one, two in zip(map(as_array, got), map(as_array, want)):
        assert (one.shape, one.dtype) == (two.shape, two.dtype)
        bound = max(CLOSE.get(one.dtype.name, 0), rtol if one.dtype.kind != "i" else 0)
        np.testing.assert_allclose(wide(one), wide(two), bound, bound)


def assert_same(got: Any, want: Any) -> None:
    """Equal bit for bit (but for the payload of NaN)."""
    got, want = flatten(got), flatten(want)
    assert len(got) == len(want)
    for one, two in zip(map(as_array, got), map(as_array, want)):
        assert (one.shape, one.dtype) == (two.shape, two.dtype)
        np.testing.assert_array_equal(wide(one), wide(two))
        if one.dtype.kind == "f":
            zero = np.equal(one, 0)
            assert np.array_equal(np.signbit(one[zero]), np.signbit(two[zero]))


def wide(array: np.ndarray) -> np.ndarray:
    """bfloat16 as float32, which every NumPy function knows."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
