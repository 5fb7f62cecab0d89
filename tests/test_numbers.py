"""Python numbers that change between calls: followed, never stale, never seen."""

from __future__ import annotations

import collections
import copy
import fractions
import json
import math
import operator

import numpy as np
import pytest
import tracefuse as torch

RATE = 0.5


def recordings(f):
    return f.cache_info()["recordings"]


def plain(x):
    if isinstance(x, torch.Tensor):
        return str(x.dtype), repr(x.tolist())
    if isinstance(x, (tuple, list)):
        return [plain(each) for each in x]
    return type(x).__name__, repr(x)


def outcome(function, *args):
    try:
        return plain(function(*args))
    except Exception as error:
        return type(error).__name__, str(error)


# Expressions of a tensor x, a float s and an int k; `settled` ones may record for each.
FOLLOWED = """
x * s; s * x; x + s; s - x; x / s; s / x; x * k; x - k; k / x; x * (s + k)
x.half() * s; x.double() * s; x.long() * k; x.long() * s; x.long() // (k + 1)
x * (1 - 0.9 ** k); x * (s ** 2 + 1) / (k + 2); x * abs(-s); x * -s; x + (+k)
x * (s // 0.3); x * (s % 0.3); x * divmod(s, 0.3)[0]; x * (k << 2 | 1)
x * (~k & 7); torch.full((2,), s); torch.full((2,), k)
torch.full((2,), k, dtype=torch.float32); torch.where(x > 0, x, s)
x.clamp(min=s * 0.01); x.add(x, alpha=s); torch.lerp(x, x + 1, s)
x.clone().fill_(s); x.clone().mul_(s).add_(k); (x, s, k, s * 2, k + 1, -s)
x * round(s); x * round(s, 1); x * math.floor(s); x * math.ceil(s * 3)
s * 1e300 * 1e300; x > s; x == k; x * (s if True else 1); x * sum([s, k])
{"a": s}["a"] * x; x * (lambda z: z * 2)(s); x.sum().item() * s
(x.sum().item() + k) / 4; x * np.float64(2)
isinstance(s, float), isinstance(k, int), isinstance(s, int), isinstance(k, float)
k / 3, k // 3, k % 3, k ** 2, -k, abs(-k), s + k; copy.copy(s), copy.deepcopy(s)
""".replace("\n", ";")
GUARDED = """
x * math.sin(s); x * float(k); x**s; s**x; x**k; x * int(s * 4); x[k % 2]
[5, 6, 7][k % 3] * x; range(k); f"{s:.2f} {k}", str(s), repr(k)
hash(s), {s: 1}[s]; np.sqrt(s) * x; np.array([s, 1.0]); x * max(s, 0.7)
x if s > 0.6 else -x; x * bool(k - 1); min(k, 2); s == 0.5, k != 2
x * np.ones(2, np.float32); np.full(2, s); np.ones(2, np.float32) * s
s * np.float32(3); fractions.Fraction(1, 2) + s; complex(s); s + 1j
"%.2f %d" % (s, k); s.is_integer(); s.as_integer_ratio(); k.bit_length()
operator.index(k); x.sum(dim=k % 1); "ab" * k; torch.zeros(k)
x.reshape(1, -1).expand(k + 1, 2); x.repeat(k); torch.arange(k); x[:k]
torch.arange(0, k + 1, 1); torch.linspace(0, 1, k + 2); x.unsqueeze(k % 2)
1 / (k - 2); k in (1, 2), k in {1, 2}, s in [0.5]
2.0 ** s, s ** -1, (-s) ** 2, (-8.0) ** s; k ** -1; torch.tensor(s) * x
torch.tensor([s, k]); x.roll(k); torch.nn.functional.dropout(x, s * 0)
x.topk(k % 2 + 1).values; list(range(k)); [0] * k; json.dumps(1)
int(x.sum().item() * 3); torch.nn.functional.one_hot(torch.tensor([0]), k + 1)
math.isclose(s, 0.5); s and k, not s
""".replace("\n", ";")
CALLS = [(0.5, 1), (0.75, 2), (0.25, 3), (2.0, 0), (0.5, 4), (1.5, 1)]
SCOPE = dict(torch=torch, math=math, np=np, copy=copy, json=json, operator=operator)
SCOPE.update(fractions=fractions)


