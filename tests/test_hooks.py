"""Hooks of tensors and modules see gradients, in PyTorch's order, jitted as well."""

from __future__ import annotations

import gc
import warnings
import weakref

import pytest
import tracefuse as tf
from tracefuse import nn


def ones(n=2):
    return tf.ones(n, requires_grad=True)


def story(lib):
    """What hooks saw, in order."""
    log = []

    def note(name):
        return lambda g: log.append((name, g.tolist()))

    x, w = (lib.ones(2, requires_grad=True) for _ in range(2))
    y = x * w
    z = y * 3
    total = z.sum()
    y.retain_grad()
    y.register_hook(note("y"))
    handle = y.register_hook(lambda g: g * 2)
    y.register_hook(note("y, doubled"))
    x.register_hook(note("x"))
    w.register_hook(note("w"))
    w.register_hook(lambda g: g + 1)
    w.register_post_accumulate_grad_hook(lambda t: log.append(t.grad.tolist()))
    x.register_post_accumulate_grad_hook(lambda t: log.append(t.grad.tolist()))
    z.register_hook(note("z"))
    total.register_hook(note("total"))
    total.backward(retain_graph=True)
    handle.remove()
    total.backward()
    log.append([t.grad.tolist() for t in (x, w, y)])
    return log


def test_the_order_of_hooks():
    log = story(tf)
    names = [entry[0] for entry in log[:8] if isinstance(entry, tuple)]
    assert names == ["total", "z", "y", "y, doubled", "x", "w"]
    assert log[-1] == [[9.0, 9.0], [11.0, 11.0], [9.0, 9.0]]


def test_the_order_is_that_of_torch():
    torch = pytest.importorskip("torch")
    assert story(tf) == story(torch)


def test_hooks_see_what_grad_finds():
    x = ones()
    x.register_hook(lambda g: g * 5)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    assert tf.autograd.grad(y.sum(), [x])[0].tolist() == [100.0, 100.0]
    assert tf.autograd.grad((x * 2).sum(), x)[0].tolist() == [10.0, 10.0]


def test_a_hook_can_be_differentiated():
    x = tf.tensor([3.0], requires_grad=True)
    y = x * 1
    y.register_hook(lambda g: g * x)
    (g,) = tf.autograd.grad((y * y).sum(), x, create_graph=True)
    assert g.item() == 18.0
    # 2 x by y, whose hook acts again, and 2 y by the x of the hook.
    assert tf.autograd.grad(g.sum(), x)[0].item() == 24.0


def test_a_handle_is_a_context():
    x = ones()
    with x.register_hook(lambda g: g * 2):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


REFUSED = {
    "register_hook": "cannot register a hook on a tensor that doesn't require",
    "retain_grad": "can't retain_grad on Tensor that has requires_grad=False",
    "register_post_accumulate_grad_hook": "cannot register a hook",
}


@pytest.mark.parametrize("name", REFUSED)
def test_tensors_without_gradients(name):
    args = () if name == "retain_grad" else (print,)
    with pytest.raises(RuntimeError, match=REFUSED[name]):
        getattr(tf.ones(1), name)(*args)


def test_only_leaves_accumulate():
    with pytest.raises(RuntimeError, match="cannot be registered on non-leaf"):
        (ones() * 2).register_post_accumulate_grad_hook(print)


@pytest.mark.parametrize("leaf", [True, False])
@pytest.mark.parametrize(
    "returned, error, words",
    [
        (3, TypeError, "expected Variable, but hook returned 'int'"),
        (tf.ones(3), RuntimeError, "has changed the size of value"),
        (tf.ones(2, dtype=tf.float64), RuntimeError, "has changed the type of value"),
    ],
)
def test_what_a_hook_may_return(leaf, returned, error, words):
    x = ones()
    y = x if leaf else x * 1
    y.register_hook(lambda g: returned)
    with pytest.raises(error, match=words):
        (y * 2).sum().backward()


def test_retain_grad_accumulates_and_says_so():
    x = ones()
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not y.is_leaf
    for n in (1.0, 2.0):
        y.sum().backward(retain_graph=True)
        assert y.grad.tolist() == [n, n]
    x.retain_grad()  # of a leaf: nothing to do
    assert not x.retains_grad


class Multiply:
    def __init__(self, by):
        self.by = by

    def __call__(self, g):
        return g * self.by


def test_hooks_die_with_their_tensor():
    gc.disable()
    try:
        x = ones()
        y = x * 2
        hook = Multiply(tf.ones(2))
        y.register_hook(hook)
        ref = weakref.ref(hook)
        del hook, y
        assert ref() is None
    finally:
        gc.enable()


# -- jitted


def test_a_hook_inside_acts_on_a_backward_outside():
    @tf.jit
    def f(x, w):
        y = x * w
        y.register_hook(lambda g: g * 2)
        return (y * 3).sum()

    for _ in range(3):
        x, w = ones(), ones()
        f(x, w).backward()
        assert (x.grad.tolist(), w.grad.tolist()) == ([6.0, 6.0], [6.0, 6.0])
    assert f.cache_info()["paths"] == 1


def test_a_whole_step():
    @tf.jit
    def step(x):
        y = x * 2
        y.retain_grad()
        y.register_hook(lambda g: g * 2)
        (y * 3).sum().backward()
        return y.grad

    for _ in range(3):
        x = ones()
        x.register_hook(lambda g: g + 1)
        assert step(x).tolist() == [6.0, 6.0]
        assert x.grad.tolist() == [13.0, 13.0]


