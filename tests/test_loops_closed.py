"""Loops of Python's that become loops of the program: where that is proven, only."""

from __future__ import annotations

import collections
import itertools
import operator
import threading
import warnings

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def full(scale, *shape):
    return torch.full(shape or (3,), scale)


SCALES = (1.0, 30.0, 1e-3, 200.0, 1e-12, 20.0, 40.0)


def numbers(x):
    if isinstance(x, torch.Tensor):
        return x.tolist()
    if isinstance(x, (list, tuple)):
        return [numbers(y) for y in x]
    return x


def alike(f, make=full, scales=SCALES):
    """`f`, jitted, gives what it gives plainly, call after call."""
    fast = torch.jit(f)
    for scale in (*scales, *scales):
        assert numbers(fast(make(scale))) == numbers(f(make(scale))), scale
    return fast


def is_closed(fast):
    return "is closed: its turns are a while" in fast.explain()


def settled(fast, make=full, scales=SCALES):
    """Whether no call records any more."""
    before = fast.cache_info()["recordings"]
    for scale in scales:
        fast(make(scale * 1.001))
    return fast.cache_info()["recordings"] == before


# -- loops that close


def doubling(x):
    while x.sum() < 100:
        x = x * 2
    return x


def to_a_break(x):
    n = torch.zeros(())
    while True:
        y = x * 1.1 + 0.5
        n = n + 1
        if (y * y).sum() > 1000.0:
            break
        x = y
    return y, n


def by_item(x):
    while x.sum().item() < 100:
        x = x * 2
    return x


def by_bool(x):
    while not bool(x.sum() >= 100):
        x = x * 2
    return x


def named_test(x):
    small = x.sum() < 100
    while small:
        x = x * 2
        small = x.sum() < 100
    return x, small


def kept_number(x):
    total = x.sum().item()
    while total < 100:
        x = x * 2
        total = x.sum().item()
    return x, total


def fibonacci(x):
    a, b = x, x + 1
    while b.sum() < 100:
        a, b = b, a + b
    return a, b


def in_a_block(x):
    with torch.no_grad():
        while x.sum() < 100:
            x = x * 2
    return x


def block_inside(x):
    while x.sum() < 100:
        with torch.no_grad():
            x = x * 2
    return x


def with_a_loop_inside(x):
    while x.sum() < 100:
        for k in range(3):
            x = x + k
    return x


def far_enough(x):
    return x.sum() >= 100


def helper_decides(x):
    while not far_enough(x):
        x = x * 2
    return x


def asks(x):
    return True if x.sum() >= 100 else False


def helper_asks(x):
    while not asks(x):
        x = x * 2
    return x


def helper_computes(x):
    def step(x, k):
        return x * k + 0.1

    k = 2.0
    while x.sum() < 100:
        x = step(x, k)
    return x


def loop_in_helper(x):
    return doubling(x + 3) + doubling(x + 1)


def two_loops(x):
    while x.sum() < 100:
        x = x * 2
    while x.sum() > 10:
        x = x - 1
    return x * 3


def within_for(x):
    for k in (10, 100, 1000):
        while x.sum() < k:
            x = x * 1.5
    return x


def with_a_tuple(x):
    pair = (x, x + 1)
    while pair[0].sum() < 100:
        pair = (pair[1], pair[0] + pair[1])
    return pair


def invariant(x):
    step = x.abs() * 0.5 + 1
    while x.sum() < 100:
        x = x + step.exp().log1p()
    return x, step


def bits(x):
    n = (x * 10).to(torch.int64) + 1
    while n.max() < 1000:
        n = (n << 1) | 1
    return n


def a_caught_exception(x):
    while x.sum() < 100:
        try:
            x = x * int("no number")
        except ValueError:
            x = x * 2
    return x


def in_place(x):
    x = x.clone()
    while x.sum() < 100:
        x *= 2
        x.add_(1)
    return x


def in_place_of_the_argument(x):
    while x.sum() < 100:
        x *= 2
    return x


