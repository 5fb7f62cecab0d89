"""nn.Module: what it knows of itself, saves, loads, and tells to a recording."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import tracefuse
from tracefuse import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        self.head = nn.Linear(3, 1)
        self.scale = nn.Parameter(tracefuse.ones(1))
        self.register_buffer("seen", tracefuse.zeros(1))
        self.register_buffer("scratch", tracefuse.zeros(1), persistent=False)

    def forward(self, x, twice=False):
        y = self.head(self.body(x)) * self.scale
        return y * 2 if twice else y


NAMES = ["scale", "body.0.weight", "body.0.bias", "head.weight", "head.bias"]


def test_members_by_name():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == NAMES
    assert [n for n, _ in net.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in net.named_children()] == ["body", "head"]
    modules = ["", "body", "body.0", "body.1", "head"]
    assert [n for n, _ in net.named_modules()] == modules
    assert list(net.state_dict()) == ["scale", "seen", *NAMES[1:]]
    assert net.get_submodule("body.0") is net.body[0]
    assert net.get_parameter("head.bias") is net.head.bias
    assert net.get_buffer("seen") is net.seen
    assert [n for n, _ in net.named_parameters("net", recurse=False)] == ["net.scale"]


def test_shared_members_are_listed_once():
    net = nn.Module()
    net.a = net.b = nn.Linear(2, 2)
    net.c = nn.Linear(2, 2)
    net.c.weight = net.a.weight
    assert [n for n, _ in net.named_parameters()] == ["a.weight", "a.bias", "c.bias"]
    every = [n for n, _ in net.named_parameters(remove_duplicate=False)]
    assert every == [f"{m}.{p}" for m in "abc" for p in ("weight", "bias")]
    assert len(list(net.modules())) == 3 and len(list(net.children())) == 2


def test_attributes_move_between_the_lists():
    net = nn.Module()
    net.x = tracefuse.zeros(1)
    assert "x" in vars(net) and not list(net.parameters())
    net.x = nn.Parameter(tracefuse.zeros(1))
    assert list(net._parameters) == ["x"] and "x" not in vars(net)
    with pytest.raises(TypeError, match="as parameter 'x'"):
        net.x = nn.ReLU()
    del net.x
    net.x = nn.ReLU()
    assert list(net._modules) == ["x"] and not net._parameters
    net.x = None
    assert net.x is None and list(net.children()) == []
    del net.x
    assert not hasattr(net, "x")
    net.p = None
    net.register_parameter("q", None)
    net.q = nn.Parameter(tracefuse.ones(2))
    assert list(net._parameters) == ["q"]


def test_before_init_nothing_can_be_assigned():
    class Early(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="before Module.__init__"):
        Early()


def test_wrong_kinds_are_refused():
    net = Net()
    for name, value in (("scale", 3), ("head", "a"), ("seen", [1])):
        before = getattr(net, name)
        with pytest.raises(TypeError, match=f"cannot assign .* '{name}'"):
            setattr(net, name, value)
        assert getattr(net, name) is before
    with pytest.raises(TypeError, match="not a Module subclass"):
        net.add_module("x", 3)
    with pytest.raises(KeyError, match="already exists"):
        net.register_buffer("forward", tracefuse.zeros(1))
    with pytest.raises(TypeError, match="takes no arguments"):
        nn.Module(3)


def test_training_and_evaluating_reach_every_module():
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    assert [m.training for m in net.apply(lambda m: None).modules()] == [True] * 5


def test_gradients_on_off_and_away():
    net = Net()
    net(tracefuse.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(tracefuse.ones(1, 2)).requires_grad


def test_casting_keeps_the_parameters():
    net = Net()
    before = list(net.parameters())
    net.register_buffer("count", tracefuse.zeros(1, dtype=tracefuse.int64))
    assert net.double() is net
    assert all(p is q for p, q in zip(net.parameters(), before))
    assert {p.dtype for p in net.parameters()} == {tracefuse.float64}
    assert net.seen.dtype is tracefuse.float64 and net.count.dtype is tracefuse.int64
    assert net.to("cpu", tracefuse.float16).scale.dtype is tracefuse.float16
    assert net.bfloat16().float().half().scale.dtype is tracefuse.float16
    assert net.type(tracefuse.float32).count.dtype is tracefuse.float32
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())
    with pytest.raises(TypeError, match="only accepts floating point"):
        net.to(tracefuse.int64)


# -- state dicts


def test_a_state_dict_shares_memory_and_can_be_loaded():
    net, other = Net(), Net()
    state = net.state_dict()
    with tracefuse.no_grad():
        net.scale.fill_(7)
    assert float(state["scale"]) == 7 and not state["scale"].requires_grad
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    for name, t in other.state_dict().items():
        assert tracefuse.equal(t, state[name])
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    assert list(net.state_dict(prefix="net."))[0] == "net.scale"


def test_what_does_not_fit_changes_nothing():
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    wrong = {k: v + 1 for k, v in before.items()}
    wrong["odd"] = wrong.pop("scale")
    wrong["head.weight"] = tracefuse.zeros(2, 2)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(wrong)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "scale". \n'
        '\tUnexpected key(s) in state_dict: "odd". \n'
        "\tsize mismatch for head.weight: copying a param with shape "
        "tracefuse.Size([2, 2]) from checkpoint, the shape in current model is "
        "tracefuse.Size([1, 3])."
    )
    for name, t in net.state_dict().items():
        assert tracefuse.equal(t, before[name])


def test_not_strict_loads_what_is_there():
    net = Net()
    found = net.load_state_dict({"scale": tracefuse.zeros(1), "x": 1}, strict=False)
    assert found.missing_keys == ["seen", *NAMES[1:]] and found.unexpected_keys == ["x"]
    assert float(net.scale) == 0
    with pytest.raises(TypeError, match="dict-like"):
        net.load_state_dict([1])


def test_assigning_takes_the_tensors_themselves():
    net = Net()
    given = {k: v.double() for k, v in net.state_dict().items()}
    net.load_state_dict(given, assign=True)
    assert net.seen is given["seen"] and net.scale.dtype is tracefuse.float64
    assert isinstance(net.scale, nn.Parameter) and net.scale.requires_grad


def test_extra_state_and_hooks_on_the_way():
    class Counting(nn.Linear):
        count = 0

        def get_extra_state(self):
            return self.count

        def set_extra_state(self, state):
            self.count = state

    a, b = Counting(1, 1), Counting(1, 1)
    a.count = 3
    heard = []
    handle = a.register_state_dict_post_hook(lambda m, s, prefix, meta: heard.append(m))
    b.register_load_state_dict_pre_hook(lambda m, state, *rest: state.pop("old", None))
    b.register_load_state_dict_post_hook(lambda m, keys: heard.append(keys))
    state = a.state_dict()
    handle.remove()
    state["old"] = 1
    b.load_state_dict(state)
    assert b.count == 3 and heard[0] is a and heard[1].missing_keys == []
    assert "_extra_state" in state and len(heard) == 2


def test_copies_and_pickles_are_independent():
    net = Net()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        with tracefuse.no_grad():
            other.scale += 1
        assert float(net.scale) == 1 and float(other.scale) == 2
        assert isinstance(other.scale, nn.Parameter) and other.scale.requires_grad


# -- hooks


def test_hooks_before_and_after():
    net = Net()
    x = tracefuse.ones(1, 2)
    y = net(x)
    handles = [
        net.register_forward_pre_hook(lambda m, args: (args[0] * 1,)),
        net.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {"twice": True}), with_kwargs=True
        ),
        net.register_forward_hook(lambda m, args, out: out + 1),
        net.register_forward_hook(
            lambda m, args, kwargs, out: out * 10, with_kwargs=True, prepend=True
        ),
    ]
    assert tracefuse.allclose(net(x), y * 20 + 1)
    for handle in handles:
        handle.remove()
        handle.remove()
    assert tracefuse.equal(net(x), y)
    with net.register_forward_hook(lambda m, args, out: 3):
        assert net(x) == 3
    assert net(x) is not 3  # noqa: F632


def test_hooks_after_an_error():
    net, heard = Net(), []
    note = lambda m, args, out: heard.append(out)  # noqa: E731
    net.register_forward_hook(note, always_call=True)
    net.register_forward_hook(note)
    with pytest.raises(RuntimeError):
        net(tracefuse.ones(1, 5))
    assert heard == [None]
    net.register_forward_pre_hook(lambda m, a, k: (a, k, 1), with_kwargs=True)
    with pytest.raises(RuntimeError, match="new_args, new_kwargs"):
        net(tracefuse.ones(1, 2))


# -- printing


def test_printing():
    net = Net()
    assert repr(net) == (
        "Net(\n"
        "  (body): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "    (1): ReLU()\n"
        "  )\n"
        "  (head): Linear(in_features=3, out_features=1, bias=True)\n"
        ")"
    )
    text = "Parameter containing:\ntensor([1.], requires_grad=True)"
    assert repr(net.scale) == text
    assert repr(nn.Module()) == "Module()"


# -- parameters


def test_a_parameter_shares_memory_and_starts_anew():
    data = tracefuse.zeros(2)
    p = nn.Parameter(data)
    data += 1
    assert p.tolist() == [1, 1] and p.requires_grad and p.is_leaf
    x = tracefuse.ones(2, requires_grad=True)
    q = nn.Parameter(x * 3)
    (q * 2).sum().backward()
    assert q.grad.tolist() == [2, 2] and x.grad is None
    assert not nn.Parameter(tracefuse.zeros(1), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="Tensor is expected"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(tracefuse.zeros(1, dtype=tracefuse.int64))


# -- containers


def test_sequential_as_a_list():
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
    seq = nn.Sequential(a, b)
    assert seq.append(c) is seq and list(seq) == [a, b, c] and len(seq) == 3
    assert seq[-1] is c and list(seq[:2]) == [a, b]
    assert isinstance(seq[:2], nn.Sequential)
    d = nn.Tanh()
    seq.insert(1, d)
    assert list(seq._modules) == ["0", "1", "2", "3"] and seq[1] is d
    assert seq.pop(1) is d and list(seq) == [a, b, c]
    seq.extend([d])
    del seq[-1]
    seq[1] = d
    assert list(seq) == [a, d, c] and list(seq + nn.Sequential(b)) == [a, d, c, b]
    assert len(nn.Sequential(b) * 3) == 3
    for wrong in (5, -4):
        with pytest.raises(IndexError, match="out of range"):
            seq[wrong]
    named = nn.Sequential(OrderedDict(first=a, second=b))
    assert named.first is a and list(named[1:]._modules) == ["second"]


def test_lists_and_dicts_of_modules():
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
    many = nn.ModuleList([a])
    many += [b]
    many.insert(0, c)
    assert list(many) == [c, a, b] and list(many[1:]) == [a, b]
    assert many.pop(0) is c and len(many + [c]) == 3
    with pytest.raises(TypeError, match="iterable"):
        many.extend(3)
    named = nn.ModuleDict({"a": a})
    named["b"] = b
    named.update([("c", c)])
    assert list(named) == ["a", "b", "c"] and named.pop("b") is b and "b" not in named
    assert [k for k, _ in named.items()] == ["a", "c"]
    assert list(named.values()) == [a, c]
    named.clear()
    assert len(named) == 0


def test_lists_and_dicts_of_parameters():
    p = nn.Parameter(tracefuse.zeros(2, 3))
    many = nn.ParameterList([p, tracefuse.ones(1)])
    many += [p]
    many[1] = nn.Parameter(tracefuse.zeros(4))
    assert [n for n, _ in many.named_parameters()] == ["0", "1"] and len(many) == 3
    assert many[-1] is p and len(many[1:]) == 2
    assert list(many.state_dict()) == list("012")
    named = nn.ParameterDict({"x": p})
    named["y"] = tracefuse.ones(1)
    assert list(named) == ["x", "y"] and isinstance(named["y"], nn.Parameter)
    assert named.get("z") is None and named.pop("x") is p and len(named) == 1
    assert "(y): Parameter containing: [tracefuse.float32 of size 1]" in repr(named)


# -- layers that wait for their input


def test_lazy_layers_learn_their_sizes():
    net = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2)
    )
    params = list(net.parameters())
    assert repr(params[0]) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="shape of an uninitialized"):
        tuple(params[0].shape)
    net(tracefuse.randn(2, 3, 5, 5))
    assert [type(m) for m in net] == [nn.Conv2d, nn.BatchNorm2d, nn.Flatten, nn.Linear]
    shapes = [tuple(p.shape) for p in params]
    assert shapes == [(4, 3, 3, 3), (4,), (4,), (4,), (2, 36), (2,)]
    assert all(p is q for p, q in zip(params, net.parameters()))
    assert all(p.abs().sum() > 0 for p in (params[0], params[4]))


# -- modules and recordings


def test_a_jitted_module_follows_its_own_state():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.drop = nn.Dropout(0.5)
            self.h = None

        def forward(self, x):
            before = 0 if self.h is None else self.h
            self.h = (self.drop(self.fc(x)) + before).detach()
            return self.h

    tracefuse.manual_seed(0)
    net = Counter()
    plain, fast = copy.deepcopy(net), tracefuse.jit(net)
    for mode in (True, True, True, False, False, True):
        net.train(mode), plain.train(mode)
        x = tracefuse.randn(3, 2)
        tracefuse.manual_seed(1)
        y = fast(x)
        assert y is net.h
        tracefuse.manual_seed(1)
        np.testing.assert_allclose(y.numpy(), plain(x).numpy(), rtol=1e-6)


def test_changed_parameters_hooks_and_options_are_seen():
    net = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.1))
    fast, x = tracefuse.jit(net), tracefuse.ones(1, 2)
    fast(x), fast(x)
    changes = (
        lambda: setattr(net[0], "weight", nn.Parameter(tracefuse.randn(2, 2))),
        lambda: setattr(net[1], "negative_slope", 3.0),
        lambda: net.register_forward_hook(lambda m, args, out: out + 1),
        lambda: net.append(nn.Linear(2, 1)),
        lambda: net.double().float(),
        lambda: net.load_state_dict({k: v * 2 for k, v in net.state_dict().items()}),
    )
    for change in changes:
        change()
        assert tracefuse.allclose(fast(x), net(x))
        assert tracefuse.allclose(fast(x), net(x))
