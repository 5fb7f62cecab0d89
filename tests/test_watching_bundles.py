"""jit: several tensors in one place, `self.state = (h, c)`, are put there each time."""

from __future__ import annotations

import collections

import pytest
import tracefuse as torch
from tracefuse.tracer.watching.bundles import alike, is_bundle

ROWS = {}
State = collections.namedtuple("State", "h c")


def row(make):
    """Register `make() -> (function, what to look at)`."""
    ROWS[make.__name__] = make
    return make


class Box:
    def __init__(self, **given):
        vars(self).update(given)


def zeros(n=2):
    return [torch.zeros(3) for _ in range(n)]


@row
def a_pair():
    box = Box(state=tuple(zeros()))

    def f(x):
        h, c = box.state
        box.state = (h * 0.5 + x, c + h)
        return box.state[0] + c

    return f, lambda: box.state


@row
def a_list():
    box = Box(hidden=zeros())

    def f(x):
        h, c = box.hidden
        box.hidden = [c + x, h * 2]
        return box.hidden[1] * 2

    return f, lambda: box.hidden


@row
def items_of_a_list():
    box = Box(hidden=zeros())

    def f(x):
        box.hidden[0], box.hidden[1] = box.hidden[1] + x, box.hidden[0]
        return box.hidden[1] * 2

    return f, lambda: box.hidden


@row
def an_item_of_a_dict():
    cache = {}

    def f(x):
        k, v = cache.get("kv") or (x * 0, x)
        cache["kv"] = (k + x, v * 0.5)
        return k + v

    return f, lambda: cache["kv"]


@row
def a_cell():
    state = tuple(zeros())

    def f(x):
        nonlocal state
        h, c = state
        state = (h + x, c - x * h)
        return h * 1

    return f, lambda: state


@row
def a_dict():
    box = Box(cache={"k": torch.zeros(3), "v": torch.ones(3)})

    def f(x):
        old = box.cache
        box.cache = {"k": old["v"] + x, "v": old["k"] * 0.5}
        return old["k"] + 1

    return f, lambda: box.cache


@row
def layers():
    box = Box(states=[tuple(zeros()), tuple(zeros())])

    def f(x):
        new = []
        for h, c in box.states:
            x, c = h * 0.5 + x, c + x
            new.append((x, c))
        box.states = new
        return x * 1

    return f, lambda: box.states


@row
def with_names():
    box = Box(state=State(*zeros()))

    def f(x):
        box.state = State(h=box.state.h + x, c=box.state.h)
        return box.state.c * 1

    return f, lambda: box.state


@row
def none_in_it():
    box = Box(state=(torch.zeros(3), None))

    def f(x):
        box.state = (box.state[0] + x, None)
        return box.state[0] * 2

    return f, lambda: box.state


@row
def one_tensor_twice():
    box = Box(state=tuple(zeros()))

    def f(x):
        h = box.state[0] + x
        box.state = (h, h)
        return h * 1

    return f, lambda: (*box.state, torch.tensor(box.state[0] is box.state[1]))


@row
def handed_out():
    box = Box(state=tuple(zeros()), same=None)

    def f(x):
        box.state = out = (box.state[1] + x, box.state[0])
        return x, out

    return f, lambda: box.state


@row
def in_one_way_only():
    box = Box(state=tuple(zeros()))

    def f(x):
        h, c = box.state
        if x.sum() > 9:
            box.state = (h + x, c * 2 + 1)
        return h + c

    return f, lambda: box.state


@row
def an_argument_in_it():
    box = Box(last=tuple(zeros()))

    def f(x):
        before = box.last[0]
        box.last = (x, before)
        return x - before

    return f, lambda: box.last


@row
def keys_that_are_set_step_by_step():
    cache = {}

    def f(x):
        for i in range(3):
            cache[i] = x * i + cache.get(i, 0)
        return cache[1] + 1

    return f, lambda: tuple(cache.items())


@row
def of_a_module():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.state = None
            self.all = []

        def forward(self, x):
            h, c = (x * 0, x) if self.state is None else self.state
            self.state = (h * 0.5 + x, c + h)
            self.all = [h, c]
            return self.state[0] + c

    net = Net()
    return net, lambda: (net.state, net.all)


@row
def of_an_lstm():
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(1, 4, batch_first=True)
            self.state = None

        def forward(self, x):
            out, state = self.lstm(x.reshape(1, 3, 1), self.state)
            self.state = tuple(s.detach() for s in state)
            return out

    net = Net()
    return net, lambda: net.state


def shown(x):
    if isinstance(x, (tuple, list)):
        return [type(x), *map(shown, x)]
    if isinstance(x, dict):
        return [*x, *map(shown, x.values())]
    return x.tolist() if isinstance(x, torch.Tensor) else x


def close(a, b):
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == pytest.approx(b, rel=1e-5) if isinstance(a, float) else a == b


