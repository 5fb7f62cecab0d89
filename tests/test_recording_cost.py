"""What recording saves itself changes nothing that it notices and gives."""

from __future__ import annotations

import gc
import math
import time

import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.jit import parting
from tracefuse.tracer.broadcast import broadcast
from tracefuse.tracer.errors import ShapeError
from tracefuse.tracer.record import Recorder
from tracefuse.tracer.sizes import Dim


def always(f):
    """`f` jitted, and recorded at every call: it looks at the clock."""

    def run(*args):
        time.time()
        return f(*args)

    return torch.jit(run)


def gradient(f, x):
    x = x.detach().requires_grad_()
    f(x).sum().backward()
    return x.grad.tolist()


def test_a_known_structure_is_not_differentiated_again(monkeypatch):
    calls = []
    split = parting.split
    monkeypatch.setattr(parting, "split", lambda *a: calls.append(a) or split(*a))
    f, x = always(lambda x: (x * 3.25).tanh() * x), torch.ones(3)
    for _ in range(4):
        assert gradient(f, x) == pytest.approx(gradient(f.__wrapped__, x))
    assert len(calls) == 1


def test_programs_that_differ_in_a_number_or_an_order_are_others():
    factors = iter([2.0, 3.0, 2.0, -0.0, 0.0])
    x = torch.ones(2)

    def f(x):
        factor = next(factors)
        return x * x * factor if factor != 3.0 else x * factor * x

    f = torch.jit(f)
    assert [gradient(f, x)[0] for _ in range(5)] == [4.0, 6.0, 4.0, 0.0, 0.0]


def test_what_is_kept_is_of_this_recording():
    f = always(lambda x, y: (x * y).exp())
    for n in (1.0, 2.0, 0.5):
        x, y = (torch.full((2,), v, requires_grad=True) for v in (n, n + 1))
        f(x, y).sum().backward()
        assert x.grad.tolist() == pytest.approx([(n + 1) * math.exp(n * (n + 1))] * 2)
        assert y.grad.tolist() == pytest.approx([n * math.exp(n * (n + 1))] * 2)


def test_a_list_of_the_users_own_kind_is_heard_inside_the_library():
    class Clocked(list):
        def __iter__(self):
            time.monotonic()
            return super().__iter__()

    f = torch.jit(lambda x: torch.stack(Clocked([x, x])))
    f(torch.ones(2))
    assert "monotonic" in f.explain()


def test_code_that_a_module_calls_is_heard():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            return self.fc(x).relu() * self.factor()

        def factor(self):
            return time.monotonic() * 0 + 1

    f = torch.jit(nn.Sequential(nn.ReLU(), Net()))
    f(torch.ones(1, 2))
    assert "monotonic" in f.explain()


def test_calls_after_a_look_at_a_number_are_heard():
    def f(x):
        if x.sum() > 0:  # what is pending runs here, and nobody listens to that
            x = x + 1
        return x * (time.monotonic() * 0 + 1)

    f = torch.jit(f)
    f(torch.ones(2))
    assert "monotonic" in f.explain()


def test_a_step_of_a_users_optimizer_is_heard():
    class Clocked(torch.optim.SGD):
        def step(self, closure=None):
            time.monotonic()
            return super().step(closure)

    w = torch.ones(2, requires_grad=True)
    optimizer = Clocked([w], lr=0.5)

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    f = torch.jit(step)
    f()
    assert "monotonic" in f.explain() and w.tolist() == [0.0, 0.0]


def test_numbers_that_are_equal_and_not_the_same():
    x = torch.ones(1)
    assert [(x / n).item() for n in (0.0, -0.0, 0, 0.0)] == [
        *(math.inf, -math.inf, math.inf, math.inf)
    ]
    assert (torch.ones(1, dtype=torch.int64) * True).dtype is torch.int64
    assert (torch.ones(1, dtype=torch.int64) * 1.0).dtype is torch.float32


def test_a_number_used_twice_is_not_written_to():
    x = torch.zeros(()) + 5.0
    x += 1
    assert (torch.zeros(()) + 5.0).item() == 5.0


def test_views_of_a_variable_without_gradients():
    w = torch.ones(2, 3, requires_grad=True)

    def f(x):
        with torch.no_grad():
            v = w.t()
            y = x @ v
            v.mul_(2)
        return y + x @ w.t()

    x = torch.ones(1, 2, 3)
    want = f(x), w.tolist()
    with torch.no_grad():
        w.fill_(1)
    got = torch.jit(f)(x)
    assert got.tolist() == want[0].tolist() and w.tolist() == want[1]
    got.sum().backward()
    assert w.grad.tolist() == [[2.0] * 3] * 2  # what no_grad saw adds nothing


def test_broadcast():
    n, m = Dim("n").bind(4), Dim("m").bind(4)
    assert broadcast((n, 3), (3,), (1, 1)) == (n, 3)
    assert broadcast((3,), (2, 1)) == (2, 3) and broadcast((1,), (0,)) == (0,)
    assert broadcast((), ()) == () and broadcast((1, n), (5, 1))[1] is n
    for shapes in (((2,), (3,)), ((0,), (2,)), ((2, 3), (3, 2))):
        with pytest.raises(ShapeError, match="must match"):
            broadcast(*shapes)
    assert m is not n


def test_a_recording_is_gone_without_the_collector():
    f, x = always(lambda x: x * 2), torch.ones(2)
    f(x)
    gc.collect()
    gc.disable()
    try:
        f(x)
        assert not [o for o in gc.get_objects() if type(o) is Recorder]
    finally:
        gc.enable()
