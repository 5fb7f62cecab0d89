"""GradScaler: as PyTorch's, eager and inside compiled steps."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import tracefuse as tf
from gpu_tools import gpu  # noqa: F401

INF = float("inf")


def setup(make=lambda p: tf.optim.SGD(p, lr=0.5), **options):
    p = tf.ones(2, requires_grad=True)
    return p, make([p]), tf.amp.GradScaler("cpu", **options)


def backward(p, scaler, factor=1.0):
    scaler.scale((p * factor).sum()).backward()


def test_a_step_is_taken_on_unscaled_gradients():
    p, sgd, scaler = setup(init_scale=8.0)
    backward(p, scaler)
    assert p.grad.tolist() == [8.0, 8.0]
    scaler.step(sgd)
    assert p.tolist() == [0.5, 0.5] and p.grad.tolist() == [1.0, 1.0]


def test_a_step_with_infinite_gradients_is_skipped_and_the_scale_shrinks():
    p, sgd, scaler = setup(init_scale=8.0, backoff_factor=0.25)
    backward(p, scaler, INF)
    assert scaler.step(sgd) is None
    scaler.update()
    assert p.tolist() == [1.0, 1.0] and scaler.get_scale() == 2.0


def test_the_scale_grows_after_steps_in_a_row():
    p, sgd, scaler = setup(init_scale=8.0, growth_interval=2, growth_factor=4.0)
    scales = []
    for factor in (1.0, 1.0, 1.0, INF, 1.0, 1.0):
        p.grad = None
        backward(p, scaler, factor)
        scaler.step(sgd)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [8.0, 32.0, 32.0, 16.0, 16.0, 64.0]
    assert scaler._get_growth_tracker() == 0


def test_the_scale_never_grows_to_infinity():
    p, sgd, scaler = setup(init_scale=3e38, growth_interval=1)
    backward(p, scaler, 1e-30)
    scaler.step(sgd)
    scaler.update()
    assert scaler.get_scale() == np.float32(3e38)


def test_gradients_may_be_clipped_in_between():
    p, sgd, scaler = setup(init_scale=8.0)
    backward(p, scaler, 100.0)
    scaler.unscale_(sgd)
    tf.nn.utils.clip_grad_norm_([p], 1.0)
    scaler.step(sgd)
    assert tf.allclose(p.detach(), tf.full((2,), 1 - 0.5 / 2**0.5), atol=1e-4)


def test_each_optimizer_is_looked_at_by_itself():
    a, b = (tf.ones(1, requires_grad=True) for _ in range(2))
    first, second = tf.optim.SGD([a], lr=1.0), tf.optim.SGD([b], lr=1.0)
    scaler = tf.amp.GradScaler("cpu", init_scale=4.0)
    for loss in scaler.scale([a.sum() * INF, b.sum()]):
        loss.backward()
    scaler.step(first)
    scaler.step(second)
    scaler.update()
    assert (a.item(), b.item(), scaler.get_scale()) == (1.0, 0.0, 2.0)


def test_scale_takes_nested_iterables():
    _, _, scaler = setup(init_scale=2.0)
    one = tf.ones(())
    scaled = scaler.scale((one, [one, one]))
    assert type(scaled) is tuple and type(scaled[1]) is list
    assert [t.item() for t in (scaled[0], *scaled[1])] == [2.0] * 3
    assert [t.item() for t in scaler.scale(t for t in (one, one))] == [2.0, 2.0]
    with pytest.raises(ValueError, match="must be a Tensor or an iterable"):
        scaler.scale(3)


def test_disabled_it_does_nothing():
    p, sgd, scaler = setup(enabled=False)
    backward(p, scaler)
    scaler.unscale_(sgd)
    scaler.step(sgd)
    scaler.update()
    assert p.tolist() == [0.5, 0.5]
    assert scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    assert scaler._get_growth_tracker() == 0 and not scaler.is_enabled()
    scaler.load_state_dict({})
    assert not copy.deepcopy(scaler).is_enabled()


def test_without_a_gpu_the_default_is_disabled(monkeypatch):
    monkeypatch.setattr(tf.api.cuda, "is_available", lambda: False)
    for kind in (tf.amp.GradScaler, tf.cuda.amp.GradScaler):
        with pytest.warns(UserWarning, match="CUDA is not available.  Disabling"):
            assert not kind().is_enabled()
    assert tf.cpu.amp.GradScaler(4.0).get_scale() == 4.0


# -- what it refuses


def test_the_order_of_calls():
    p, sgd, scaler = setup()
    for name in ("unscale_", "step"):
        with pytest.raises(AssertionError, match=f"Attempted {name} but _scale is No"):
            getattr(scaler, name)(sgd)
    with pytest.raises(AssertionError, match="Attempted update but _scale is None"):
        scaler.update()
    backward(p, scaler)
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to"):
        scaler.update()
    scaler.unscale_(sgd)
    with pytest.raises(RuntimeError, match="unscale_.. has already been called on"):
        scaler.unscale_(sgd)
    scaler.step(sgd)
    with pytest.raises(RuntimeError, match="unscale_.. is being called after step"):
        scaler.unscale_(sgd)
    with pytest.raises(RuntimeError, match="step.. has already been called since"):
        scaler.step(sgd)
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(sgd, closure=lambda: None)
    scaler.update()
    p.grad = None
    with pytest.raises(AssertionError, match="No inf checks were recorded for this"):
        scaler.step(sgd)


def test_bad_input_is_named():
    with pytest.raises(AssertionError, match="growth factor must be > 1"):
        tf.amp.GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(AssertionError, match="backoff factor must be < 1"):
        tf.amp.GradScaler("cpu", backoff_factor=1.0)
    half = tf.ones(2, dtype=tf.float16, requires_grad=True)
    scaler = tf.amp.GradScaler("cpu")
    scaler.scale(half.float().sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.unscale_(tf.optim.SGD([half], lr=0.1))
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        scaler.load_state_dict({})
    for wrong in (3, tf.ones(2)):
        with pytest.raises(AssertionError, match="new_scale should be a float or a 1"):
            scaler.update(wrong)
    scaler.update(4.0)
    assert scaler.get_scale() == 4.0
    scaler.update(tf.tensor([2.0]))
    assert scaler.get_scale() == 2.0


# -- settings and saving


def test_settings_and_state():
    p, sgd, scaler = setup(init_scale=8.0, growth_interval=5)
    scaler.set_growth_factor(3.0)
    scaler.set_backoff_factor(0.1)
    scaler.set_growth_interval(7)
    for _ in range(2):
        backward(p, scaler)
        scaler.step(sgd)
        scaler.update()
    saved = scaler.state_dict()
    assert saved == {
        "scale": 8.0,
        "growth_factor": 3.0,
        "backoff_factor": 0.1,
        "growth_interval": 7,
        "_growth_tracker": 2,
    }
    fresh, used = tf.amp.GradScaler("cpu"), tf.amp.GradScaler("cpu")
    used.scale(tf.ones(()))
    for other in (fresh, used):
        other.load_state_dict(saved)
        assert other.state_dict() == saved
        assert other.get_growth_factor() == 3.0 and other.get_backoff_factor() == 0.1
        assert other.get_growth_interval() == 7
    assert pickle.loads(pickle.dumps(scaler)).state_dict() == saved
    scaler.unscale_(sgd)
    with pytest.raises(AssertionError, match="may only be pickled at the beginning"):
        pickle.dumps(scaler)


# -- compiled

OPTIMIZERS = {
    "sgd": lambda p: tf.optim.SGD(p, lr=0.5),
    "momentum": lambda p: tf.optim.SGD(p, lr=0.5, momentum=0.9, dampening=0.5),
    "adam": lambda p: tf.optim.Adam(p, lr=0.1),
    "adamw": lambda p: tf.optim.AdamW(p, lr=0.1, amsgrad=True),
    "rmsprop": lambda p: tf.optim.RMSprop(p, lr=0.1, momentum=0.5),
}
WAYS = {
    "later": (1.0, 1.0, 1.0, INF, 1.0, float("nan"), 1.0, 2.0),
    "first": (INF, 1.0, INF, 1.0, 1.0),
}


def train(jit, make, factors):
    p, optimizer, scaler = setup(make, init_scale=8.0, growth_interval=2)

    def step(x):
        optimizer.zero_grad()
        with tf.autocast("cpu"):
            loss = (p * x).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    run, seen = jit(step), []
    for factor in factors:
        run(tf.tensor([factor, 0.5]))
        memory = {k: t.tolist() for k, t in optimizer.state.get(p, {}).items()}
        now = (p.tolist(), p.grad.tolist(), memory)
        seen.append((*now, scaler.get_scale(), scaler._get_growth_tracker()))
    return seen, run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_compiled_step_is_the_plain_one(name, way):
    factors = WAYS[way]
    expected, _ = train(lambda f: f, OPTIMIZERS[name], factors)
    got, step = train(tf.jit, OPTIMIZERS[name], factors)
    for a, b in zip(got, expected):
        assert a[2].keys() == b[2].keys() and a[3:] == b[3:]
        for x, y in zip((*a[:2], *a[2].values()), (*b[:2], *b[2].values())):
            np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_skipped_step_is_the_same_program(name):
    _, step = train(tf.jit, OPTIMIZERS[name], WAYS["later"])
    info = step.cache_info()
    assert info["paths"] == 1 and info["recordings"] <= 3
    assert "guard" not in step.explain()


def test_what_an_optimizer_counts_in_python_is_not_counted_for_a_skipped_step(
    monkeypatch,
):
    def update(self, p, grad, group, lr):
        self.state[p]["steps"] = self.state[p].get("steps", 0) + 1
        tf.api.tensor.write(p, p - grad * lr)

    monkeypatch.setattr(tf.optim.SGD, "_update", update)
    for jit in (tf.jit, lambda f: f):
        p, sgd, scaler = setup(init_scale=8.0)

        def step(x, p=p, sgd=sgd, scaler=scaler):
            sgd.zero_grad()
            scaler.scale((p * x).sum()).backward()
            scaler.step(sgd)
            scaler.update()

        run = jit(step)
        for factor in (INF, 1.0, INF, 1.0, INF):
            run(tf.tensor(factor))
        assert sgd.state[p]["steps"] == 2 and p.tolist() == [0.0, 0.0]


def test_an_optimizer_of_ones_own_is_asked_as_in_eager_python():
    class Counting(tf.optim.SGD):
        steps = 0

        def step(self, closure=None):
            self.steps += 1
            return super().step(closure)

    def run(jit):
        p, optimizer, scaler = setup(lambda p: Counting(p, lr=0.5), init_scale=8.0)

        @jit
        def step(x):
            optimizer.zero_grad()
            scaler.scale((p * x).sum()).backward()
            scaler.step(optimizer)
            scaler.update()

        for factor in (1.0, INF, 1.0, INF, INF):
            step(tf.tensor(factor))
        return p.tolist(), optimizer.steps, scaler.get_scale()

    assert run(tf.jit) == run(lambda f: f) == ([0.0, 0.0], 2, 1.0)


def test_what_stands_between_calls_is_not_overlooked():
    p, sgd, scaler = setup(init_scale=8.0)

    @tf.jit
    def step(x):
        scaler.scale((p * x).sum()).backward()
        scaler.step(sgd)
        scaler.update()

    x = tf.tensor(1.0)
    for _ in range(3):
        sgd.zero_grad()
        step(x)
    assert p.tolist() == [-0.5, -0.5]
    sgd.zero_grad()
    backward(p, scaler)
    scaler.unscale_(sgd)  # so the next step does not: 1 and 8 meet
    step(x)
    assert p.grad.tolist() == [9.0, 9.0]
    assert p.tolist() == [-5.0, -5.0]
    sgd.zero_grad()
    step(x)
    assert p.grad.tolist() == [1.0, 1.0]


def test_only_a_part_of_the_iteration_may_be_compiled():
    def run(jit):
        p, sgd, scaler = setup(init_scale=8.0, growth_interval=2)

        @jit
        def forward(x):
            scaler.scale((p * x).sum()).backward()
            scaler.unscale_(sgd)

        @jit
        def finish():
            scaler.step(sgd)
            scaler.update()

        for factor in (1.0, INF, 1.0, 1.0, 1.0):
            sgd.zero_grad()
            forward(tf.tensor(factor))
            finish()
        return p.tolist(), scaler.state_dict()

    assert run(tf.jit) == run(lambda f: f)


@pytest.mark.parametrize("compiled", [False, True])
def test_on_a_gpu(gpu, compiled):  # noqa: F811
    pytest.importorskip("triton")
    p = tf.ones(2, device="cuda", requires_grad=True)
    sgd, scaler = tf.optim.SGD([p], lr=0.5), tf.amp.GradScaler(init_scale=8.0)

    def step(x):
        sgd.zero_grad()
        scaler.scale((p * x).sum()).backward()
        scaler.step(sgd)
        scaler.update()

    run = tf.jit(step) if compiled else step
    for factor in (1.0, INF, 1.0):
        run(tf.tensor([factor, 1.0]).cuda())
    assert p.tolist() == [0.0, 0.0] and scaler.get_scale() == 4.0
    assert scaler._get_scale_async().device.type == "cuda"


# -- beside PyTorch


@pytest.mark.parametrize("compiled", [False, True])
def test_as_in_pytorch(compiled):
    torch = pytest.importorskip("torch")
    scales, weights = {}, {}
    factors = (1.0, INF, 1.0, 1.0, 1.0, 1e38, 1.0, 1.0, 1.0)
    for lib in (torch, tf):
        p = lib.ones(3, requires_grad=True)
        adam = lib.optim.Adam([p], lr=0.1)
        scaler = lib.amp.GradScaler(
            *("cpu", 1000.0, 1.7, 0.3), growth_interval=2
        )  # no powers of two

        def step(x, lib=lib, p=p, adam=adam, scaler=scaler):
            adam.zero_grad()
            scaler.scale((p * x).sum()).backward()
            scaler.step(adam)
            scaler.update()

        run = tf.jit(step) if compiled and lib is tf else step
        scales[lib] = []
        for factor in factors:
            run(lib.tensor([factor, 1.0, 2.0]))
            scales[lib].append(scaler.get_scale())
        weights[lib] = p.tolist()
    assert scales[tf] == scales[torch]
    np.testing.assert_allclose(weights[tf], weights[torch], rtol=1e-5)
