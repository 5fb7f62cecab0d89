"""jit: containers given and returned, and other state that a replay must not lose."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import tracefuse as torch
from tracefuse.tracer.errors import TraceError

T = torch.tensor
SHARED = [1.0]


def recordings(f):
    return f.cache_info()["recordings"]


# -- containers that a call is given


def _pop(d):
    return d.pop("a") + 1


def _store(d):
    d["b"] = d["a"] * 2
    return d


def _reverse(items):
    items.reverse()
    return items[0] * 1


def _sort(items):
    items.sort(key=float)
    return items[0] * 1


def _replace(items):
    items[:] = [T(9.0), T(8.0)]
    del items[0]
    return items[0] + 1


def _first(items):
    items[0] = items[0] + 1
    return items


def _nested(items):
    items[0]["x"].append(T(3.0))
    return items[0]["x"][0] * 2


def _plain(x):
    """Numbers instead of tensors."""
    if isinstance(x, torch.Tensor):
        return x.tolist()
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    return [_plain(v) for v in x] if isinstance(x, (list, tuple)) else x


@pytest.mark.parametrize(
    "function, make",
    [
        (_pop, lambda k: {"a": T(k), "b": T(0.0)}),
        (_store, lambda k: {"a": T(k)}),
        (_reverse, lambda k: [T(k), T(k + 1)]),
        (_sort, lambda k: [T(k + 1), T(k)]),
        (_replace, lambda k: [T(k), T(k)]),
        (_first, lambda k: [T(k)]),
        (_nested, lambda k: [{"x": [T(k)]}]),
    ],
)
def test_changes_of_a_given_container_happen_at_every_call(function, make):
    f = torch.jit(function)
    for k in (1.0, 2.0, 3.0, 4.0):
        mine, other = make(k), make(k)
        want, got = function(mine), f(other)
        assert _plain(got) == _plain(want) and _plain(other) == _plain(mine)


def test_a_sort_that_first_changes_nothing():
    f = torch.jit(_sort)
    for pair in ([1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 1.0], [1.0, 2.0]):
        items = [T(v) for v in pair]
        assert f(items).item() == 1.0 and _plain(items) == [1.0, 2.0]


def test_a_given_container_is_returned_itself():
    f = torch.jit(lambda tree, x: (tree, {"in": tree["b"]}, x * 2))
    for k in range(3):
        tree = {"a": T(1.0), "b": [T(float(k))]}
        same, inner, double = f(tree, T(float(k)))
        assert same is tree and inner["in"] is tree["b"] and double.item() == 2 * k
    assert recordings(f) == 1


def test_a_container_given_by_name_is_returned_itself():
    f = torch.jit(lambda x, *, into: into)
    for _ in range(3):
        into = [T(1.0)]
        assert f(T(2.0), into=into) is into


def test_a_container_given_twice():
    f = torch.jit(lambda a, b: (a, b))
    one, two, x = [], [], T(1.0)
    one.append(x), two.append(x)
    for a, b in [(one, one), (one, two), (one, one), (two, one)]:
        first, second = f(a, b)
        assert first is a and second is b


def test_a_captured_container_is_returned_itself():
    kept = {"x": [T(1.0)]}
    f = torch.jit(lambda x: (kept, kept["x"], SHARED, x + 1))
    for _ in range(3):
        whole, inner, shared, _ = f(T(1.0))
        assert whole is kept and inner is kept["x"] and shared is SHARED
    kept["x"].append(T(2.0))
    assert f(T(1.0))[1] is kept["x"] and len(f(T(1.0))[1]) == 2


def test_a_container_made_inside_is_new_at_every_call():
    f = torch.jit(lambda d: {"in": d["a"] * 2, "list": [d["a"]]})
    d = {"a": T(1.0)}
    one, two = f(d), f(d)
    assert one is not two and one["list"] is not two["list"]
    assert one["list"][0] is d["a"] is two["list"][0]


@pytest.mark.parametrize(
    "keys", [(1, True, 1.0, 1), (0.0, -0.0, 0, 0.0), ("a", 1, "a")]
)
def test_equal_keys_of_other_types_are_other_keys(keys):
    f = torch.jit(lambda d: [repr(k) for k in d] + [v * 2 for v in d.values()])
    for key in keys:
        assert f({key: T(1.0)})[0] == repr(key)


# -- NumPy


def test_an_array_shown_while_recording_cannot_be_written():
    @torch.jit
    def f(x):
        x.numpy()[0] = 7
        return x * 2

    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            f(torch.ones(2))
    assert torch.jit(lambda x: float(x.numpy().sum()))(torch.ones(2)) == 2.0
    assert torch.jit(lambda x: np.asarray(x) + 1)(torch.ones(2)).tolist() == [2, 2]


# -- what an optimizer remembers


def _sgd(params):
    return torch.optim.SGD(params, lr=0.1, momentum=0.9)


def _adam(params):
    return torch.optim.Adam(params, lr=0.1)


def _clear(o, p, saved):
    o.state.clear()


def _delete(o, p, saved):
    del o.state[p]


def _pop_state(o, p, saved):
    o.state.pop(p)


def _forget_inner(o, p, saved):
    o.state[p].clear()


def _fill(o, p, saved):
    for name, value in o.state[p].items():
        o.state[p][name] = torch.ones_like(value)


def _load(o, p, saved):
    o.load_state_dict(saved)


@pytest.mark.parametrize("optimizer", [_sgd, _adam])
@pytest.mark.parametrize(
    "change", [_clear, _delete, _pop_state, _forget_inner, _fill, _load]
)
def test_changes_of_optimizer_state_are_seen(optimizer, change):
    def run(wrap):
        p = torch.nn.Parameter(T([1.0, -2.0]))
        o = optimizer([p])

        def step(x):
            o.zero_grad()
            ((p * x) ** 2).sum().backward()
            o.step()

        step, seen = wrap(step), []
        for k in range(15):
            if k == 2:
                saved = copy.deepcopy(o.state_dict())
            if k in (6, 11):
                change(o, p, saved)
            step(T([1.0, 0.5]))
            seen += p.tolist()
        return seen

    assert run(torch.jit) == pytest.approx(run(lambda f: f), rel=1e-5)


def test_optimizer_state_copies_and_pickles():
    p = torch.nn.Parameter(torch.ones(2))
    o = _adam([p])
    p.grad = torch.ones(2)
    o.step()
    for other in (copy.deepcopy(o.state), pickle.loads(pickle.dumps(o.state))):
        assert type(other) is type(o.state) and len(other) == 1
        assert sorted(next(iter(other.values()))) == ["exp_avg", "exp_avg_sq", "step"]
        assert other["new"] == {}


# -- data exchanged for other data


def test_data_of_another_type_and_shape():
    p = torch.nn.Parameter(torch.ones(2, 2))
    (p * p).sum().backward()
    p.data, p.grad = p.data.double(), None
    assert (p @ torch.ones(2, 2, dtype=torch.float64)).dtype is torch.float64
    assert torch.autograd.grad((p * p).sum(), p)[0].dtype is torch.float64
    p.data = torch.ones(3)
    assert torch.autograd.grad((p * p).sum(), p)[0].tolist() == [2.0] * 3


def test_data_exchanged_between_forward_and_backward():
    p = torch.nn.Parameter(torch.ones(2))
    y = (p * 3).sum()
    p.data = torch.full((2,), 5.0)
    assert torch.autograd.grad(y, p)[0].tolist() == [3.0, 3.0]


def test_data_exchanged_under_a_recording():
    p = torch.nn.Parameter(torch.ones(2))
    f = torch.jit(lambda x: (p * x).sum())
    for data in (torch.ones(2), torch.ones(3), torch.ones(3).double(), torch.ones(2)):
        p.data = data
        x = torch.full((len(data),), 2.0, dtype=data.dtype)
        for _ in range(3):
            y = f(x)
            assert y.dtype is data.dtype and y.item() == 2.0 * len(data)


def test_data_that_comes_to_be_shared():
    p, q = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))

    @torch.jit
    def f():
        with torch.no_grad():
            p.add_(1)
        return q.detach() * 1

    assert [f().tolist()[0] for _ in range(2)] == [1.0, 1.0]
    q.data = p.data
    assert [f().tolist()[0] for _ in range(3)] == [4.0, 5.0, 6.0]


# -- settings and numbers


def test_the_default_type_is_part_of_the_key():
    f = torch.jit(lambda: torch.ones(2))
    assert f().dtype is f().dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert f().dtype is f().dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert f().dtype is torch.float32 and recordings(f) == 2


def test_a_grad_mode_that_is_left_changed():
    def switch(x):
        y = x * 2
        torch.set_grad_enabled(False)
        return y

    f, x = torch.jit(switch), torch.ones(2, requires_grad=True)
    for _ in range(3):
        try:
            y = f(x)
            assert not torch.is_grad_enabled()
        finally:
            torch.set_grad_enabled(True)
        assert y.requires_grad


def test_zeros_of_both_signs_and_nan_are_outcomes():
    f = torch.jit(lambda x: x * 0 + math.copysign(3.0, x.item()))
    for x in (0.0, -0.0, 0.0, -0.0, 1.0, 0.0, math.inf, -math.inf):
        assert f(T(x) if math.isfinite(x) else T(x)).tolist() == pytest.approx(
            x * 0 + math.copysign(3.0, x), nan_ok=True
        )
    g = torch.jit(lambda x: 1 if math.isnan(x.item()) else 0)
    assert [g(T(v)) for v in (math.nan, 1.0, math.nan)] == [1, 0, 1]
    assert recordings(f) == 5 and recordings(g) == 2


def test_divmod_of_a_symbolic_size():
    f = torch.jit(
        lambda x: (divmod(x.shape[0], 3), divmod(20, x.shape[0]), x * 2),
        dynamic_shapes={"x": {0: torch.Dim("b")}},
    )
    for n in (4, 5, 7):
        assert f(torch.ones(n))[:2] == (divmod(n, 3), divmod(20, n))


def test_text_made_of_a_symbolic_size():
    f = torch.jit(
        lambda x: (str(x.shape[0]), f"{x.shape[0]}", f"{x.shape[0]:3d}", x * 2),
        dynamic_shapes={"x": {0: torch.Dim("b")}},
    )
    for n in (4, 5, 4):
        assert f(torch.ones(n))[:3] == (str(n), str(n), f"{n:3d}")
    assert recordings(f) == 2 and str(torch.Dim("b")) == "b"


def test_tensors_as_keys_are_told_by_identity():
    f, a, b = torch.jit(lambda d: sum(d.values())), torch.ones(2), torch.ones(2)
    for key, value in [(a, 1.0), (a, 2.0), (b, 3.0), (a, 4.0)]:
        assert f({key: T(value)}).item() == value


def test_a_program_cannot_change_what_it_is_given():
    with pytest.raises(TraceError, match="changes a container"):
        torch.jit.trace(_store, ({"a": T(1.0)},))