def counter_tensor(x):
    n = torch.zeros((), dtype=torch.int64)
    while x.sum() < 100:
        x = x * 2
        n += 1
    return x, n


def view_beside(x):
    x = x * 1.0
    row = x[:2]
    while x.sum() < 100:
        row.mul_(3.0)
        x.add_(1.0)
    return x, row


def sorted_and_gathered(x):
    while x.sum() < 100:
        order = torch.argsort(x)
        x = x[order] * torch.arange(1.0, 4.0)
    return x


CLOSED = [
    *(doubling, to_a_break, by_item, by_bool, named_test, kept_number, fibonacci),
    *(in_a_block, block_inside, with_a_loop_inside, helper_decides, helper_asks),
    *(helper_computes, loop_in_helper, two_loops, within_for, with_a_tuple, invariant),
    *(
        bits,
        a_caught_exception,
        in_place,
        in_place_of_the_argument,
        counter_tensor,
        view_beside,
    ),
    *(sorted_and_gathered,),
]


@pytest.mark.parametrize("f", CLOSED)
def test_a_loop_closes(f):
    fast = alike(f)
    assert is_closed(fast), fast.explain()
    assert settled(fast)


# -- what looks like a loop and is none


def python_counter(x):
    n = 0
    while x.sum() < 100:
        x, n = x * 2, n + 1
    return x, n


def counter_in_callee(x):
    calls = 0

    def step(x):
        nonlocal calls
        calls += 1
        return x * 2

    while x.sum() < 100:
        x = step(x)
    return x, calls


class Steps:
    taken = 0

    def __call__(self, x):
        self.taken += 1
        return x * 2

    def __lshift__(self, x):
        self.__dict__.update(taken=self.taken + 1)
        return x * 2


def counter_in_object(x):
    step = Steps()
    while x.sum() < 100:
        x = step(x)
    return x, step.taken


def counter_by_operator(x):
    step = Steps()
    while x.sum() < 100:
        x = step << x
    return x, step.taken


def appends(x):
    seen = []
    while x.sum() < 100:
        x = x * 2
        seen.append(x)
    return x, seen


def appends_by_name(x):
    seen = []
    push = seen.append
    while x.sum() < 100:
        x = x * 2
        push(1)
    return x, len(seen)


def extends_in_place(x):
    seen = []
    while x.sum() < 100:
        x = x * 2
        seen += [1]
    return x, len(seen)


def through_a_map(x):
    seen = []
    while x.sum() < 100:
        x = x * 2
        list(map(seen.append, [1]))
    return x, len(seen)


def item_of_a_dict(x):
    seen = {}
    while x.sum() < 100:
        x = x * 2
        seen["n"] = seen.get("n", 0) + 1
    return x, seen["n"] if seen else 0


def draws_from_an_iterator(x):
    many = itertools.count(1)
    while x.sum() < 100:
        for k in many:
            x = x + k
            break
    return x


def iterator_of_a_helper(x):
    many = itertools.count(1)

    def step(x):
        for k in many:
            return x + k

    while x.sum() < 100:
        x = step(x)
    return x


def iterator_in_an_object(x):
    step = Steps()
    step.many = itertools.count(1)

    def go(x):
        for k in step.many:
            return x + k

    while x.sum() < 100:
        x = go(x)
    return x


def for_and_break(x):
    for k in range(1, 1000):
        if x.sum() > 100:
            break
        x = x + k
    return x


def generated(x):
    def turns(x):
        while x.sum() < 100:
            x = x * 2
            yield x

    n = 0
    for y in turns(x):
        x, n = y, n + 1
    return x, n


def consumed(x):
    def turns():
        k = 0
        while True:
            k += 1
            yield k

    more = turns()
    while x.sum() < 100:
        x = x + next(more)
    return x


def shrinking(x):
    x = torch.cat([x] * 8)
    while x.sum() > 10:
        x = x[1:]
    return x


def other_type(x):
    y = x.to(torch.float64)
    while x.sum() < 100:
        x, y = y * 2, x * 1
    return x, y


