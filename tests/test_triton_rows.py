"""Rows with what is computed for each: losses and norms in one or two kernels."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from test_triton_counts import both, layer_norm, rms_norm, softmax
from tracefuse.kernels.fusion import plan
from tracefuse.kernels.triton.compile import compile
from tracefuse.kernels.triton.interpreter.on_cpu import Interpreter
from tracefuse.nn import functional as F
from tracefuse.tracer import algebra as al
from tracefuse.tracer import types as ty
from tracefuse.tracer.graph import Graph, make, placeholder
from tracefuse.tracer.interpret import interpret

pytest.importorskip("triton")
CLOSE = {torch.float32: 2e-5, torch.bfloat16: 2e-2}


def kernels(f, *args):
    """How many kernels; the results are those of eager mode."""
    jitted = torch.jit(f, backend="triton-interpreter")
    made = jitted.lower(*args).executable
    want, got = f(*args), jitted(*args)
    want, got = (x if isinstance(x, tuple) else (x,) for x in (want, got))
    for a, b in zip(want, got):
        assert a.dtype is b.dtype and a.shape == b.shape
        near, a, b = CLOSE[a.dtype], a.float().numpy(), b.float().numpy()
        scale = max(1.0, float(np.nanmax(np.abs(a))))
        np.testing.assert_allclose(b, a, rtol=near, atol=near * scale)
    assert not made.slow
    return len(made.kernels)


def labels_for(x):
    labels = torch.randint(0, x.shape[1], (x.shape[0], *x.shape[2:]))
    labels.reshape(-1)[1] = -100
    return labels


# Few rows, rows by the thousand, rows in passes: forward, with its gradient.
LOSSES = {(64, 10): (1, 1), (300, 100): (2, 2), (4100, 9): (2, 4), (5, 9000): (2, 2)}


@pytest.mark.parametrize("shape", LOSSES, ids=str)
def test_a_loss_is_one_pass_and_its_end(shape):
    torch.manual_seed(0)
    x = torch.randn(*shape)
    most = LOSSES[shape]
    assert kernels(F.cross_entropy, x, labels_for(x)) <= most[0]
    ends = both(F.cross_entropy)
    assert kernels(ends, x, labels_for(x), torch.ones(())) <= most[1]


@pytest.mark.parametrize(
    "given",
    ({"reduction": "sum"}, {"reduction": "none"}, {"label_smoothing": 0.1}),
    ids=str,
)
@pytest.mark.parametrize("dtype", CLOSE, ids=str)
def test_losses_of_other_kinds(given, dtype):
    torch.manual_seed(0)
    x = torch.randn(130, 70).to(dtype)

    def loss(x, labels):
        return F.cross_entropy(x, labels, **given)

    g = torch.ones(130 if given.get("reduction") == "none" else (), dtype=dtype)
    assert kernels(loss, x, labels_for(x)) <= 2
    assert kernels(both(loss), x, labels_for(x), g) <= 3


def test_a_loss_of_pictures():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7)
    kernels(both(F.cross_entropy), x, labels_for(x), torch.ones(()))


def test_a_label_that_is_none():
    x, labels = torch.randn(70, 100), torch.zeros(70, dtype=torch.int64)
    jitted = torch.jit(F.cross_entropy, backend="triton-interpreter")
    jitted(x, labels)
    labels[3] = 100
    with pytest.raises(IndexError):
        jitted(x, labels)


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("shape", ((130, 100), (8, 33_000), (9, 9000)), ids=str)
def test_norms_and_their_gradients(shape, dtype):
    torch.manual_seed(1)
    w, b = (torch.randn(shape[-1]).to(dtype) for _ in range(2))
    x, g = (torch.randn(*shape).to(dtype) for _ in range(2))
    assert kernels(both(layer_norm), x, w, b, g) <= 2
    assert kernels(both(rms_norm), x, w, g) <= 2
    assert kernels(both(softmax), x, g) == 1


# -- picking, absorbing


def one_graph(count, width):
    """Of each row: its softmax at a label, weighed; and the sums of that."""
    x = placeholder("x", (count, width), ty.float32)
    i = placeholder("i", (count,), ty.int64)
    e = al.exp(x * 0.25)
    p = e / e.sum((-1,)).reshape((count, 1)).expand(x.shape)
    weight = (i % 3).cast(ty.float32)
    loss = make("gather", (p, i), batch=1) * weight
    return Graph("f", [x, i], [loss.sum((-1,)), weight.sum((-1,)), loss])


@pytest.mark.parametrize("shape", ((4200, 9), (100, 60), (20, 9)), ids=str)
def test_picking_takes_no_pass(shape):
    graph = one_graph(*shape)
    rng = np.random.default_rng(0)
    rows = rng.integers(-shape[1], shape[1], shape[0])
    given = [rng.normal(size=shape).astype(np.float32), rows]
    made = compile(graph, Interpreter())
    for got, want in zip(made.run(*given), interpret(graph, given)):
        np.testing.assert_allclose(got, want, rtol=1e-4)
    assert len(made.kernels) <= 2
    assert max(w.shape for s in made.program.steps for w in s.writes) < shape


def test_sums_that_a_loop_needs_come_before_it():
    x = placeholder("x", (1000, 50), ty.float32)
    w = placeholder("w", (1000,), ty.float32)
    share = w / (w * w).sum((-1,)).reshape((1,)).expand((1000,))
    total = x.sum((-1,)) * share
    y = x * total.reshape((1000, 1)).expand(x.shape)
    graph = Graph("f", [x, w], [y])
    (loop,) = plan(graph, small=4096, rows=True).regions
    assert len(loop.whole) == 1 and len(plan(graph, small=4096).regions) > 1
    made = compile(graph, Interpreter())
    given = [
        np.random.default_rng(n).normal(size=v.shape).astype(np.float32)
        for n, v in enumerate(graph.inputs)
    ]
    (got,), (want,) = made.run(*given), interpret(graph, given)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert len(made.kernels) == 1
