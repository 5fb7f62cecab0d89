"""jit: changes of what protocols, modules and tensors show are seen."""

from __future__ import annotations

import collections
import dataclasses
import functools
import operator
import types
import weakref

import pytest
import tracefuse as torch
from tracefuse import nn

ROWS = {}


def row(make):
    """Register `make() -> (function, change)`."""
    ROWS[make.__name__] = make
    return make


class Box:
    def __init__(self, **given):
        vars(self).update(given)


@row
def module_dict_order():
    m = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ReLU()})

    def f(x):
        for k in m.values():
            x = k(x)
        return x

    return f, lambda: m.update({"a": m.pop("a")})


@row
def module_plain_list():
    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.fs = [lambda x: x * 2]

        def forward(s, x):
            for f in s.fs:
                x = f(x)
            return x

    m = M()
    return m, lambda: m.fs.append(lambda x: x + 1)


@row
def module_params_bypass():
    m = nn.Linear(2, 2)
    return m, lambda: m._parameters.__setitem__(
        "weight", nn.Parameter(torch.zeros(2, 2))
    )


@row
def module_object_attr():
    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.cfg = Box(k=2.0)

        def forward(s, x):
            return x * s.cfg.k

    m = M()
    return m, lambda: setattr(m.cfg, "k", 5.0)


@row
def module_class_attr():
    class M(nn.Module):
        k = 2.0

        def forward(s, x):
            return x * s.k

    m = M()
    return m, lambda: setattr(M, "k", 5.0)


@row
def module_nested_dict():
    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.cfg = {"a": {"b": 2.0}}

        def forward(s, x):
            return x * s.cfg["a"]["b"]

    m = M()
    return m, lambda: m.cfg["a"].update(b=5.0)


@row
def module_hook_list():
    m = nn.Linear(2, 2)
    return m, lambda: m.register_forward_pre_hook(lambda mod, a: (a[0] * 3,))


@row
def optimizer_group_added_flag():
    p = nn.Parameter(torch.ones(2))
    o = torch.optim.SGD([p], 0.1)
    return (lambda x: x * o.param_groups[0]["lr"]), lambda: o.param_groups[0].update(
        lr=0.7
    )


@row
def optimizer_defaults():
    p = nn.Parameter(torch.ones(2))
    o = torch.optim.SGD([p], 0.1)
    return (lambda x: x * o.defaults["lr"]), lambda: o.defaults.update(lr=0.7)


@row
def lambda_default_mut():
    l = [2.0]
    f = lambda x, l=l: x * l[0]
    return f, lambda: l.__setitem__(0, 3.0)


@row
def generator_in_closure():
    def gen():
        while True:
            yield 2.0

    g = gen()
    return (lambda x: x * next(g)), lambda: None


@row
def classmethod_state():
    class C:
        reg = {}

        @classmethod
        def get(cls):
            return cls.reg.get("k", 1.0)

    return (lambda x: x * C.get()), lambda: C.reg.update(k=4.0)


@row
def super_method():
    class A:
        def f(s, x):
            return x * 2

    class B(A):
        def f(s, x):
            return super().f(x) + 1

    b = B()
    return (lambda x: b.f(x)), lambda: setattr(A, "f", lambda s, x: x * 7)


@row
def operator_itemgetter():
    d = {"k": 2.0}
    g = operator.itemgetter("k")
    return (lambda x: x * g(d)), lambda: d.update(k=3.0)


@row
def methodcaller():
    class C:
        def f(s):
            return s.k

        k = 2.0

    c = C()
    g = operator.methodcaller("f")
    return (lambda x: x * g(c)), lambda: setattr(C, "k", 3.0)


@row
def map_over_list():
    l = [1.0, 2.0]
    return (lambda x: x * sum(map(lambda v: v * 2, l))), lambda: l.append(4.0)


@row
def star_args():
    l = [1.0, 2.0]

    def g(x, *a):
        return x * sum(a)

    return (lambda x: g(x, *l)), lambda: l.append(4.0)


@row
def star_kwargs():
    d = {"a": 1.0}

    def g(x, **k):
        return x * sum(k.values())

    return (lambda x: g(x, **d)), lambda: d.update(b=4.0)


@row
def exception_swallowed():
    d = {"n": 0}

    def f(x):
        try:
            1 / d["n"]
        except ZeroDivisionError:
            return x
        return x * 2

    return f, lambda: d.update(n=1)


@row
def contextmanager_obj():
    class CM:
        k = 2.0

        def __enter__(s):
            return s.k

        def __exit__(s, *a):
            return False

    c = CM()

    def f(x):
        with c as k:
            return x * k

    return f, lambda: setattr(CM, "k", 3.0)


