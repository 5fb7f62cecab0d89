"""`autograd.forward_ad` and the words of `autograd.graph`, as PyTorch has them."""

from __future__ import annotations

import pytest
import tracefuse as tf
from tracefuse import nn


@pytest.fixture(params=["tracefuse", "torch"])
def lib(request):
    """The same test, of ours and of the original."""
    return tf if request.param == "tracefuse" else pytest.importorskip("torch")


def linear(lib, x):
    return x * 2 + 1


def curved(lib, x):
    y = x.sin() * x
    y[0] = x[1] ** 3
    return (y, y.sum())


def written(lib, x):
    x.mul_(3)
    return x.exp()


@pytest.mark.parametrize("f", [linear, curved, written])
def test_tangents_of(lib, f):
    fw = lib.autograd.forward_ad
    at, along = lib.tensor([0.5, -1.0, 2.0]), lib.tensor([1.0, 2.0, -1.0])
    with fw.dual_level():
        out = f(lib, fw.make_dual(at * 1, along * 1))
        found = [fw.unpack_dual(y) for y in (out if isinstance(out, tuple) else (out,))]
    plain = f(tf, tf.tensor(at.tolist()))
    plain = plain if isinstance(plain, tuple) else (plain,)
    _, want = tf.func.jvp(
        lambda x: f(tf, x * 1), (tf.tensor(at.tolist()),), (tf.tensor(along.tolist()),)
    )
    want = want if isinstance(want, tuple) else (want,)
    for (primal, tangent), y, t in zip(found, plain, want):
        assert primal.tolist() == pytest.approx(y.tolist())
        assert tangent.tolist() == pytest.approx(t.tolist())


def test_a_tangent_of_a_parameter_is_differentiated_on(lib):
    fw = lib.autograd.forward_ad
    w = lib.tensor([1.0, 2.0], requires_grad=True)
    with fw.dual_level():
        y = (fw.make_dual(w, lib.ones(2)) ** 3).sum()
        tangent = fw.unpack_dual(y).tangent
        assert tangent.item() == 15
    (found,) = lib.autograd.grad(tangent, w)
    assert found.tolist() == [6, 12]


def test_levels(lib):
    fw = lib.autograd.forward_ad
    x = lib.ones(2)
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(x, x)
    with fw.dual_level():
        with pytest.raises(RuntimeError, match="Nested forward mode"):
            fw.enter_dual_level()
        assert fw.unpack_dual(x * 2).tangent is None
        y = fw.make_dual(x, x * 3)
        assert fw.unpack_dual(y).tangent.tolist() == [3, 3]
        with pytest.raises(ValueError, match="floating point"):
            fw.make_dual(lib.ones(2, dtype=lib.int64), x)
    assert fw.unpack_dual(y).tangent is None


def test_a_module_with_dual_parameters():
    fw = tf.autograd.forward_ad
    m, x = nn.Linear(2, 1), tf.tensor([1.0, 2.0])
    params = {name: p.detach() for name, p in m.named_parameters()}
    with fw.dual_level():
        duals = {k: fw.make_dual(p, tf.ones_like(p)) for k, p in params.items()}
        out = fw.unpack_dual(tf.func.functional_call(m, duals, x))
    assert out.tangent.tolist() == [4]


# -- several tensors


@pytest.mark.parametrize("mode, want", [("all", 1), ("any", 1)])
def test_one_hook_of_several_tensors(lib, mode, want):
    seen = []
    x, y, z = (lib.ones(2, requires_grad=True) for _ in range(3))
    a = x * y
    handle = lib.autograd.graph.register_multi_grad_hook(
        (x, a, z), seen.append, mode=mode
    )
    for n in range(1, 3):
        (a * 2).sum().backward(retain_graph=True)
        assert len(seen) == n
    if mode == "all":
        assert [None if g is None else g.tolist() for g in seen[0]] == [[2, 2]] * 2 + [
            None
        ]
    else:
        assert seen[0].tolist() == [2, 2]
    handle.remove()
    (a * 2).sum().backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match="mode"):
        lib.autograd.graph.register_multi_grad_hook((x,), print, mode="some")


def test_one_hook_of_several_tensors_in_a_jitted_step():
    x, y = (tf.ones(2, requires_grad=True) for _ in range(2))
    seen = []
    hook = lambda grads: seen.append([g.tolist() for g in grads])
    tf.autograd.graph.register_multi_grad_hook((x, y), hook)
    f = tf.jit(lambda s: (x * y * s).sum())
    for n in range(1, 4):
        f(tf.tensor(float(n))).backward()
        assert seen[-1] == [[n, n], [n, n]]


def test_words_of_the_graph(lib):
    graph = lib.autograd.graph
    x = lib.ones(2, requires_grad=True)
    y = x * x
    edge = graph.get_gradient_edge(y)
    assert edge.node.name() == "MulBackward0" and edge.output_nr == 0
    assert graph.get_gradient_edge(x).node.variable is x
    with pytest.raises(RuntimeError, match="require"):
        graph.get_gradient_edge(x.detach())
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"):
            with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
    z = lib.ones(2)
    w = (x * z).sum()
    graph.increment_version(z)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        w.backward()


def test_variables_as_they_were_once(lib):
    t = lib.ones(2)
    v = lib.autograd.Variable(t, requires_grad=True)
    assert isinstance(t, lib.autograd.Variable) and v.requires_grad and v.is_leaf
    assert not t.requires_grad and v.data_ptr() == t.data_ptr()
    (v * 3).sum().backward()
    assert v.grad.tolist() == [3, 3]
