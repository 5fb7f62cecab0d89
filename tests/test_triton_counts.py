"""How many kernels usual programs take, and that none of them waits for the host."""

from __future__ import annotations

import pytest
import tracefuse as torch
from tracefuse.kernels.triton.special import special
from tracefuse.nn import functional as F

pytest.importorskip("triton")


def both(f):
    """The result of `f` and its gradients; the last argument is that by the result."""

    def run(*args):
        *given, g = args
        xs = [
            x.detach().requires_grad_() if x.is_floating_point() else x for x in given
        ]
        y = f(*xs)
        return y.detach(), *torch.autograd.grad(
            y, [x for x in xs if x.requires_grad], g
        )

    return run


def counted(f, *args):
    made = torch.jit(f, backend="triton-interpreter").lower(*args).executable
    assert not made.slow
    return len(made.kernels)


def rms_norm(x, w):
    y = x.float()
    scale = (y * y).mean(-1, keepdim=True).add(1e-6).rsqrt()
    return (y * scale).to(x.dtype) * w


def layer_norm(x, w, b):
    return F.layer_norm(x, (x.shape[-1],), w, b)


def softmax(x):
    return F.softmax(x, -1)


def log_softmax(x):
    return F.log_softmax(x, -1)


# Name, function, how many weights it takes, kernels of it and with its backward.
ROWS = {
    "softmax": (softmax, 0, 1, 1),
    "log_softmax": (log_softmax, 0, 1, 1),
    "rms_norm": (rms_norm, 1, 1, 2),
    "layer_norm": (layer_norm, 2, 1, 2),
}


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
@pytest.mark.parametrize("shape", ((64, 100), (2048, 1024), (8, 16, 4096)), ids=str)
@pytest.mark.parametrize("name", ROWS)
def test_rows(name, shape, dtype):
    f, weights, forward, backward = ROWS[name]
    x = torch.zeros(shape, dtype=dtype)
    args = [x, *(torch.ones(shape[-1], dtype=dtype) for _ in range(weights))]
    assert counted(f, *args) <= forward
    assert counted(both(f), *args, x) <= backward


@pytest.mark.parametrize("shape", ((64, 10), (1024, 1000), (256, 16_000)), ids=str)
def test_cross_entropy(shape):
    x, labels = torch.zeros(shape), torch.zeros(shape[0], dtype=torch.int64)
    assert counted(F.cross_entropy, x, labels) <= 2
    assert counted(both(F.cross_entropy), x, labels, torch.ones(())) <= 2


def test_one_kernel_for_what_is_pointwise():
    x = torch.zeros(1 << 20)
    assert counted(lambda x: F.dropout(x, 0.1), x) == 1
    assert counted(F.gelu, x) == 1
    assert counted(both(F.gelu), x, x) == 1


def mlp_step():
    model = torch.nn.Sequential(
        *(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def test_a_training_step():
    x, y = torch.zeros(64, 784), torch.zeros(64, dtype=torch.int64)
    assert counted(mlp_step(), x, y) <= 10


def test_explain_says_what_runs_on_the_host(monkeypatch):
    def function(x):
        return torch.cumsum(x * 2, 0)

    monkeypatch.delitem(special._TEMPLATES, "cumulative")
    jitted = torch.jit(function, backend="triton-interpreter")
    jitted(torch.randn(5003))
    assert "cumulative on the host, with copies" in jitted.explain()


def test_sizes_become_symbols_for_kernels_too():
    jitted = torch.jit(lambda x: torch.softmax(x, -1), backend="triton-interpreter")
    for n in (4, 5, 6, 7):
        x = torch.randn(n, 8)
        assert torch.allclose(jitted(x), torch.softmax(x, -1))
    assert jitted.cache_info()["recordings"] == 2
    assert "kernel" in jitted.explain()
