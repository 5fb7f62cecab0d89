"""The table of samples: every primitive and every public function, called.

The rows stand in `samples_*.py`, by family; what a row is stands in `sampling.py`. From
them this file derives the variants that write (`Tensor.add_` from `add`), and the
checks `test_samples_*.py` run over all of them.
"""

from __future__ import annotations

from typing import Callable, Iterator

import pytest
import samples_make
import samples_nn
import samples_pointwise
import samples_reduce
import samples_shape
from sampling import ALL_FLOATS, Sample, as_array, flatten, tensors

import tracefuse as torch

__all__ = ["SAMPLES", "each", "each_type"]

_MODULES = (samples_pointwise, samples_reduce, samples_shape, samples_make, samples_nn)
_WRITTEN = [s for m in _MODULES for s in m.SAMPLES]


def _overwriting(sample: Sample) -> Iterator[Sample]:
    """The same call, its result written to a copy of the first argument."""
    name = sample.name.split(":")[0]
    if not hasattr(torch.Tensor, f"{name}_") or ":" in sample.name:
        return
    fitting = tuple(d for d in sample.dtypes if _fits(sample, d))
    if fitting:
        yield sample._replace(
            name=f"Tensor.{name}_",
            function=_written(sample, f"{name}_"),
            numpy=_kept(sample.numpy),
            order=min(sample.order, 1),
            dtypes=fitting,
            exact=False,
        )


def _fits(sample: Sample, dtype: str) -> bool:
    given = sample.make_args(0, dtype)
    got = flatten(sample(tensors(given)))[0]
    array = as_array(got)
    rank = "biuf".index
    kinds = [rank(a.dtype.kind if a.dtype.name != "bfloat16" else "f")
             for a in (array, given[0])]
    return array.shape == given[0].shape and kinds[0] <= kinds[1]


def _written(sample: Sample, method: str) -> Callable:
    """The sample's call with the writing method in place of the function."""

    def call(x, *rest):
        copy = x.clone()
        result = sample.function(_Redirected(copy, method), *rest)
        assert result is copy
        return copy

    return call
