"""The table of samples: every primitive and every public function, called.

The rows stand in `samples_*.py`, by family; what a row is stands in `sampling.py`.
Here the variants that write are derived from them (`Tensor.add_` from `add`).
`test_samples_*.py` run one generic check each over the whole table.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

import numpy as np
import pytest
import samples_control
import samples_make
import samples_nn
import samples_pointwise
import samples_reduce
import samples_shape
import samples_transforms
import tracefuse as torch
from sampling import FLOATS, Maker, Sample, as_array, flatten, lookup, tensors

_MODULES = (samples_pointwise, samples_reduce, samples_shape, samples_make)
_MODULES += (samples_control, samples_nn, samples_transforms)
_ROWS: list[Sample] = [row for module in _MODULES for row in module.SAMPLES]


_NAMES = {row.name for row in _ROWS}
_METHODS: dict[int, list[str]] = {}
for _name, _method in vars(torch.Tensor).items():
    _METHODS.setdefault(id(_method), []).append(_name)


def _overwriting(row: Sample) -> Iterator[Sample]:
    """The same calls, by all names, their results written to the first argument."""
    known, _, variant = row.name.partition(":")
    if "." not in known and row.called is lookup(known) and _fits(row):
        for name in _METHODS.get(id(row.called), ()):
            method = f"Tensor.{name}_"
            if hasattr(torch.Tensor, f"{name}_") and method not in _NAMES:
                yield _written(row, f"{method}:{variant}" if variant else method)


def _written(row: Sample, name: str) -> Sample:
    method = lookup(name)
    return row._replace(
        name=name,
        called=lambda x, *rest, **options: method(x.clone(), *rest, **options),
        numpy=row.numpy and _in_type_of_first(row.numpy),
        order=min(row.order, 1),
        dtypes=tuple(d for d in row.dtypes if d in FLOATS) or row.dtypes,
        exact=False,
    )


def _fits(row: Sample) -> bool:
    """Whether the result has the shape of the first argument."""
    arrays = row.make_args(0, row.dtypes[0])
    result = flatten(row.function(*tensors(arrays)))
    first = bool(row.args) and isinstance(row.args[0], Maker)
    return first and len(result) == 1 and as_array(result[0]).shape == arrays[0].shape


def _in_type_of_first(reference: Callable) -> Callable:
    return lambda x, *rest: np.asarray(reference(x, *rest)).astype(x.dtype)


SAMPLES = [*_ROWS, *(new for row in _ROWS for new in _overwriting(row))]


# The size of the result depends on data: recorded at each call, never kept.
SIZED = {
    *("unique", "unique:all", "unique_consecutive", "bincount", "bincount:weights"),
    *("masked_select", "nonzero", "nonzero:tuple", "argwhere", "where:one"),
    *("Tensor.__getitem__:mask", "Tensor.__getitem__:rows"),
}
# Arrays of NumPy's that nobody watches: never kept either.
UNWATCHED = {"from_numpy", "from_dlpack"}
# Python sees numbers: each way is recorded when it is first taken.
BRANCHING = {f"Tensor.{name}" for name in ("item", "__float__", "__int__", "__bool__")}
# All numbers are shown to Python.
SHOWN = {"Tensor.tolist"}
# What only memory knows is a TraceError while recording.
EAGER_ONLY = {"Tensor.storage_offset"}
NOT_TRACED = SIZED | UNWATCHED | SHOWN | EAGER_ONLY


def is_random(row: Sample) -> bool:
    """Whether another seed gives another result."""
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        given = tensors(row.make_args(1, row.dtypes[0]))
        found.append([as_array(leaf) for leaf in flatten(row.function(*given))])
    return not all(map(np.array_equal, *found))


POINTWISE = {row.name for row in samples_pointwise.SAMPLES}
MOVING = {row.name for row in samples_shape.SAMPLES}


def each(rows: list[Sample]) -> Any:
    """A test for each of these samples."""
    return pytest.mark.parametrize("sample", rows, ids=lambda row: row.name)


def each_type(rows: list[Sample], *dtypes: str) -> Any:
    """A test for each of these samples and each of its types among `dtypes`."""
    pairs = [(row, d) for row in rows for d in row.dtypes if not dtypes or d in dtypes]
    ids = [f"{row.name}-{d}" for row, d in pairs]
    return pytest.mark.parametrize(("sample", "dtype"), pairs, ids=ids)