def alternating(x):
    up = True
    while x.sum() < 100:
        x = x * 3 if up else x * 2
        up = not up
    return x


def unrolled_delay(x):
    steps = (1.0, 2.0, 3.0, 5.0, 5.0, 5.0, 7.0)
    rest = steps
    while x.sum() < 100:
        x = x + rest[0]
        rest = rest[1:] or (9.0,)
    return x


def keeps_turns_in_a_tuple(x):
    seen = ()
    while x.sum() < 100:
        x = x * 2
        seen = (*seen, x)
    return seen


def recursive(x):
    return x if x.sum() >= 100 else recursive(x * 2)


def calls_in_a_loop(x):
    def doubled(x):
        if x.sum() < 100:
            return x * 2
        return x + 1

    for _ in range(6):
        x = doubled(x)
    return x


def draws_at_random(x):
    torch.manual_seed(7)
    while x.sum() < 100:
        x = x + torch.rand(3)
    return x, torch.rand(2)


def writes_an_item(x):
    x = x.clone()
    while x.sum() < 100:
        x[0] = x[0] * 2 + 1
    return x


def set_by_operator(x):
    step = Steps()
    step.items = {"n": 0}
    while x.sum() < 100:
        x = x * 2
        operator.setitem(step.items, "n", step.items["n"] + 1)
    return x, step.items["n"]


def two_looks(x):
    while x.sum() < 100:
        x = x * 2
        if x.max() > 20:
            x = x + 1
    return x


def both_must_hold(x):
    y = x * 3
    while x.sum() < 100 and y.sum() < 250:
        x, y = x * 2, y * 1.9
    return x, y


def nested(x):
    while x.sum() < 1000:
        y = x
        while y.sum() < 100:
            y = y * 2
        x = x * 1.5 + y
    return x


def an_assertion(x):
    while x.sum() < 100:
        assert x.min() >= 0
        x = x * 2
    return x


def leaves_early(x):
    while x.sum() < 100:
        x = x * 2
        if x.max() > 20:
            return x + 5
    return x


def grows_a_counter(x):
    box = collections.Counter()
    while x.sum() < 100:
        x = x * 2
        box += collections.Counter(a=1)
    return x, box["a"]


def list_behind_a_name(x):
    box = Steps()
    box.items = []
    while x.sum() < 100:
        x = x * 2
        items = box.items
        items += [1]
        items = None
    return x, len(box.items)


OPEN = [
    *(python_counter, counter_in_callee, counter_in_object, counter_by_operator),
    *(appends, appends_by_name, extends_in_place, through_a_map, item_of_a_dict),
    *(draws_from_an_iterator, iterator_of_a_helper, iterator_in_an_object),
    *(for_and_break, generated, consumed, shrinking, other_type, alternating),
    *(unrolled_delay, keeps_turns_in_a_tuple, recursive, calls_in_a_loop),
    *(draws_at_random, writes_an_item, set_by_operator, two_looks),
    *(both_must_hold, an_assertion, leaves_early, grows_a_counter),
    *(list_behind_a_name,),
]


@pytest.mark.parametrize("f", OPEN)
def test_no_loop_is_taken_for_one(f):
    scales = (1.0, 30.0, 1e-3, 200.0, 20.0)
    fast = alike(f, scales=scales)
    assert not is_closed(fast), fast.explain()


def test_the_inner_one_of_two_loops():
    assert is_closed(alike(nested))


def test_a_list_of_a_module():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = []

        def forward(self, x):
            while x.sum() < 100:
                x = x * 2
                items = self.items
                items += [1]
                items = None
            return x, len(self.items)

    (a, b), scales = (Net(), Net()), (1.0, 30.0, 200.0, 20.0, 1.0)
    fast = torch.jit(a)
    for scale in scales:
        assert numbers(fast(full(scale))) == numbers(b(full(scale)))
    assert len(a.items) == len(b.items)


TALLY = Steps()