def function_of(text):
    return eval(f"lambda x, s, k: ({text})", dict(SCOPE))


def texts(table):
    return [text.strip() for text in table.split(";") if text.strip()]


@pytest.mark.parametrize("text", texts(FOLLOWED))
def test_arithmetic_is_followed(text):
    f = torch.jit(function_of(text))
    x = torch.tensor([1.0, 2.0])
    for s, k in CALLS:
        assert outcome(f, x, s, k) == outcome(f.__wrapped__, x, s, k), (s, k)
    assert recordings(f) <= 3, f.explain()


@pytest.mark.parametrize("text", texts(GUARDED))
def test_what_python_looks_at_is_guarded(text):
    f = torch.jit(function_of(text))
    x = torch.tensor([1.0, 2.0])
    for s, k in CALLS * 2:
        assert outcome(f, x, s, k) == outcome(f.__wrapped__, x, s, k), (s, k)


def test_a_rate_that_decays_is_recorded_twice():
    f = torch.jit(lambda x, lr: x - lr * x.sign())
    x = torch.tensor([1.0, -2.0])
    for i in range(50):
        lr = 0.1 * 0.9**i
        assert f(x, lr).tolist() == (x - lr * x.sign()).tolist()
    assert recordings(f) == 2
    assert "any float" in f.explain()


def test_a_loss_as_a_number_makes_no_ways():
    @torch.jit
    def f(x):
        loss = (x * x).sum()
        return x * 2, loss.item(), [loss.item() / 2]

    for n in range(40):
        doubled, loss, half = f(torch.full((2,), float(n)))
        assert type(loss) is float and loss == 2.0 * n * n and half == [n * n]
    assert f.cache_info() == {"signatures": 1, "paths": 1, "recordings": 1}


def test_a_comparison_of_a_number_is_two_ways():
    f = torch.jit(lambda x, s: x * 2 if x.sum().item() > s else x)
    for n in range(20):
        x, s = torch.full((2,), float(n)), float(n % 7) * 4
        assert f(x, s).tolist() == f.__wrapped__(x, s).tolist()
    assert recordings(f) <= 4, f.explain()


def test_numbers_of_python_state():
    class Box:
        rate = 0.5

    box, items, cell = Box(), [1.0, 2.0], 1.0
    box.rate = 0.5

    @torch.jit
    def f(x):
        return x * box.rate + items[1] * cell + RATE

    global RATE
    x = torch.ones(2)
    try:
        for i in range(12):
            box.rate, items[1], cell, RATE = 0.1 * i, 0.5 * i, i / 3, i / 7
            assert f(x).tolist() == f.__wrapped__(x).tolist()
            assert all(type(n) is float for n in (box.rate, items[1], cell, RATE))
    finally:
        RATE = 0.5
    assert recordings(f) <= 3, f.explain()


def test_an_attribute_of_a_module_that_changes():
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = 1.0

        def forward(self, x):
            return x * self.scale

    m = Scale()
    f, x = torch.jit(m), torch.ones(2)
    for i in range(10):
        m.scale = 0.1 * i
        assert f(x).tolist() == (x * (0.1 * i)).tolist()
    assert recordings(f) == 2 and type(m.scale) is float


def test_a_module_that_counts():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.calls, self.mean = 0, 0.0
            self.weight = torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            self.calls += 1
            self.mean = 0.5 * self.mean + 0.5 * x.mean().item()
            return x * self.weight * self.calls + self.mean

    net, twin = Net(), Net()
    f, g = torch.jit(net), torch.jit(lambda: torch.ones(1) * net.calls + net.mean)
    for i in range(12):
        x = torch.full((2,), float(i))
        fresh = torch.jit(g.__wrapped__)
        assert fresh().item() == g.__wrapped__().item()
        assert f(x).tolist() == twin(x).tolist()
        assert fresh().item() == g.__wrapped__().item()
        assert (net.calls, net.mean) == (twin.calls, twin.mean)
        assert g().item() == g.__wrapped__().item()
        assert type(net.calls) is int and type(net.mean) is float
    assert recordings(f) <= 4 and recordings(g) <= 3, f.explain()


