"""Samplers: the order in which samples are taken."""

from __future__ import annotations

import itertools
from typing import Any, Iterable, Iterator, Optional, Sequence

from ...arrays.creation import as_tensor
from ...dtypes import double
from ...random.draws import randint, randperm
from ...random.generator import Generator
from ...random.multinomial import multinomial

__all__ = ["Sampler", "SequentialSampler", "RandomSampler", "SubsetRandomSampler"]
__all__ += ["WeightedRandomSampler", "BatchSampler"]


class Sampler:
    """The base: subclasses write `__iter__` over indices, and `__len__`."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls

    def __iter__(self) -> Iterator:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Random order, anew each time; `replacement` draws each index independently.

    `num_samples` is the number of indices (default: of samples). ValueError unless it
    is a positive integer.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: Optional[int] = None,
        generator: Optional[Generator] = None,
    ):
        if not isinstance(replacement, bool):
            raise TypeError(
                "replacement should be a boolean value, but got "
                f"replacement={replacement}"
            )
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator
        count = self.num_samples
        if not isinstance(count, int) or count <= 0 and num_samples is not None:
            raise ValueError(
                f"num_samples should be a positive integer value, but got "
                f"num_samples={count}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        known = self._num_samples
        return len(self.data_source) if known is None else known

    def __iter__(self) -> Iterator[int]:
        count, source = len(self.data_source), self.generator
        if not count:
            return
        generator = _fresh() if source is None else source
        if self.replacement:
            drawn: Any = randint(0, count, (self.num_samples,), generator=generator)
            yield from drawn.tolist()
            return
        left = self.num_samples
        while left > 0:
            order: Any = randperm(count, generator=generator)
            yield from order.tolist()[:left]
            left -= count

    def __len__(self) -> int:
        return self.num_samples


def _fresh() -> Generator:
    """A generator of its own, seeded by the default one: one draw for each pass."""
    seed: Any = randint(0, 2**62, (1,))
    return Generator().manual_seed(int(seed[0].item()))


class SubsetRandomSampler(Sampler):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        order: Any = randperm(len(self.indices), generator=self.generator)
        return (self.indices[i] for i in order.tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn in proportion to weights. ValueError for a bad count or weights."""

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
    ):
        if not isinstance(num_samples, int) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got "
                f"num_samples={num_samples}"
            )
        self.weights = as_tensor(weights, dtype=double)
        if self.weights.ndim != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        options = (self.num_samples, self.replacement)
        drawn: Any = multinomial(self.weights, *options, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """The indices of a sampler in lists of `batch_size`; `drop_last` drops a short one.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        whole = isinstance(batch_size, int) and not isinstance(batch_size, bool)
        if not whole or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got "
                f"batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(
                f"drop_last should be a boolean value, but got drop_last={drop_last}"
            )
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return (
            count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        )
