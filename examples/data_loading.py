"""Data: datasets of tensors and of one's own, batches in order or shuffled, splits."""

import tracefuse as torch
from tracefuse.utils.data import DataLoader, Dataset, TensorDataset, random_split


def tensors():
    """Rows of tensors; each epoch shuffles anew, and the last batch is what is left."""
    x = torch.tensor([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
    y = torch.tensor([0.0, 1.0, 0.0])
    loader = DataLoader(TensorDataset(x, y), batch_size=2, shuffle=True)
    for inputs, targets in loader:
        print(f"Inputs: {inputs}, Targets: {targets}")
    sizes = [len(targets) for _, targets in loader]
    assert sizes == [2, 1] and len(loader) == 2
    seen = torch.cat([inputs for inputs, _ in loader])
    assert seen[:, 0].sort().values.tolist() == [1.0, 2.0, 3.0]


class Points(Dataset):
    """A dataset of one's own says how long it is and what sample `i` is."""

    def __init__(self, count=100):
        self.data = torch.randn(count, 3)
        self.labels = torch.randint(0, 2, (count, 1))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index], self.labels[index]


def own_dataset():
    for data, labels in DataLoader(Points(), batch_size=10, shuffle=True):
        assert data.size() == (10, 3) and labels.size() == (10, 1)
    print(data.size(), labels.size(), labels.dtype)


class Halves(Dataset):
    """Samples may be dicts of numbers and arrays; batches are dicts of tensors."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"name": f"number {index}", "half": index / 2}


def other_samples():
    first, _, last = DataLoader(Halves(), batch_size=2)
    print(first)
    assert first["name"] == ["number 0", "number 1"]
    assert first["half"].tolist() == [0.0, 0.5] and last["half"].tolist() == [2.0]
    assert len(list(DataLoader(Halves(), batch_size=2, drop_last=True))) == 2

    def names(samples):
        return [sample["name"] for sample in samples]

    batches = list(DataLoader(Halves(), batch_size=3, collate_fn=names))
    assert [len(batch) for batch in batches] == [3, 2]


def splitting():
    """Parts without overlap; the same generator gives the same parts and order."""

    def epoch(seed):
        generator = torch.Generator().manual_seed(seed)
        parts = random_split(range(10), [0.7, 0.3], generator=generator)
        loader = DataLoader(parts[0], batch_size=4, shuffle=True, generator=generator)
        return [batch.tolist() for batch in loader], [*parts[1]]

    train, held_out = epoch(7)
    print(train, held_out)
    assert sorted(sum(train, []) + held_out) == list(range(10))
    assert epoch(7) == (train, held_out) and epoch(8) != (train, held_out)


def workers():
    """Threads that fetch ahead change nothing but the time."""
    points = Points()
    plain = [x.tolist() for x, _ in DataLoader(points, batch_size=32)]
    ahead = DataLoader(points, batch_size=32, num_workers=2, pin_memory=True)
    assert [x.tolist() for x, _ in ahead] == plain


def main():
    torch.manual_seed(0)
    tensors()
    own_dataset()
    other_samples()
    splitting()
    workers()


if __name__ == "__main__":
    main()