def counts_elsewhere(x):
    def step(x):
        TALLY.taken += 1
        return x * 2

    while x.sum() < 100:
        x = step(x)
    return x


def test_a_counter_that_is_written_back():
    fast = torch.jit(counts_elsewhere)
    for scale in (1.0, 2.0, 30.0, 1e-3, 200.0, 1.0, 1e-3):
        counts = []
        for f in (fast, counts_elsewhere):
            before = TALLY.taken
            f(full(scale))
            counts.append(TALLY.taken - before)
        assert counts[0] == counts[1]
    assert not is_closed(fast)


def test_what_the_caller_holds_is_written_where_no_turn_is_taken():
    def grown(t):
        while True:
            if t.sum() >= 100:
                break
            t = t * 2
        t += 1
        return t

    def f(x):
        y = x * 1
        return grown(y), y

    assert is_closed(alike(f))


# -- what it reads and writes outside


def test_what_is_captured_and_written_is_carried():
    def make():
        total, weight = torch.zeros(3), torch.ones(3)

        def f(x):
            while x.sum() < 100:
                total.add_(x)
                x = x * 2 + weight
            return x + total

        return f, total, weight

    (f, a, v), (g, b, w) = make(), make()
    fast = torch.jit(f)
    for scale in (*SCALES, *SCALES):
        assert fast(full(scale)).tolist() == g(full(scale)).tolist()
        assert a.tolist() == b.tolist()
        v.mul_(1.5), w.mul_(1.5)
    assert is_closed(fast), fast.explain()


def test_captured_views_of_what_is_written():
    def make():
        whole = torch.zeros(4)
        part = whole[1:]

        def f(x):
            while x.sum() < 100:
                part.add_(x)
                x = x * 2 + whole.sum()
            return x, whole * 1

        return f, whole

    (f, a), (g, b) = make(), make()
    fast = torch.jit(f)
    for scale in (*SCALES, *SCALES):
        assert numbers(fast(full(scale))) == numbers(g(full(scale)))
        assert a.tolist() == b.tolist()


def test_the_argument_is_itself_where_no_turn_is_taken():
    fast = torch.jit(doubling)
    for scale in (1.0, 2.0):
        fast(full(scale))
    big = full(200.0)
    assert fast(big) is big and fast(big) is big
    x = full(1.0)
    assert fast(x) is not x and x.tolist() == [1, 1, 1]


def test_aliases_that_part_in_the_loop():
    def f(x):
        y = x = x * 1
        while x.sum() < 100:
            x = x * 2
            x += 1
        y += 1
        return x, y

    fast = alike(f)
    assert is_closed(fast), fast.explain()


def test_two_names_for_one_tensor():
    def f(x):
        x = x * 1
        y = x
        while x.sum() < 100:
            x = y = y * 2
        y += 1
        return x, y, x is y

    fast = alike(f)
    assert is_closed(fast), fast.explain()


def test_equal_numbers_in_two_tensors():
    def f(x):
        a, b = x.clone(), x.clone()
        while (a + b).sum() < 100:
            a, b = a * 2, b * 3
        a += 1
        return a, b

    fast = alike(f)
    assert is_closed(fast), fast.explain()


def test_a_number_of_the_caller_that_changes():
    def f(x, k):
        while x.sum() < 100:
            x = x * k
        return x

    fast = torch.jit(f)
    for k in (2.0, 3.0, 1.5, 2.5, 1.25, 7.0, 2.0):
        for scale in (1.0, 0.01, 30.0, 200.0):
            assert fast(full(scale), k).tolist() == f(full(scale), k).tolist()
    assert is_closed(fast), fast.explain()


def test_any_size():
    def make(scale):
        n = {1.0: 3, 30.0: 4, 1e-3: 5, 200.0: 2}.get(scale, 7)
        return full(scale / n, n)

    fast = alike(doubling, make)
    assert is_closed(fast), fast.explain()