def test_hooks_of_a_parameter_come_and_go():
    x = ones()
    f = tf.jit(lambda x: (x * 2).sum().backward())
    f(x)
    with x.register_hook(lambda g: g * 10):
        f(x)
    f(x)
    assert x.grad.tolist() == [24.0, 24.0]


def test_a_hook_outside_sees_a_jitted_gradient():
    seen = []
    x = ones()
    y = tf.jit(lambda x: x * 2)(x)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 5).sum().backward()
    assert seen == [[5.0, 5.0]] and x.grad.tolist() == [10.0, 10.0]


@pytest.mark.parametrize("use", [lambda g: g.item(), lambda g: g.tolist()])
def test_numbers_of_a_gradient_that_is_not_there_yet(use):
    @tf.jit
    def f(x):
        y = x * 2
        y.register_hook(lambda g: use(g) and None)
        return y.sum()

    with pytest.raises(tf.TraceError, match=r"test_hooks.py:\d+"):
        f(ones(1))


def test_a_hook_must_not_keep_or_write_at_the_border():
    kept, outside = [], tf.zeros(2)

    def run(hook):
        @tf.jit
        def f(x):
            y = x * 2
            y.register_hook(hook)
            return y.sum()

        return f(ones())

    with pytest.raises(tf.TraceError, match="keeps a gradient"):
        run(kept.append)
    with pytest.raises(tf.TraceError, match="writes to a tensor from outside"):
        run(lambda g: (outside.add_(g), None)[1])
    assert outside.tolist() == [0.0, 0.0]
    with pytest.raises(tf.TraceError, match="retain_grad"):
        tf.jit(lambda x: (y := x * 2, y.retain_grad(), y.sum())[2])(ones())


# -- modules


class Pair(nn.Module):
    def forward(self, a, b, c):
        return a * b, b * 2, c


def module_story(lib):
    log = []

    def plain(grads):
        return [None if g is None else g.tolist() for g in grads]

    def run(module, *args):
        module.register_full_backward_hook(
            lambda m, gi, go: log.append(("after", plain(gi), plain(go)))
        )
        module.register_full_backward_pre_hook(
            lambda m, go: log.append(("before", plain(go)))
        )
        y = module(*args)
        (y[0] if isinstance(y, tuple) else y).sum().backward()

    class Two(lib.nn.Module):
        def forward(self, a, b, c):
            return a * b, b * 2, c

    class Flat(lib.nn.Module):
        def forward(self, a, b):
            return a * 2

    def var():
        return lib.ones(1, requires_grad=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(lib.nn.Identity(), var())
        run(lib.nn.Sequential(lib.nn.Identity(), lib.nn.Identity()), var())
        run(Two(), var(), lib.ones(1), 3)
        run(Two(), lib.ones(1), var(), 3)
        run(Flat(), var(), var())
        linear = lib.nn.Linear(1, 1)
        linear.weight.data.fill_(2.0)
        run(linear, lib.ones(1))
    return log


def test_full_backward_hooks():
    log = module_story(tf)
    assert log[:2] == [("before", [[1.0]]), ("after", [[1.0]], [[1.0]])]
    assert log[-1] == ("after", [None], [[1.0]])


def test_full_backward_hooks_are_those_of_torch():
    torch = pytest.importorskip("torch")
    assert module_story(tf) == module_story(torch)


@pytest.mark.parametrize("jitted", [False, True])
def test_module_hooks_change_gradients(jitted):
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Identity())
    net[0].weight.data.fill_(1.0)
    net[0].register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    first = net[0].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))

    def loss(x):
        return net(x).sum()

    f = tf.jit(loss) if jitted else loss
    for _ in range(2):
        x = ones()
        net.zero_grad()
        f(x).backward()
        assert x.grad.tolist() == [60.0, 60.0]
        assert net[0].weight.grad.tolist() == [[3.0, 3.0]] * 2
    first.remove()
    x = ones()
    f(x).backward()
    assert x.grad.tolist() == [20.0, 20.0]


@pytest.mark.parametrize(
    "register, returned, words",
    [
        ("register_full_backward_hook", (1, 2), "number of grad_input, got 2"),
        ("register_full_backward_pre_hook", (1, 2), "number of grad_output, got 2"),
    ],
)
def test_module_hooks_return_as_many(register, returned, words):
    module = nn.Identity()
    getattr(module, register)(lambda *args: returned)
    with pytest.raises(RuntimeError, match=words):
        module(ones()).sum().backward()


def test_clones_and_views_have_gradients_of_their_own():
    for other in (tf.clone, lambda y: y[:], lambda y: y.view(2), lambda y: y.flatten()):
        for wrap in (lambda f: f, tf.jit):

            def f(x, other=other):
                y = x * 2
                z = other(y)
                if z is not y:
                    z.register_hook(lambda g: g * 10)
                return (y + z).sum()

            x = ones()
            wrap(f)(x).backward()
            assert x.grad.tolist() in ([22.0, 22.0], [4.0, 4.0])


def test_a_retained_gradient_is_of_what_the_tensor_is_now():
    x = ones()
    y = x * 2
    y.register_hook(lambda g: g * 10)  # of what it was
    y.retain_grad()
    y.mul_(3)
    y.sum().backward()
    assert y.retains_grad
    assert (x.grad.tolist(), y.grad.tolist()) == ([60.0, 60.0], [1.0, 1.0])