@row
def eq_override():
    class C:
        n = 1

        def __eq__(s, o):
            return s.n == o

        __hash__ = None

    c = C()
    return (lambda x: x * 2 if c == 1 else x), lambda: setattr(c, "n", 2)


@row
def iter_protocol():
    class C:
        def __init__(s):
            s.n = 2

        def __iter__(s):
            return iter(range(s.n))

    c = C()
    return (lambda x: sum((x * i for i in c), x)), lambda: setattr(c, "n", 4)


@row
def getitem_protocol():
    class C:
        k = 2.0

        def __getitem__(s, i):
            return s.k * i

    c = C()
    return (lambda x: x * c[3]), lambda: setattr(c, "k", 4.0)


@row
def contains_protocol():
    class C:
        s = {1}

        def __contains__(self, i):
            return i in self.s

    c = C()
    return (lambda x: x * 2 if 2 in c else x), lambda: C.s.add(2)


@row
def globals_in_other_module():
    m = types.ModuleType("om")
    exec("import math\nk=2.0\ndef h(x): return g(x)*k\ndef g(x): return x+1", vars(m))
    h = m.h
    return (lambda x: h(x)), lambda: setattr(m, "g", lambda x: x * 9)


@row
def string_format():
    b = Box(s="a{}")
    return (lambda x: x * len(b.s.format(1))), lambda: setattr(b, "s", "abc{}")


@row
def tensor_attr_on_captured():
    w = torch.ones(2)
    w.k = 2.0
    return (lambda x: x * w * w.k), lambda: setattr(w, "k", 3.0)


@row
def captured_resize():
    w = torch.ones(2)
    return (
        lambda x: x * w.shape[0]
    ), lambda: w.resize_(4) if hasattr(w, "resize_") else None


@row
def captured_data_swap():
    w = torch.ones(2)
    return (lambda x: x * w), lambda: setattr(w, "data", torch.zeros(2))


@row
def slot_desc():
    class S:
        __slots__ = ("a",)

    class T(S):
        __slots__ = ("b",)

    t = T()
    t.a = 1.0
    t.b = 2.0
    return (lambda x: x * t.a * t.b), lambda: setattr(t, "a", 5.0)


@row
def property_setter_swap():
    class C:
        @property
        def p(s):
            return 2.0

    c = C()
    return (lambda x: x * c.p), lambda: setattr(C, "p", property(lambda s: 6.0))


@row
def cached_prop():
    class C:
        n = 2.0

        @functools.cached_property
        def p(s):
            return s.n

    c = C()
    return (lambda x: x * c.p), lambda: c.__dict__.update(p=7.0)


@row
def chainmap():
    a = {"k": 1.0}
    c = collections.ChainMap({}, a)
    return (lambda x: x * c["k"]), lambda: a.update(k=3.0)


@row
def weak_dict():
    k = Box()
    d = weakref.WeakKeyDictionary({k: 2.0})
    return (lambda x: x * sum(d.values())), lambda: d.update({k: 3.0})


@row
def ordereddict_move():
    d = collections.OrderedDict(a=2.0, b=3.0)
    return (lambda x: x * next(iter(d.values()))), lambda: d.move_to_end("a")


@row
def frozen_dc():
    @dataclasses.dataclass(frozen=True)
    class C:
        k: float = 2.0

    b = Box(c=C())
    return (lambda x: x * b.c.k), lambda: setattr(
        b, "c", dataclasses.replace(b.c, k=9.0)
    )


@row
def dc_slots_mut():
    @dataclasses.dataclass
    class C:
        k: float = 2.0

    b = (C(),)
    return (lambda x: x * b[0].k), lambda: setattr(b[0], "k", 9.0)


@row
def negative_zero():
    b = Box(k=0.0)
    return (lambda x: 1 / (x * b.k)), lambda: setattr(b, "k", -0.0)


@row
def bool_vs_int():
    b = Box(k=1)
    return (lambda x: x.long() + b.k if type(b.k) is int else x), lambda: setattr(
        b, "k", True
    )


@row
def dict_key_type():
    d = {1: 2.0}

    def ch():
        d.clear()
        d[True] = 2.0

    return (lambda x: x * sum(2 if k is True else 3 for k in d)), ch


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ROWS)
def test_a_change_is_seen(name):
    f, change = ROWS[name]()
    fast, x = torch.jit(f), torch.tensor([1.0, 2.0])
    for _ in range(3):
        assert repr(fast(x).tolist()) == repr(f(x).tolist())
    change()
    for _ in range(2):
        got, want = fast(x), f(x)
        assert repr(got.tolist()) == repr(want.tolist()), fast.explain()
        assert got.dtype is want.dtype
