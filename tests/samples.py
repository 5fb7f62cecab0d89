"""The table of samples: every primitive and every public function, called.

The rows stand in `samples_*.py`, by family; what a row is stands in `sampling.py`.
Here the variants that write are derived from them (`Tensor.add_` from `add`).
`test_samples_*.py` run one generic check each over the whole table.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np
import pytest
import samples_make
import samples_nn
import samples_pointwise
import samples_reduce
import samples_shape
from sampling import FLOATS, Sample, as_array, flatten, lookup, tensors

import tracefuse as torch

_MODULES = (samples_pointwise, samples_reduce, samples_shape, samples_make, samples_nn)
_ROWS: list[Sample] = [row for module in _MODULES for row in module.SAMPLES]


def _overwriting(row: Sample) -> Iterator[Sample]:
    """The same call, its result written to a copy of the first argument."""
    plain, method = row.name.isidentifier(), f"{row.name}_"
    known = f"Tensor.{method}" in _NAMES
    if not plain or known or row.called is not lookup(row.name):
        return
    if hasattr(torch.Tensor, method) and _fits(row):
        yield row._replace(
            name=f"Tensor.{method}",
            called=lambda x, *rest, **options: getattr(x.clone(), method)(*rest, **options),
            numpy=row.numpy and _in_type_of_first(row.numpy),
            order=min(row.order, 1),
            dtypes=tuple(d for d in row.dtypes if d in FLOATS) or row.dtypes,
            exact=False,
        )


_NAMES = {row.name for row in _ROWS}


def _fits(row: Sample) -> bool:
    """Whether the result has the shape of the first argument."""
    arrays = row.make_args(0, row.dtypes[0])
    result = flatten(row.function(*tensors(arrays)))[0]
    return as_array(result).shape == arrays[0].shape


def _in_type_of_first(reference: Callable) -> Callable:
    return lambda x, *rest: np.asarray(reference(x, *rest)).astype(x.dtype)


SAMPLES = [*_ROWS, *(new for row in _ROWS for new in _overwriting(row))]


NOT_TRACED: dict = {}


def each(rows: list[Sample]) -> Any:
    """A test for each of these samples."""
    return pytest.mark.parametrize("sample", rows, ids=lambda row: row.name)


def each_type(rows: list[Sample], *dtypes: str) -> Any:
    """A test for each of these samples and each of its types among `dtypes`."""
    pairs = [(row, d) for row in rows for d in row.dtypes if not dtypes or d in dtypes]
    ids = [f"{row.name}-{d}" for row, d in pairs]
    return pytest.mark.parametrize(("sample", "dtype"), pairs, ids=ids)