def test_a_module_and_its_mode():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    def f(x):
        with torch.no_grad():
            while (net(x) - x).abs().max() > 1e-3:
                x = 0.5 * x + 0.5 * net(x)
            return x

    fast = torch.jit(f)
    for scale in (1.0, 5.0, 0.3, -2.0):
        want, got = f(full(scale)), fast(full(scale))
        np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-5)
    assert is_closed(fast), fast.explain()


def test_training_until_the_loss_is_small():
    def make():
        torch.manual_seed(1)
        net = nn.Linear(2, 1)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)

        def f(x, y):
            loss = ((net(x) - y) ** 2).mean()
            while loss > 0.05:
                opt.zero_grad()
                loss.backward()
                opt.step()
                loss = ((net(x) - y) ** 2).mean()
            return loss.detach()

        return f, net

    (f, a), (g, b) = make(), make()
    fast = torch.jit(f)
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    for k in (1.0, 2.0, -1.0, 0.5, 3.0):
        y = torch.tensor([[k], [1.0], [k + 1]])
        np.testing.assert_allclose(fast(x, y).item(), g(x, y).item(), rtol=1e-4)
        np.testing.assert_allclose(a.weight.tolist(), b.weight.tolist(), rtol=1e-4)


def test_what_is_raised_in_a_turn():
    table = torch.arange(1.0, 9.0)

    def f(x):
        i = torch.zeros((), dtype=torch.int64)
        while x.sum() < 100:
            x = x + table[i]
            i = i + 1
        return x, i

    fast = torch.jit(f)
    for scale in (30.0, 25.0, 1.0, 28.0, 200.0, 0.0, 31.0):
        try:
            want = numbers(f(full(scale)))
        except IndexError:
            with pytest.raises(IndexError):
                fast(full(scale))
            continue
        assert numbers(fast(full(scale))) == want
    assert is_closed(fast), fast.explain()


@pytest.mark.parametrize("turns", [3, 30, 300])
def test_a_loop_that_raises_in_the_end(turns):
    def f(x, written):
        written.add_(1)
        while x.sum() < turns:
            x = x + 1
            written.mul_(1.0)
        raise KeyError("done")

    fast = torch.jit(f)
    for scale in (0.0, 1.0, 0.0):
        w = torch.zeros(2)
        with pytest.raises(KeyError, match="done"):
            fast(torch.full((1,), scale), w)
        assert w.tolist() == [1, 1]


def test_a_raise_from_within_a_long_loop():
    class Stop(Exception):
        pass

    def f(x):
        while True:
            x = x + 1
            if x.sum() > 500:
                raise Stop

    fast = torch.jit(f)
    for _ in range(3):
        with pytest.raises(Stop):
            fast(torch.zeros(1))
    assert torch.jit(doubling)(full(1.0)).tolist() == doubling(full(1.0)).tolist()


def test_several_threads():
    fast, found = torch.jit(doubling), []

    def work(scale):
        found.append((scale, fast(full(scale)).tolist()))

    scales = [1.0, 0.5, 1e-5, 30.0, 200.0] * 3
    threads = [threading.Thread(target=work, args=(s,)) for s in scales]
    for step in (threading.Thread.start, threading.Thread.join):
        for t in threads:
            step(t)
    assert len(found) == len(scales)
    assert all(got == doubling(full(scale)).tolist() for scale, got in found)


def test_a_jitted_function_in_the_turns():
    inner = torch.jit(lambda x: x * 2 + 1)

    def f(x):
        while x.sum() < 100:
            x = inner(x)
        return x

    fast = alike(f)
    assert is_closed(fast), fast.explain()


def test_a_jitted_loop_in_a_jitted_loop():
    inner = torch.jit(doubling)

    def f(x):
        while x.sum() < 1000:
            x = inner(x) * 1.5
        return x

    alike(f)


def test_a_global_that_changes_between_calls():
    f = torch.jit(by_global)
    for step in (2.0, 3.0, 2.5, 4.0, 2.0):
        globals()["STEP"] = step
        for scale in (1.0, 0.01, 200.0):
            assert f(full(scale)).tolist() == by_global(full(scale)).tolist()


STEP = 2.0


