"""Sizes that change become symbols by themselves: few recordings, right answers."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.utils.data import DataLoader, TensorDataset


def recordings(f):
    return f.cache_info()["recordings"]


def _rounded(x):
    return np.round(x.detach().numpy(), 4).tolist()


def plain(x):
    if isinstance(x, torch.Tensor):
        return str(x.dtype), tuple(x.shape), repr(_rounded(x))
    if isinstance(x, (tuple, list)):
        return type(x).__name__, [plain(each) for each in x]
    return type(x).__name__, repr(x)


def outcome(function, *args):
    try:
        return plain(function(*args))
    except Exception as error:
        return type(error).__name__


# Of x (n, 4), y (n, 4), z (m, 4): recorded for a first size, for any, for 1 and for 0.
GENERAL = """
x * 2 + y; x @ x.T; (x * y).sum(0); x.sum(1); x.mean(); x.mean(0); x.std()
x.var(0); x.reshape(-1); x.reshape(x.shape[0], -1); x.view(-1, 2)
x.reshape(2, -1); x.flatten(); x.T.reshape(-1); x.permute(1, 0)
x.unsqueeze(0).expand(3, -1, -1); x.t().contiguous(); x[: x.shape[0] // 2]
x[x.shape[0] // 2 :]; x[1:]; x[:-1]; x[::2]; x[-1]; x[0]; x[:, 1]
torch.cat([x, z]); torch.cat([x, y], 1); torch.stack([x, y]); x.softmax(0)
x.cumsum(0); x.sum() / x.shape[0]; x.shape[0] * 0.5; x.shape[0] / 2
1 / x.shape[0]; x * (x.shape[0] - 1); x / x.size(0); x.numel()
x.shape[0] ** 0.5; (x.shape[0] + 1) // 2; x.shape[0] % 3; x.ndim
torch.zeros(x.shape[0], 2); torch.ones_like(x); torch.arange(x.shape[0])
x.new_zeros(x.shape[0]); torch.full((x.shape[0],), x.shape[0])
torch.eye(4).expand(x.shape[0], 4, 4); x.shape; x.argmax(1); x.topk(2).values
x.sort(1).values; x.amax(0); x.norm(); x.roll(1, 0); x.flip(0)
nn.functional.relu(x) @ torch.ones(4, 2); nn.functional.mse_loss(x, y); x.max()
x.any()
nn.functional.cross_entropy(x, torch.zeros(x.shape[0], dtype=torch.int64))
x > y; nn.functional.layer_norm(x, (4,)); nn.functional.log_softmax(x, 1)
torch.where(x > 0, x, y); nn.functional.pad(x, (1, 1))
x.gather(1, torch.zeros(x.shape[0], 1, dtype=torch.int64)); x.chunk(2, 1)
x.split(2, 1); x.repeat(2, 1); torch.einsum("ij,kj->ik", x, z); x.tril()
(x - x.mean(0)) / (x.var(0) + 1); x[:, None, :] * y[None, 0]
x.clone().add_(y).mul_(2); torch.dot(x[:, 0], y[:, 0])
torch.outer(x[:, 0], z[:, 0]); x.masked_fill(x > 1, 0.0)
""".replace("\n", ";")
GUARDED = """
x * 2 if x.shape[0] > 4 else x; x[:3] if len(x) >= 3 else x
x if x.shape[0] % 2 else -x; [r.sum() for r in x]
sum(x[i] * i for i in range(x.shape[0])); f"{x.shape[0]} rows"
x.sum(0) if x.shape == y.shape else None
x + z if x.shape[0] == z.shape[0] else x; x.shape[0] in (3, 5)
{3: "a", 5: "b"}.get(x.shape[0]); (3, 5).count(x.shape[0]); x + z; x.tolist()
x.unbind(0); x / len(x); len(x); x.new_zeros(len(x)); x.chunk(2); x.split(2)
int(x.shape[0]); bool(x.shape[0] - 5); isinstance(x.shape[0], int)
type(x.shape[0]) is int; list(range(x.shape[0])); x.shape[0] & 1
x[3] if len(x) > 3 else 0; min(x.shape[0], 5); max(len(x), z.shape[0])
str(x.shape[0]); np.ones(x.shape[0]).sum(); "a" * x.shape[0]
divmod(x.shape[0], 3); x.view(3, -1); x[4]; [1, 2, 3][: x.shape[0]]
hash(x.shape[0]); x.shape[0].bit_length(); abs(-x.shape[0]); x.squeeze()
""".replace("\n", ";")
SIZES = [(3, 2), (3, 2), (5, 4), (7, 3), (5, 6), (1, 2), (2, 2), (3, 1), (8, 1), (4, 4)]


def texts(table):
    return [text.strip() for text in table.split(";") if text.strip()]


def function_of(text):
    return eval(f"lambda x, y, z: ({text})", {"torch": torch, "nn": nn, "np": np})


def check(text):
    f = torch.jit(function_of(text))
    for n, m in SIZES:
        x = torch.arange(n * 4.0).reshape(n, 4).sin()
        y, z = x.cos(), torch.arange(m * 4.0).reshape(m, 4).cos()
        want = outcome(f.__wrapped__, x.clone(), y.clone(), z.clone())
        got = outcome(f, x.clone(), y.clone(), z.clone())
        assert got == want, (n, m, f.explain())
    return f


@pytest.mark.parametrize("text", texts(GENERAL))
def test_a_size_is_recorded_twice(text):
    f = check(text)
    again = 1 + ("z" in text)  # sizes of 1 are apart, for each argument
    assert recordings(f) <= 3 + 2 * again, f.explain()


@pytest.mark.parametrize("text", texts(GUARDED))
def test_what_python_asks_of_a_size_is_guarded(text):
    check(text)


def test_no_recording_after_the_second_size():
    f = torch.jit(lambda x: (x * 2).sum(0) / x.shape[0])
    for n in (8, 8, 5, 7, 11, 100, 2, 8):
        x = torch.ones(n, 3)
        assert f(x).tolist() == [2.0] * 3
    assert recordings(f) == 2 and f.cache_info()["signatures"] == 2
    assert "float32[s0, 3]" in f.explain()


def test_each_axis_is_a_symbol_of_its_own():
    f = torch.jit(lambda x, y: x @ y)
    for n, k, m in [(2, 3, 4), (5, 6, 7), (8, 3, 4), (2, 9, 7), (5, 5, 5), (6, 2, 3)]:
        assert f(torch.ones(n, k), torch.ones(k, m)).tolist() == [[float(k)] * m] * n
    assert recordings(f) == 2, f.explain()


def test_equal_sizes_are_one_symbol_until_they_differ():
    f = torch.jit(lambda x, y: (x.sum() + y.sum(), x.shape[0] == y.shape[0]))
    for n, m in [(3, 3), (4, 4), (5, 5), (6, 4), (7, 5), (8, 8), (9, 2)]:
        total, same = f(torch.ones(n), torch.ones(m))
        assert total.item() == n + m and same is (n == m)
    assert recordings(f) <= 4, f.explain()


def test_a_size_that_is_used_as_a_number_says_so():
    f = torch.jit(lambda x: [x[i] * i for i in range(x.shape[0])])
    for n in (3, 4, 5, 6, 3, 4):
        assert [t.item() for t in f(torch.ones(n))] == [float(i) for i in range(n)]
    assert "one recording for each size of axis 0" in f.explain()
    assert recordings(f) == 4


def test_an_epoch_with_a_short_last_batch():
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(50, 6), torch.randint(0, 3, (50,)))

    def train(wrap):
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3)
        )
        opt = torch.optim.Adam(net.parameters(), lr=0.01)

        def step(x, y):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            opt.step()
            return loss.item()

        step, losses = wrap(step), []
        for size in (16, 16, 16, 12, 12):
            for x, y in DataLoader(data, batch_size=size, drop_last=False):
                losses.append(step(x, y))
        return losses, step

    want, _ = train(lambda f: f)
    got, step = train(torch.jit)
    np.testing.assert_allclose(got, want, rtol=2e-4)
    assert all(type(n) is float for n in got)
    # Adam's first two calls, then any size (the last batch of two rows as well).
    assert recordings(step) <= 4, step.explain()


def test_gradients_for_any_size():
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    f = torch.jit(lambda x: (x * w).tanh().sum() / x.shape[0])
    for n in (2, 4, 3, 7, 1, 5):
        x = torch.arange(n * 3.0).reshape(n, 3).sin()
        w.grad = None
        f(x).backward()
        got, w.grad = w.grad.tolist(), None
        f.__wrapped__(x).backward()
        np.testing.assert_allclose(got, w.grad.tolist(), rtol=1e-5)
    assert recordings(f) <= 3


def test_writes_into_arguments_of_any_size():
    f = torch.jit(lambda x, y: x.add_(y)[0].mul_(2))
    for n in (2, 4, 3, 7, 1, 5, 4):
        x, y = torch.ones(n, 2), torch.ones(n, 2)
        a, b = torch.ones(n, 2), torch.ones(n, 2)
        assert f(x, y).tolist() == f.__wrapped__(a, b).tolist()
        assert x.tolist() == a.tolist()
    assert recordings(f) <= 3


def test_batches_that_are_views_of_one_array():
    data = torch.arange(40.0).reshape(20, 2)
    f = torch.jit(lambda x, y: (x * 2 + y.sum(), x.sub_(1))[0])
    for n in (3, 5, 4, 1, 6):
        want = (data[:n] * 2 + data[n : 2 * n].sum()).tolist()
        below = (data[:n] - 1).tolist()
        assert f(data[:n], data[n : 2 * n]).tolist() == want
        assert data[:n].tolist() == below


def test_sizes_that_escape_are_ints():
    class Box:
        pass

    box, sizes = Box(), []

    @torch.jit
    def f(x):
        box.n = x.shape[0]
        sizes.append(x.shape[0] + 1)
        return x, {"n": x.shape[0], "pair": (x.shape[0] * 2, x.shape[1])}

    for n in (3, 4, 5, 6):
        _, found = f(torch.ones(n, 2))
        assert found == {"n": n, "pair": (2 * n, 2)} and box.n == n
        assert type(box.n) is type(sizes[-1]) is type(found["n"]) is int
    assert sizes == [4, 5, 6, 7]


def test_marked_sizes_are_left_to_their_marks():
    f = torch.jit(lambda x: x.sum(0), dynamic_shapes={"x": {0: torch.Dim("rows")}})
    for n, m in [(2, 3), (4, 3), (5, 3), (5, 4), (6, 5)]:
        assert f(torch.ones(n, m)).tolist() == [float(n)] * m
    assert recordings(f) == 3


def test_layers_for_any_batch():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(64, 5), nn.LayerNorm(5), nn.Dropout(0.0),
    )  # fmt: skip
    f = torch.jit(net)
    for n in (4, 3, 5, 8, 2):
        x = torch.arange(n * 64.0).reshape(n, 1, 8, 8).sin()
        np.testing.assert_allclose(
            f(x).detach().numpy(), net(x).detach().numpy(), atol=1e-5
        )
    assert recordings(f) == 2, f.explain()
