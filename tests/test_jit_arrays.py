"""jit: NumPy arrays among the arguments are inputs, or their numbers are compared."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch


def floats(*values):
    return np.array(values, np.float32)


W = torch.tensor([1.0, -2.0, 3.0])
ROWS = {}


def row(f):
    """Register a function of one array, of which only tensors are made."""
    ROWS[f.__name__] = f
    return f


@row
def shared(a):
    return torch.from_numpy(a) * 2


@row
def taken_as(a):
    return torch.as_tensor(a) * W


@row
def copied(a):
    return torch.tensor(a, dtype=torch.float64) + 1


@row
def an_operand(a):
    return W * a + (W - a)


@row
def assigned_anew(a):
    a = torch.from_numpy(a)
    for _ in range(2):
        a = a * W
    return a + float(len(a))


@row
def in_a_block(a):
    with torch.no_grad():
        a = torch.as_tensor(a)
        a = a + 1
    return a


@row
def if_it_is_one(a):
    if isinstance(a, np.ndarray):
        a = torch.from_numpy(a).to(torch.float64)
    return a * W


@row
def in_another_way(a):
    if torch.from_numpy(a).sum() > 9:
        return torch.as_tensor(a) * W
    return torch.tensor(a, dtype=torch.float64)


@row
def with_its_shape(a):
    if not isinstance(a, np.ndarray) or len(a) != 3:
        raise ValueError(a.dtype)
    return torch.zeros(a.shape) + torch.tensor(a) * a.shape[0]


@row
def within_a_function(a):
    def inner(w):
        return torch.tensor(a) * w

    return inner(W)


@row
def twice(a):
    return torch.from_numpy(a) + torch.tensor(a) * torch.from_numpy(a)


@row
def left_alone(a):
    return W * 2


@row
def with_gradients(a):
    x = torch.tensor(a, requires_grad=True)
    (x * x * W).sum().backward()
    return x.grad


def check(f, *calls, limit, again=3):
    """Each call, made several times, gives what eager gives; leaves the same."""
    fast = torch.jit(f)
    for given in calls:
        for _ in range(again):
            mine, theirs = [[np.array(a, order="K") for a in given] for _ in "12"]
            result, wanted = fast(*mine), f(*theirs)
            assert repr(result) == repr(wanted), fast.explain()
            for a, b in zip(mine, theirs):
                assert a.tolist() == b.tolist()
    assert fast.cache_info()["recordings"] <= limit, fast.explain()
    return fast


@pytest.mark.parametrize("name", ROWS)
def test_an_array_is_an_input(name):
    calls = [[floats(i, i * i, -i)] for i in range(12)]
    check(ROWS[name], *calls, limit=1 + (name == "in_another_way"))


def test_by_type_shape_and_layout():
    calls = [[np.arange(n, dtype=kind)] for n in (2, 3) for kind in ("f4", "f8", "i8")]
    check(lambda a: torch.from_numpy(a) * 2, *calls, *calls, limit=6)
    wide = np.arange(6.0).reshape(2, 3)
    views = [[wide], [wide.T], [wide[:, 1:]], [wide]]
    fast = torch.jit(lambda a: (torch.from_numpy(a) * 2).stride())
    for (a,) in (*views, *views):
        assert fast(a) == (torch.from_numpy(a) * 2).stride()


def test_how_it_lies_may_be_asked():
    wide = np.arange(9.0).reshape(3, 3)
    fast = torch.jit(lambda a: torch.from_numpy(a) * a.strides[0])
    for a in (wide, wide.T, wide[:, ::2][:2], wide[:2, :2]) * 2:
        assert fast(a).tolist() == (a * a.strides[0]).tolist()


def test_an_array_that_runs_backwards_or_of_other_bytes():
    for a in (floats(1, 2, 3)[::-1], np.array([1, 2, 3], ">f4")):
        fast = torch.jit(lambda a: torch.tensor(a) * 2)
        assert [fast(x).tolist() for x in (floats(1, 2, 3), a)] * 2 == [
            [2, 4, 6],
            [v * 2 for v in a.tolist()],
        ] * 2


def within(a):
    inner = lambda w: w * float(a[0])
    return inner(W)


def assigned_at_times(a):
    if len(a) > 5:
        a = torch.zeros(3)
    return W * float(a[0])


def assigned_at_times_by_a_tensor(a):
    for _ in range(len(a) - 3):
        a = torch.from_numpy(a)
    return W * float(a[0])


def now_numpy_now_tensors(a):
    for v in (W, np.ones(3, np.float32)):
        w = v * a
    return W * float(w.sum())


READS = [
    within,
    assigned_at_times,
    assigned_at_times_by_a_tensor,
    now_numpy_now_tensors,
    lambda a: W * float(a[0]),
    lambda a: W * a.sum().item(),
    lambda a: W * (2.0 if a[0] > 1 else 3.0),
    lambda a: torch.tensor(np.sin(a)) + torch.from_numpy(a),
    lambda a: W * len(a.tolist()) + W * max(a),
    lambda a: W + torch.tensor([v for v in a]),
    lambda a: W + torch.tensor(a.copy()),
    lambda a: (lambda b: W * float(b[0]))(a),
]


@pytest.mark.parametrize("f", READS)
def test_numbers_that_python_reads_are_compared(f):
    check(f, *[[floats(i, 1, 2)] for i in (0, 1, 0, 2, 1, 0)], limit=5)


@pytest.mark.parametrize("f", READS)
def test_numbers_that_never_rest_are_not_compared(f):
    fast = check(f, *[[floats(i, 1, 2)] for i in range(14)], limit=99, again=1)
    assert "numbers of an array of shape (3,) among its arguments" in fast.explain()


def test_a_part_of_an_array():
    for f in (lambda a: W * a[:3], lambda a: torch.from_numpy(a.T)):
        calls = [[floats(i, 1, 2)] for i in (0, 1, 0, 2, 1, 0)]
        check(f, *calls, limit=99)


def test_what_was_copied_of_its_memory_is_no_constant():
    fast = torch.jit(lambda a: W + torch.tensor(np.frombuffer(a, np.float32)))
    one = floats(1, 2, 3)
    assert fast(one).tolist() == [2, 0, 6]
    one += 1
    assert fast(floats(1, 2, 3)).tolist() == [2, 0, 6]


def test_what_the_copy_holds_is_its_own():
    fast, a = torch.jit(lambda a: torch.tensor(a)), floats(1, 2)
    held = [fast(a) for _ in range(3)]
    a += 1
    assert [t.tolist() for t in held] == [[1, 2]] * 3


def test_a_function_that_was_put_in_the_place_of_one():
    scope = {"tensor": torch.tensor}
    exec("def f(a):\n    return tensor(a) * 2", scope)
    fast = torch.jit(scope["f"])
    for i in range(3):
        assert fast(floats(i)).tolist() == [2 * i]
    scope["tensor"] = lambda a: torch.ones(1) * float(a[0])
    for i in range(3):
        assert fast(floats(i)).tolist() == [2 * i]


def test_numpy_sees_a_write_at_once():
    def f(a):
        t = torch.from_numpy(a)
        t.add_(1)
        k = float(a[0])
        t.mul_(2)
        return W * k + t * float(a[1]) + t

    check(f, *[[floats(i, 1, 2)] for i in range(5)], limit=99)
    table = floats(1, 2, 3)

    def g(x):
        torch.from_numpy(table)[1:].add_(x)
        return x * float(table[1]) + torch.from_numpy(table)[:2]

    fast = torch.jit(g)
    for i in range(4):
        assert fast(torch.ones(2)).tolist() == [4 + i, 6 + 2 * i]
        assert table.tolist() == [1, 3 + i, 4 + i]


def test_a_write_that_was_seen_is_taken_back_when_the_call_fails():
    def f(a, i):
        torch.from_numpy(a).add_(1)
        return W[i]

    a = floats(1, 2)
    with pytest.raises(IndexError):
        torch.jit(f)(a, torch.tensor([9]))
    assert a.tolist() == [2, 3]


def test_writing_reaches_the_array():
    def f(a):
        t = torch.from_numpy(a)
        t.mul_(W).add_(1)
        return t.sum()

    calls = [[floats(i, 1, 2)] for i in range(4)]
    check(f, *calls, limit=1)
    base = np.zeros((2, 3), np.float32)
    fast = torch.jit(f)
    for i in range(4):
        base[...] = i
        fast(base[1])
        assert base.tolist() == [[i] * 3, [i + 1, 1 - 2 * i, 3 * i + 1]]


def test_writing_to_what_cannot_be_written():
    fast = torch.jit(lambda a: torch.from_numpy(a).add_(1))
    for _ in range(3):
        fast(floats(1, 2, 3))
    a = floats(1, 2, 3)
    a.flags.writeable = False
    with pytest.warns(UserWarning), pytest.raises((RuntimeError, ValueError)):
        fast(a)
    assert a.tolist() == [1, 2, 3]


def test_two_arrays_on_one_memory():
    def f(a, b):
        torch.from_numpy(a).add_(1)
        return torch.from_numpy(b) * 1

    fast = torch.jit(f)
    for _ in range(3):
        a, b = floats(1, 2, 3), floats(4, 5, 6)
        assert fast(a, b).tolist() == [4, 5, 6] and a.tolist() == [2, 3, 4]
        assert fast(a, a).tolist() == [3, 4, 5]
        c = floats(1, 2, 3, 4)
        assert fast(c[:3], c[1:]).tolist() == [3, 4, 4]
        assert fast(c[1:], c[:3]).tolist() == [2, 4, 5]


def test_numpy_and_tensors_on_one_memory_that_is_written():
    def f(a):
        k = float(a[0])
        torch.from_numpy(a).add_(1)
        return W * k

    check(f, *[[floats(i, 1, 2)] for i in (0, 1, 0, 1)], limit=99)


def test_an_array_that_lies_where_another_is_looked_at():
    table = floats(1, 2, 3)

    def f(a):
        torch.from_numpy(a).add_(1)
        return W * float(table[0])

    fast = torch.jit(f)
    for a in (floats(1, 2), floats(3, 4), floats(1, 2), floats(3, 4), table[:2]):
        assert fast(a).tolist() == (W * float(table[0])).tolist()
    assert table.tolist() == [2, 3, 3]


def test_numpy_writes():
    def f(a):
        a[0] = 7
        return torch.from_numpy(a) * 1

    check(f, *[[floats(i, 1, 2)] for i in (0, 1, 7, 1)], limit=99)


def test_what_is_handed_back():
    fast = torch.jit(lambda a: (a, torch.from_numpy(a), torch.from_numpy(a) + 1))
    for i in range(4):
        a = floats(i)
        same, t, more = fast(a)
        assert same is a and more.tolist() == [i + 1]
        t.add_(5)
        assert a.tolist() == [i + 5]


def test_what_is_kept():
    class Box:
        last = None

    box = Box()

    def f(a):
        box.last = a
        return torch.from_numpy(a) * 2

    fast, a = torch.jit(f), floats(1, 2)
    for given in (a, a, a, floats(1, 2), floats(3, 4)):
        assert fast(given).tolist() == (given * 2).tolist()
        assert box.last is given


def test_which_of_several_it_is():
    a, b = floats(1, 2), floats(1, 2)
    fast = torch.jit(lambda x, y: torch.from_numpy(x) * (2 if x is y else 3))
    for _ in range(3):
        assert fast(a, a).tolist() == [2, 4]
        assert fast(a, b).tolist() == [3, 6]
    fast = torch.jit(lambda x: torch.from_numpy(x) * (2 if x is a else 3))
    for _ in range(3):
        assert fast(a).tolist() == [2, 4]
        assert fast(b).tolist() == [3, 6]


def test_a_method_keywords_and_a_module():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, x, *, y):
            return self.layer(torch.from_numpy(x)) + torch.from_numpy(y)

    net = Net()
    for f in (net, net.forward):
        fast = torch.jit(f)
        for i in range(12):
            x, y = floats(i, 1, 2), floats(i, 3)
            assert fast(x, y=y).tolist() == f(x, y=y).tolist()
        assert fast.cache_info()["recordings"] == 1, fast.explain()


def test_who_sees_an_argument_before_the_function():
    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.from_numpy(x) * 2

    class Own(Net):
        scale = 1.0

        def __call__(self, x):
            self.scale = float(x[0])
            return super().__call__(x) * float(x[0])

    def seen(net, args):
        return (args[0] + np.float32(args[0][0] > 2),)

    hooked, replaced = Net(), Net()
    hooked.register_forward_pre_hook(seen)
    replaced.forward = lambda x: torch.from_numpy(x) * float(x[0])
    after = Net()
    after.register_forward_hook(lambda net, args, out: out * float(args[0][0]))
    for net in (hooked, Own(), replaced, after):
        fast = torch.jit(net)
        for i in (0, 0, 1, 1, 3, 4, 1):
            assert fast(floats(i, 1)).tolist() == net(floats(i, 1)).tolist()


def test_a_training_step():
    def run(wrap):
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 1)
        opt = torch.optim.Adam(net.parameters(), lr=0.1)

        def step(x, y):
            x, y = torch.from_numpy(x), torch.from_numpy(y)
            opt.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            opt.step()
            return loss

        step = wrap(step)
        rng = np.random.default_rng(0)
        draw = lambda n: rng.normal(size=(8, n)).astype(np.float32)
        return step, [step(draw(3), draw(1)).item() for _ in range(8)]

    fast, losses = run(torch.jit)
    assert losses == pytest.approx(run(lambda f: f)[1], rel=1e-5)
    assert fast.cache_info()["recordings"] <= 2, fast.explain()


def test_arrays_in_containers_are_read_each_time():
    fast = torch.jit(lambda batch: torch.from_numpy(batch["x"]) * W)
    for i in (0, 1, 0, 1, 2, 3):
        x = floats(i, 1, 2)
        assert fast({"x": x}).tolist() == (torch.from_numpy(x) * W).tolist()


SCALARS = [
    lambda x, s: x * s,
    lambda x, s: s * x + s,
    lambda x, s: x + (s * 3 - 1) / 7,
    lambda x, s: x.to(torch.float64) * s + (s + 0.1),
    lambda x, s: x.long() * s,
    lambda x, s: x * 2 if s > 2 else x * s,
    lambda x, s: x * float(np.sqrt(s)) if s else x,
    lambda x, s: (x * s, s * 2, -s),
    lambda x, s: torch.full((3,), s) + torch.tensor(s) + torch.clamp(x, max=s),
    lambda x, s: x * (s.dtype.itemsize if isinstance(s, np.float32) else s),
    lambda x, s: x * (x.sum().item() * s),
]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("f", SCALARS)
def test_scalars_of_numpy(f, kind):
    fast, x = torch.jit(f), torch.tensor([1.0, 2.0, 3.0])
    for k in (0.1, 0.1, 2.7, 3.3, 0.7, 0.1, 1.9, 0, 3.7, 0.3):
        got, want = fast(x, kind(k)), f(x, kind(k))
        assert str(got) == str(want), fast.explain()
        assert getattr(got, "dtype", 0) == getattr(want, "dtype", 0)


def test_a_scalar_of_numpy_is_followed():
    fast, x = torch.jit(lambda x, s: x * (s * 2) + s), torch.ones(3)
    for k in range(12):
        fast(x, np.float32(k / 7))
    assert fast.cache_info()["recordings"] == 2, fast.explain()
    for _ in range(3):
        fast(x, np.int64(3))
    assert fast.cache_info()["recordings"] == 3, fast.explain()