def by_global(x):
    while x.sum() < 100:
        x = x * STEP
    return x


def test_a_view_of_an_argument_among_the_variables():
    def f(x):
        head, n = x[1:], 0.5
        while (x + 1).sum() < 100:
            head = x[1:]
            x = x + n
            x = x + 1
        x.add_(1)
        if x.sum() > 103:
            x = x - 5
        return x, head

    assert is_closed(alike(f))


def test_several_results_before_a_fork():
    def f(x):
        y = n = torch.zeros(())
        while x.sum() < 100:
            x, y, n = x * 2, y + x.sum(), n + 1
        return (x, n) if x.sum() > 130 else (x - 5, y, n)

    assert is_closed(alike(f))

    def g(x):
        more = lambda c: (c[0] * 2, c[1] + c[0], c[2] + 1)  # noqa: E731
        start = x, x, torch.zeros(())
        x, y, n = torch.while_loop(lambda c: c[0].sum() < 100, more, start)
        return (x, n) if x.sum() > 130 else (x - 5, y, n)

    alike(g)


# -- gradients


def test_gradient_descent_until_it_is_flat():
    def f(w):
        w = w.detach().requires_grad_()
        (g,) = torch.autograd.grad(((w - 3) ** 2).sum(), w)
        while g.norm() > 1e-3:
            w = (w - 0.2 * g).detach().requires_grad_()
            (g,) = torch.autograd.grad(((w - 3) ** 2).sum(), w)
        return w.detach()

    alike(f, scales=(1.0, 3.0, 10.0, -5.0, 3.01))


def test_a_gradient_through_the_turns_stays_python():
    fast = torch.jit(doubling)
    for scale in SCALES:
        a, b = (full(scale).requires_grad_() for _ in range(2))
        fast(a).sum().backward(), doubling(b).sum().backward()
        assert a.grad.tolist() == b.grad.tolist()
    assert not is_closed(fast)
    for scale in SCALES:  # the same function without one
        assert fast(full(scale)).tolist() == doubling(full(scale)).tolist()
    assert is_closed(fast)


def test_backward_after_the_loop():
    def f(x):
        x = x.clone().requires_grad_()
        y = x
        while y.sum() < 100:
            y = y * 2
        y.sum().backward()
        return x.grad

    assert not is_closed(alike(f))


# -- long ones


def test_ten_thousand_turns_are_one_program():
    def f(x, n):
        while x < n:
            x = x + 1
        return x

    fast = torch.jit(f)
    for n in (10_000, 12_000, 5, 100, 0, 1, 2, 3):
        assert fast(torch.tensor(0.0), torch.tensor(float(n))).item() == n
    assert is_closed(fast) and fast.cache_info()["recordings"] <= 4


def test_what_comes_after_a_long_loop_forks():
    def f(x):
        while x.sum() < 10_000:
            x = x + 7
        return x * 2 if x.sum() > 10_010 else x - 1

    fast = alike(f, scales=(1.0, 2.0, 0.5, 5.0, 3500.0, 6.0, 5.5))
    assert is_closed(fast), fast.explain()


# -- saved


def test_a_saved_program_has_the_loop(tmp_path):
    fast = torch.jit.script(doubling)
    for scale in (1.0, 30.0, 200.0, 1e-3):
        fast(full(scale))
    fast.save(tmp_path / "p.tf")
    loaded = torch.jit.load(tmp_path / "p.tf")
    for scale in (1.0, 1e-9, 150.0, 1e-3, 20.0, 40.0):
        assert loaded(full(scale)).tolist() == doubling(full(scale)).tolist()


def test_a_traced_program_has_the_loop():
    program = torch.jit.trace(doubling, full(1.0))
    assert "while(" in str(program.graph)
    assert program(full(1e-9)).tolist() == doubling(full(1e-9)).tolist()


def test_explain_says_why_not():
    assert "is not closed: n is another in each turn" in alike(python_counter).explain()
    assert "it assigns an item" in alike(item_of_a_dict).explain()