@pytest.mark.parametrize("name", ROWS)
def test_they_are_put_there_at_every_call(name):
    (plain, want), (recorded, got) = ROWS[name](), ROWS[name]()
    fast = torch.jit(recorded)
    for k in (1, 2, 1, 3, 2, 1, 0, 4, 1, 2, 5, 1):
        x = torch.tensor([1.0, 2.0, 0.5]) * k
        assert close(shown(fast(x)), shown(plain(x))), fast.explain()
        assert close(shown(got()), shown(want())), fast.explain()
    assert fast.cache_info()["recordings"] <= 6, fast.explain()


def carried(new=lambda h, c, x: (h + x, c)):
    box = Box(state=tuple(zeros()))

    def f(x):
        box.state = new(*box.state, x)
        return box.state[0] * 2

    return box, torch.jit(f), f


def test_each_is_its_own():
    box, fast, _ = carried()
    held = []
    for _ in range(5):
        fast(torch.ones(3))
        held.append(box.state)
    assert [h[0].item() for h, _ in held] == [1, 2, 3, 4, 5]
    assert len(set(map(id, held))) == 5


def test_the_container_that_is_handed_out_is_the_one_in_the_place():
    box, fast = Box(state=zeros()), None

    def f(x):
        box.state = [box.state[1] + x, box.state[0]]
        return box.state, [box.state]

    fast = torch.jit(f)
    for _ in range(5):
        one, (other,) = fast(torch.ones(3))
        assert one is box.state and other is one
    assert fast.cache_info()["recordings"] <= 2, fast.explain()


@pytest.mark.parametrize(
    "other",
    [
        None,
        1.0,
        (torch.ones(3),),
        [torch.ones(3), torch.ones(3)],
        (torch.ones(3), None),
        (torch.ones(1), torch.ones(3)),
        (torch.ones(3, dtype=torch.float64), torch.ones(3)),
        (torch.full((3,), 5.0), torch.full((3,), 7.0)),
    ],
)
def test_what_stands_there_is_looked_at(other):
    def f(x):
        held = box.state if isinstance(box.state, (tuple, list)) else [box.state]
        h = sum((s for s in held if s is not None), x)
        box.state = (h, h * 2)
        return h * 1

    box, x = Box(state=tuple(zeros())), torch.ones(3)
    fast = torch.jit(f)
    for _ in range(4):
        fast(x)
    box.state = other
    got = shown(fast(x)), shown(box.state)
    box.state = other
    assert got == (shown(f(x)), shown(box.state))


def test_a_list_changed_between_the_calls():
    box = Box(state=zeros())

    def f(x):
        box.state = [box.state[0] + x, box.state[1]]
        return box.state[1] * 1

    fast, x = torch.jit(f), torch.ones(3)
    for _ in range(4):
        fast(x)
    box.state[1] = torch.full((3,), 5.0)
    assert fast(x).tolist() == [5, 5, 5]
    box.state.append(x)
    assert fast(x).tolist() == [5, 5, 5] and len(box.state) == 2


def test_a_container_from_elsewhere_is_that_one():
    spare, box = zeros(), Box(state=zeros())

    def f(x):
        nonlocal spare
        box.state, spare = spare, box.state
        return box.state[0] + x

    fast = torch.jit(f)
    for _ in range(6):
        one, other = box.state, spare
        fast(torch.ones(3))
        assert box.state is other and spare is one


def test_gradients_flow_through_what_is_kept():
    w = torch.ones(3, requires_grad=True)
    box, fast, _ = carried(lambda h, c, x: (x * w, c))
    for k in (1.0, 2.0, 3.0, 4.0):
        w.grad = None
        fast(torch.full((3,), k))
        (box.state[0] * 2).sum().backward()
        assert w.grad.tolist() == [2 * k] * 3
    assert fast.cache_info()["recordings"] <= 3


def test_truncated_backpropagation():
    def run(wrap):
        torch.manual_seed(0)
        cell, box = torch.nn.LSTMCell(2, 3), Box(state=tuple(torch.zeros(2, 1, 3)))
        opt = torch.optim.SGD(cell.parameters(), lr=0.1)

        def step(x):
            h, c = cell(x, tuple(s.detach() for s in box.state))
            loss = (h - 1).pow(2).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            box.state = (h.detach(), c.detach())
            return loss

        step = wrap(step)
        return step, [step(torch.ones(1, 2) * k).item() for k in range(8)]

    fast, losses = run(torch.jit)
    assert losses == pytest.approx(run(lambda f: f)[1], rel=1e-5)
    assert fast.cache_info()["recordings"] <= 3, fast.explain()


def test_what_a_bundle_is():
    a, b = torch.ones(1), torch.ones(2)
    assert is_bundle((a, [b, None], {"k": a}))
    assert not any(map(is_bundle, (a, None, (), (1, a), {1.0: a}, {a}, [[]])))
    endless = [a]
    endless.append(endless)
    assert not is_bundle(endless)
    assert alike((a, {"k": b}), (b, {"k": None}))
    assert not alike((a, b), [a, b]) and not alike((a, b), (a, (b,)))
