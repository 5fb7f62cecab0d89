"""Datasets, samplers and the loader."""

from __future__ import annotations

import collections
import threading

import numpy as np
import pytest
import tracefuse
from tracefuse.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return tracefuse.tensor([float(i)]), i * i


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


def seeded(seed=0):
    return tracefuse.Generator().manual_seed(seed)


def listed(loader):
    return [batch.tolist() for batch in loader]


def test_batches_in_order():
    loader = DataLoader(Squares(5), batch_size=2)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert [b.flatten().tolist() for b, _ in batches] == [[0, 1], [2, 3], [4]]
    assert [n.tolist() for _, n in batches] == [[0, 1], [4, 9], [16]]
    assert isinstance(batches[0], list) and batches[0][1].dtype is tracefuse.int64
    assert len(DataLoader(Squares(5), 2, drop_last=True)) == 2
    assert len(list(DataLoader(Squares(5), 2, drop_last=True))) == 2
    assert len(DataLoader(Squares(0), 2)) == 0 == len(list(DataLoader(Squares(0), 2)))


def test_shuffling_is_a_permutation_and_follows_the_seed():
    data = list(range(20))
    loader = DataLoader(data, 20, shuffle=True, generator=seeded())
    first, second = listed(loader)[0], listed(loader)[0]
    assert first != second and sorted(first) == sorted(second) == data
    again = DataLoader(data, 20, shuffle=True, generator=seeded())
    assert listed(again)[0] == first
    tracefuse.manual_seed(1)
    a = listed(DataLoader(data, 20, shuffle=True))
    tracefuse.manual_seed(1)
    assert listed(DataLoader(data, 20, shuffle=True)) == a


def test_rows_of_tensors_come_as_single_samples_would():
    x, y = tracefuse.randn(7, 3), tracefuse.arange(7)
    data = Subset(Subset(TensorDataset(x, y), [6, 5, 4, 3]), [3, 0, 1])
    (fast,) = DataLoader(data, 3)
    slow = default_collate([data[i] for i in range(3)])
    assert isinstance(fast, list) and fast[1].tolist() == [3, 6, 5]
    assert all(tracefuse.equal(a, b) for a, b in zip(fast, slow))
    fast[0].zero_()
    assert float(x.abs().min()) > 0
    with pytest.raises(AssertionError, match="Size mismatch"):
        TensorDataset(x, y[:3])


def test_collating():
    point = collections.namedtuple("point", "x y")
    samples = [
        {"a": np.float64(1.5), "b": [1, 2.5], "c": "s", "d": point(np.zeros(2), True)},
        {"a": np.float64(2.5), "b": [3, 4.5], "c": "t", "d": point(np.ones(2), False)},
    ]
    batch = default_collate(samples)
    assert batch["a"].dtype is tracefuse.float64 and batch["a"].tolist() == [1.5, 2.5]
    assert batch["b"][0].tolist() == [1, 3] and batch["b"][1].dtype is tracefuse.float64
    assert batch["c"] == ["s", "t"] and batch["d"].x.shape == (2, 2)
    assert batch["d"].y.dtype is tracefuse.bool
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="found <class 'object'>"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found an array of"):
        default_collate([np.array(["a"])])
    assert list(DataLoader(Squares(2), 2, collate_fn=len)) == [2]


def test_without_batches():
    assert list(DataLoader([np.zeros(2), 3], batch_size=None))[1] == 3
    streamed = DataLoader(Stream(), batch_size=2)
    assert listed(streamed) == [[0, 1], [2, 3], [4]]
    assert len(list(DataLoader(Stream(), 2, drop_last=True))) == 2
    assert list(DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]


def test_workers_keep_the_order_and_pass_errors_on():
    started, threads = [], set()

    class Slow(Squares):
        def __getitem__(self, i):
            threads.add(threading.current_thread().name)
            if i == 11:
                raise OSError("sample 11 is broken")
            return i

    loader = DataLoader(Slow(11), 2, num_workers=2, worker_init_fn=started.append)
    assert listed(loader) == listed(DataLoader(list(range(11)), 2))
    assert sorted(started) == list(range(len(started)))[:2]
    assert threading.current_thread().name not in threads
    for _ in loader:  # leaving early is no trouble
        break
    with pytest.raises(OSError, match="sample 11"):
        list(DataLoader(Slow(13), 2, num_workers=2))


def test_options_that_exclude_each_other():
    data = Squares(4)
    for options, text in [
        (dict(shuffle=True, sampler=[0]), "mutually exclusive with shuffle"),
        (dict(batch_sampler=[[0]], batch_size=3), "batch_sampler option"),
        (dict(batch_sampler=[[0]], drop_last=True), "batch_sampler option"),
        (dict(batch_size=None, drop_last=True), "disables auto-batching"),
        (dict(batch_size=0), "positive integer"),
        (dict(num_workers=-1), "non-negative"),
        (dict(prefetch_factor=2), "prefetch_factor"),
    ]:
        with pytest.raises(ValueError, match=text):
            DataLoader(data, **options)
    with pytest.raises(ValueError, match="IterableDataset"):
        DataLoader(Stream(), shuffle=True)
    with pytest.raises(TypeError, match="colour"):
        DataLoader(data, colour=1)


def test_samplers():
    assert listed(DataLoader(list(range(4)), 2, sampler=[3, 1])) == [[3, 1]]
    batches = [[3], [0, 1]]
    assert listed(DataLoader(list(range(4)), batch_sampler=batches)) == batches
    few = list(RandomSampler(range(5), num_samples=7, generator=seeded()))
    assert sorted(few[:5]) == list(range(5)) and len(few) == 7
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=50))
    assert set(drawn) == {0, 1, 2}
    assert sorted(SubsetRandomSampler([4, 2], seeded())) == [2, 4]
    heavy = list(WeightedRandomSampler([0.0, 1.0, 0.0], 5))
    assert heavy == [1] * 5
    alone = WeightedRandomSampler([1.0, 1.0], 2, replacement=False)
    assert sorted(alone) == [0, 1]
    assert list(BatchSampler(range(3), 2, True)) == [[0, 1]]
    for wrong in (lambda: RandomSampler([1], num_samples=0),
                  lambda: WeightedRandomSampler([1.0], 0)):  # fmt: skip
        with pytest.raises(ValueError, match="num_samples"):
            wrong()


def test_datasets_together():
    both = Squares(2) + Squares(3)
    assert isinstance(both, ConcatDataset) and len(both) == 5
    assert [both[i][1] for i in (0, 1, 2, 4, -1)] == [0, 1, 0, 4, 4]
    with pytest.raises(ValueError, match="exceed dataset length"):
        both[5]
    assert list(Stream() + Stream()) == [*range(5)] * 2
    assert StackDataset(a=[1, 2], b="xy")[1] == {"a": 2, "b": "y"}
    assert StackDataset([1, 2], "xy")[0] == (1, "x")


def test_random_splits():
    parts = random_split(range(10), [7, 3], seeded())
    assert [len(p) for p in parts] == [7, 3]
    assert sorted([*parts[0], *parts[1]]) == list(range(10))
    assert [list(p) for p in random_split(range(10), [7, 3], seeded())] == [
        list(p) for p in parts
    ]
    assert [len(p) for p in random_split(range(10), [0.5, 0.25, 0.25])] == [6, 2, 2]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(range(10), [7, 2])
