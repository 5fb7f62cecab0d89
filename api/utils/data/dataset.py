"""Datasets: what has samples by number, or one after the other."""

from __future__ import annotations

import bisect
import itertools
import math
from typing import Any, Iterable, Iterator, Optional, Sequence

from ...arrays.creation import tensor
from ...random.draws import randperm
from ...tensor import Tensor

__all__ = ["Dataset", "IterableDataset", "TensorDataset", "ConcatDataset"]
__all__ += ["ChainDataset", "StackDataset", "Subset", "random_split"]


class Dataset:
    """Samples by number: subclasses write `__getitem__`, and `__len__` where known."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls  # Dataset[...] says what a sample is, to readers

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples one after the other: subclasses write `__iter__`."""

    def __iter__(self) -> Iterator:
        raise NotImplementedError(
            "Subclasses of IterableDataset should implement __iter__."
        )

    def __add__(self, other: Dataset) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Sample i is row i of each tensor. AssertionError when their lengths differ.

    >>> import tracefuse
    >>> TensorDataset(tracefuse.arange(3), tracefuse.zeros(3))[1]
    (tensor(1), tensor(0.))
    """

    def __init__(self, *tensors: Tensor):
        if any(t.shape[0] != tensors[0].shape[0] for t in tensors):
            sizes = ", ".join(str(t.shape[0]) for t in tensors)
            raise AssertionError(f"Size mismatch between tensors: lengths {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(t[index] for t in self.tensors)  # type: ignore[index]

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


def batch_of(dataset: Any, indices: list) -> Optional[list]:
    """The collated samples at once where rows of tensors are all there is to it.

    None where samples must be taken one by one. The result is the same.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or not indices:
        return None
    rows = tensor(indices)
    return [t[rows] for t in dataset.tensors]  # type: ignore[index]


class ConcatDataset(Dataset):
    """Datasets one after the other. AssertionError when there are none."""

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        count = len(self)
        if not -count <= index < count:
            raise ValueError(
                "absolute value of index should not exceed dataset length: "
                f"{index} given, length {count}"
            )
        index = index % count
        which = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]


class ChainDataset(IterableDataset):
    """Iterable datasets one after the other."""

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(map(len, self.datasets))


class StackDataset(Dataset):
    """Sample i is sample i of each dataset, as a tuple or by name.

    ValueError when there are none or their lengths differ.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if args and kwargs or not (args or kwargs):
            raise ValueError(
                "StackDataset takes datasets by position or by name, at least one"
            )
        self.datasets: Any = kwargs or args
        self._length = len(self._each()[0])
        if any(len(d) != self._length for d in self._each()):
            raise ValueError("Size mismatch between datasets")

    def _each(self) -> list:
        return list(self.datasets.values() if self._named() else self.datasets)

    def _named(self) -> bool:
        return isinstance(self.datasets, dict)

    def __getitem__(self, index: int) -> Any:
        if self._named():
            return {name: d[index] for name, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset):
    """The samples of a dataset at the given indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[Any], generator: Any = None
) -> list[Subset]:
    """Random subsets without overlap, of the given lengths or fractions.

    Fractions add up to 1; what rounding leaves goes to the first subsets. ValueError
    when the lengths do not add up to that of the dataset.

    >>> import tracefuse
    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    count = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _from_fractions(lengths, count)
    if sum(lengths) != count:
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"{sum(lengths)} given, {count} expected"
        )
    order = randperm(count, generator=generator).tolist()  # type: ignore[attr-defined]
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, lengths)]


def _from_fractions(fractions: Sequence[float], count: int) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(count * fraction) for fraction in fractions]
    for i in range(count - sum(lengths)):
        lengths[i % len(lengths)] += 1
    return lengths
