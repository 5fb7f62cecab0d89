"""DataLoader: batches of a dataset, in order or shuffled, fetched ahead if wanted."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Callable, Iterable, Iterator, Optional

from ....tracer.later import Later
from ....tracer.pytree import tree_map
from ...tensor import Tensor
from .collate import default_collate, default_convert
from .dataset import IterableDataset, batch_of
from .sampler import BatchSampler, RandomSampler, SequentialSampler

__all__ = ["DataLoader"]

futures = Later("concurrent.futures")


class DataLoader:
    """Iterates over a dataset in batches.

    `shuffle` takes the samples in random order, anew each time (drawn from
    `generator`); `sampler` or `batch_sampler` decide on the order themselves. A batch
    is `collate_fn(list of samples)`; with batch_size=None samples come one at a time.

    With `num_workers` > 0 that many threads of this process fetch batches ahead, in the
    same order: it helps where fetching waits for files or for NumPy. With `pin_memory`
    batches lie where a GPU copies from by itself, if there is one. The other options
    about processes are accepted and change nothing.

    ValueError for options that exclude each other.

    >>> from tracefuse.utils.data import TensorDataset
    >>> import tracefuse
    >>> loader = DataLoader(TensorDataset(tracefuse.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: Optional[int] = 1,
        shuffle: Optional[bool] = None,
        sampler: Optional[Iterable] = None,
        batch_sampler: Optional[Iterable] = None,
        num_workers: int = 0,
        collate_fn: Optional[Callable] = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Optional[Callable[[int], Any]] = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: Optional[int] = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
    ):
        if num_workers < 0:
            raise ValueError(
                f"num_workers should be non-negative, but got num_workers={num_workers}"
            )
        if prefetch_factor is not None and (not num_workers or prefetch_factor <= 0):
            raise ValueError("prefetch_factor needs num_workers > 0 and is at least 1")
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.pin_memory, self.timeout = pin_memory, timeout
        self.worker_init_fn = worker_init_fn
        self.prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
        self._streams = isinstance(dataset, IterableDataset)
        self._choose_order(batch_size, shuffle, sampler, batch_sampler, drop_last)
        batched = self._auto_collation
        self.collate_fn = collate_fn or (
            default_collate if batched else default_convert
        )

    def _choose_order(
        self,
        batch_size: Optional[int],
        shuffle: Optional[bool],
        sampler: Optional[Iterable],
        batch_sampler: Optional[Iterable],
        drop_last: bool,
    ) -> None:
        if self._streams and (shuffle or sampler or batch_sampler):
            raise ValueError(
                "DataLoader with IterableDataset: expected unspecified shuffle, "
                "sampler and batch_sampler options"
            )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, "
                    "shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually "
                "exclusive with drop_last"
            )
        if sampler is None and not self._streams:
            sampler = self._default_sampler(shuffle)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler or (), batch_size, drop_last)
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler

    def _default_sampler(self, shuffle: Optional[bool]) -> Iterable:
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    def __len__(self) -> int:
        if self._streams:
            count, size = len(self.dataset), self.batch_size
            if size is None:
                return count
            return count // size if self.drop_last else -(-count // size)
        batches: Any = self.batch_sampler if self._auto_collation else self.sampler
        return len(batches)

    def __iter__(self) -> Iterator:
        if self._streams:
            return self._stream()
        keys: Any = self.batch_sampler if self._auto_collation else self.sampler
        if self.num_workers:
            return self._ahead(iter(keys))
        return map(self._fetch, keys)

    def _fetch(self, key: Any) -> Any:
        batch = self._fetched(key)
        return self._placed(batch)

    def _placed(self, batch: Any) -> Any:
        return tree_map(_pinned, batch) if self.pin_memory else batch

    def _fetched(self, key: Any) -> Any:
        if not self._auto_collation:
            return self.collate_fn(self.dataset[key])
        if self.collate_fn is default_collate:
            batch = batch_of(self.dataset, key)
            if batch is not None:
                return batch
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(key))
        return self.collate_fn([self.dataset[i] for i in key])

    def _ahead(self, keys: Iterator) -> Iterator:
        """Batches in order, a few of them fetched by threads before they are wanted."""
        numbers = itertools.count()
        begin = self.worker_init_fn or (lambda number: None)
        with futures.ThreadPoolExecutor(
            self.num_workers, "DataLoader", lambda: begin(next(numbers))
        ) as pool:
            waiting: deque = deque()
            try:
                for key in keys:
                    waiting.append(pool.submit(self._fetch, key))
                    if len(waiting) > self.num_workers * self.prefetch_factor:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _stream(self) -> Iterator:
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from (self._placed(self.collate_fn(x)) for x in samples)
            return
        while batch := list(itertools.islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self._placed(self.collate_fn(batch))


def _pinned(x: Any) -> Any:
    return x.pin_memory() if isinstance(x, Tensor) else x  # type: ignore