def test_who_reads_a_modules_counter_hears_of_it():
    class Net(torch.nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    net, one = Net(), torch.ones(1)
    f = torch.jit(net)
    for i in range(6):
        reader = torch.jit(lambda x: x + net.calls)
        assert reader(one).item() == i + 1.0
        assert f(one).item() == i + 1.0
        assert reader(one).item() == i + 2.0
    assert recordings(f) == 3, f.explain()


def test_options_of_an_optimizer():
    def run(wrap):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        opt = torch.optim.SGD([w], lr=0.1, momentum=0.5, weight_decay=0.1)

        def step():
            opt.zero_grad()
            (w * w).sum().backward()
            opt.step()

        step = wrap(step)
        for i in range(10):
            opt.param_groups[0]["weight_decay"] = 0.1 / (i + 1)
            opt.param_groups[0]["lr"] = 0.1 / (i + 2)
            step()
        return w.tolist(), step

    want, _ = run(lambda f: f)
    got, step = run(torch.jit)
    assert got == pytest.approx(want, rel=1e-6)
    assert recordings(step) <= 5, step.explain()


def test_adam_written_by_hand():
    class Adam:
        def __init__(self):
            self.t, self.m, self.v = 0, torch.zeros(2), torch.zeros(2)
            self.average = 0.0

        def step(self, w, lr):
            self.t += 1
            grad = 2 * w
            self.m.mul_(0.9).add_(grad * 0.1)
            self.v.mul_(0.99).add_(grad * grad * 0.01)
            rate = lr * math.sqrt(1 - 0.99**self.t) / (1 - 0.9**self.t)
            self.average = 0.5 * self.average + 0.5 * w.sum().item()
            return w - lr / (1 - 0.9**self.t) * self.m / (self.v.sqrt() + 1e-8), rate

    def run(step, adam):
        w, found = torch.tensor([1.0, -2.0]), []
        for i in range(12):
            w, rate = step(adam, w, 0.1 * 0.9**i)
            found.append((w.tolist(), rate, adam.t, adam.average))
        return found

    fast, adam = torch.jit(Adam.step), Adam()
    assert run(fast, adam) == run(Adam.step, Adam())
    assert type(adam.t) is int and type(adam.average) is float


def test_a_counter_is_replayed():
    class Box:
        def __init__(self):
            self.calls, self.last = 0, 0.0

        def go(self, x):
            self.calls += 1
            self.last = self.last * 0.5 + x.sum().item()
            return x * self.calls + self.last

    box, twin, fast = Box(), Box(), torch.jit(Box.go)
    for i in range(10):
        x = torch.full((2,), float(i))
        assert fast(box, x).tolist() == twin.go(x).tolist()
        assert (box.calls, box.last) == (twin.calls, twin.last)
        assert type(box.calls) is int and type(box.last) is float
    assert recordings(fast) == 3, fast.explain()
    assert "follows the numbers last, calls" in fast.explain()


def test_a_number_that_becomes_something_else():
    class Box:
        scale = 1.0

    box = Box()
    f = torch.jit(lambda x: x if box.scale is None else -x)
    g = torch.jit(lambda x: x * (2 if box.scale is None else box.scale))
    x = torch.ones(2)
    for value in (1.0, 2.0, 3.0, None, 4.0, True, 5, "a", 6.0, None):
        box.scale = value
        assert outcome(f, x) == outcome(f.__wrapped__, x), value
        assert outcome(g, x) == outcome(g.__wrapped__, x), value
    del box.scale
    assert outcome(g, x) == outcome(g.__wrapped__, x)


def test_many_instances_that_count():
    class Box:
        def __init__(self, rate):
            self.calls, self.rate = 0, rate

        @torch.jit
        def go(self, x):
            self.calls += 1
            return x * self.calls * self.rate

    boxes, x = [Box(0.5 * i) for i in range(40)], torch.ones(2)
    for n in range(1, 6):
        for i, box in enumerate(boxes):
            assert box.go(x).tolist() == (x * n * (0.5 * i)).tolist()
            assert box.calls == n


def test_cells_and_globals_are_replayed():
    def make():
        n, seen = 0, [0.0]

        def f(x):
            nonlocal n
            n += 2
            seen[0] = seen[0] / 2 + n
            return x * n - seen[0]

        return f

    x, plain_one, fast = torch.ones(2), make(), torch.jit(make())
    assert [fast(x).tolist() for _ in range(9)] == [
        plain_one(x).tolist() for _ in range(9)
    ]
    assert recordings(fast) == 3, fast.explain()


def test_numbers_that_escape_are_plain():
    log, table = [], {}

    @torch.jit
    def f(x, s, out):
        log.append(x.sum().item())
        table["s"] = s
        out["loss"] = x.sum().item() * s
        if s > 1:
            raise ValueError("too fast")
        return x

    for s in (0.1, 0.2, 0.3, 2.0):
        out = {}
        try:
            f(torch.ones(2), s, out)
        except ValueError:
            pass
        found = [*log, *table.values(), *out.values()]
        assert all(type(n) is float for n in found), [type(n) for n in found]
        assert table["s"] == s and out["loss"] == 2.0 * s
    assert log == [2.0] * 4


def test_numbers_that_escape_where_nobody_looks():
    class Slots:
        __slots__ = ("queue", "pair")

    box, queue = Slots(), collections.deque(maxlen=3)
    box.queue, box.pair = queue, ()

    @torch.jit
    def f(x):
        add = box.queue.append
        add(x.sum().item())
        box.pair = (x.mean().item(), [x.sum().item()])
        return x, {x.max().item()}

    for i in range(6):
        _, found = f(torch.full((2,), float(i)))
        assert list(queue) == [2.0 * j for j in range(max(0, i - 2), i + 1)]
        assert box.pair == (i, [2.0 * i]) and found == {float(i)}
        kinds = [*queue, box.pair[0], *box.pair[1], *found]
        assert all(type(n) is float for n in kinds)


def test_types_are_told_apart_as_in_plain_python():
    f = torch.jit(lambda x, s: x * s if type(s) is float else -x)
    g = torch.jit(lambda x: x * 2 if type(x.sum().item()) is float else -x)
    x = torch.ones(2)
    for s in (0.5, 0.75, 1, 2, 0.25):
        assert f(x, s).tolist() == f.__wrapped__(x, s).tolist()
        assert g(x * s).tolist() == g.__wrapped__(x * s).tolist()


def test_errors_of_python_stay():
    f = torch.jit(lambda x, s, k: x / (1 / s) + 1 // k)
    x = torch.ones(1)
    for s, k in [(1.0, 1), (2.0, 2), (0.0, 1), (3.0, 0), (0.5, 3), (0.0, 0)]:
        assert outcome(f, x, s, k) == outcome(f.__wrapped__, x, s, k)


def test_nan_and_signed_zeros():
    f = torch.jit(lambda x, s: (x * s, 1.0 if s == s else 2.0, s))
    x = torch.ones(1)
    for s in (1.0, math.nan, -0.0, 0.0, math.inf, math.nan, -math.inf):
        assert outcome(f, x, s) == outcome(f.__wrapped__, x, s)


def test_integers_beyond_floats():
    f = torch.jit(lambda x, k: (x * k, k * k, k + 0.5, k > 2**60))
    x = torch.ones(2, dtype=torch.int64)
    for k in (1, 2, 2**55, 2**61, 3, -(2**40)):
        assert outcome(f, x, k) == outcome(f.__wrapped__, x, k)


def test_gradients_do_not_flow_through_numbers():
    def f(w, s):
        return (w * w.sum().item() * s).sum()

    fast = torch.jit(f)
    for s in (1.0, 2.0, 3.0):
        w, v = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        f(w, s).backward(), fast(v, s).backward()
        assert v.grad.tolist() == w.grad.tolist() == [3.0 * s] * 2
