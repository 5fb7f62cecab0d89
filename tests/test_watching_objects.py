"""jit: changes of classes, functions and containers are seen."""

from __future__ import annotations

import abc
import array
import collections
import dataclasses
import functools
import queue
import types

import numpy as np
import pytest
import tracefuse as torch

ROWS = {}


def row(make):
    """Register `make() -> (function, change)`."""
    ROWS[make.__name__] = make
    return make


LATE = """
t = {"z": 2.0}
def __getattr__(n):
    if n in t:
        return t[n]
    raise AttributeError(n)
"""


class Box:
    def __init__(self, **given):
        vars(self).update(given)


@row
def dict_order():
    d = {"a": 2.0, "b": 3.0}
    return (
        lambda x: x * sum(v * i for i, v in enumerate(d.values()))
    ), lambda: d.update(a=d.pop("a"))


@row
def dict_order_keys():
    d = {"a": 2.0, "b": 3.0}
    return (lambda x: x * d[list(d)[0]]), lambda: d.update(a=d.pop("a"))


@row
def metaclass_attr():
    class M(type):
        k = 2.0

    class C(metaclass=M):
        pass

    return (lambda x: x * C.k), lambda: setattr(M, "k", 5.0)


@row
def metaclass_property():
    class M(type):
        n = 2.0

        @property
        def k(cls):
            return cls.n

    class C(metaclass=M):
        pass

    return (lambda x: x * C.k), lambda: setattr(C, "n", 5.0)


@row
def descriptor():
    class D:
        def __init__(s):
            s.k = 2.0

        def __get__(s, o, t):
            return s.k

    class C:
        f = D()

    c = C()
    d = vars(C)["f"]
    return (lambda x: x * c.f), lambda: setattr(d, "k", 7.0)


@row
def getattr_hook():
    class C:
        def __getattr__(s, n):
            return s.table[n]

    c = C()
    vars(c)["table"] = {"zz": 2.0}
    return (lambda x: x * c.zz), lambda: c.table.update(zz=5.0)


@row
def dataclass_default():
    @dataclasses.dataclass
    class C:
        k: float = 2.0

    return (lambda x: x * C().k), lambda: setattr(C.__init__, "__defaults__", (6.0,))


@row
def nested_partial():
    b = Box(k=2.0)
    g = functools.partial(functools.partial(lambda b, x: x * b.k, b))
    return (lambda x: g(x)), lambda: setattr(b, "k", 9.0)


@row
def namedtuple_():
    T = collections.namedtuple("T", "a b")
    b = Box(t=T(1.0, 2.0))
    return (lambda x: x * b.t.a), lambda: setattr(b, "t", b.t._replace(a=4.0))


@row
def user_len():
    class C:
        def __init__(s):
            s.items = [1, 2]

        def __len__(s):
            return len(s.items)

        def __bool__(s):
            return len(s.items) > 2

    c = C()
    return (lambda x: x * 2 if c else x * len(c)), lambda: c.items.append(1)


@row
def iadd_method():
    class C:
        def __rmul__(s, o):
            return o * s.k

        k = 2.0

    c = C()
    return (lambda x: x * c), lambda: setattr(C, "k", 5.0)


@row
def module_attr():
    m = types.ModuleType("m")
    exec("k=2.0\ndef f(x): return x*k", vars(m))
    return (lambda x: m.f(x)), lambda: setattr(m, "k", 3.0)


@row
def module_getattr():
    m = types.ModuleType("m")
    exec(LATE, vars(m))
    return (lambda x: x * m.z), lambda: m.t.update(z=3.0)


@row
def module_attr_appears():
    m = types.ModuleType("m")
    exec(LATE, vars(m))
    return (lambda x: x * m.z), lambda: setattr(m, "z", 3.0)


@row
def submodule_fn():
    lin = torch.nn.Linear(2, 2)
    s = torch.nn.Sequential(lin)
    return (lambda x: s(x)), lambda: setattr(lin, "forward", lambda x: x * 3)


@row
def try_attr():
    b = Box()

    def f(x):
        try:
            return x * b.k
        except AttributeError:
            return x

    return f, lambda: setattr(b, "k", 4.0)


@row
def key_error():
    d = {}

    def f(x):
        try:
            return x * d["k"]
        except KeyError:
            return x

    return f, lambda: d.update(k=4.0)


@row
def empty_cell():
    def make():
        def f(x):
            try:
                return x * k
            except NameError:
                return x

        def change():
            nonlocal k
            k = 5.0

        if 0:
            k = 1
        return f, change

    return make()


@row
def class_bases():
    class A:
        k = 2.0

    class B:
        k = 3.0

    class C(A):
        pass

    c = C()
    return (lambda x: x * c.k), lambda: setattr(C, "__bases__", (B,))


@row
def isinstance_registered():
    class A(abc.ABC):  # noqa: B024
        pass

    class B:
        pass

    b = B()
    return (lambda x: x * 2 if isinstance(b, A) else x), lambda: A.register(B)


@row
def str_subclass():
    class S(str):
        pass

    s = S("a")
    s.k = 2.0
    return (lambda x: x * s.k), lambda: setattr(s, "k", 5.0)


@row
def float_subclass():
    class S(float):
        pass

    s = S(2.0)
    s.k = 2.0
    return (lambda x: x * s.k), lambda: setattr(s, "k", 5.0)


@row
def list_subclass():
    class L(list):
        pass

    l = L([1.0])
    l.k = 2.0
    return (lambda x: x * l.k * l[0]), lambda: setattr(l, "k", 5.0)


@row
def dict_subclass():
    class L(dict):
        k = 2.0

    l = L(a=1.0)
    return (lambda x: x * l.k * l["a"]), lambda: setattr(L, "k", 5.0)


@row
def tuple_subclass():
    class L(tuple):
        pass

    l = L((1.0,))
    l.k = 2.0
    return (lambda x: x * l.k * l[0]), lambda: setattr(l, "k", 5.0)


@row
def function_attr():
    def g(x):
        return x * g.k

    g.k = 2.0
    return (lambda x: g(x)), lambda: setattr(g, "k", 5.0)


@row
def wrapper_attr():
    def deco(f):
        @functools.wraps(f)
        def w(x):
            return f(x) * w.k

        w.k = 2.0
        return w

    g = deco(lambda x: x)
    return (lambda x: g(x)), lambda: setattr(g, "k", 5.0)


@row
def set_order():
    s = {1.0}
    return (lambda x: x * sum(s)), lambda: (s.clear(), s.add(2.0))


@row
def userdict_missing():
    class D(dict):
        def __missing__(s, k):
            return s.m

    d = D()
    d.m = 2.0
    return (lambda x: x * d["q"]), lambda: setattr(d, "m", 5.0)


@row
def chained_dict_get():
    d = {"a": {"b": {"c": 2.0}}}
    return (lambda x: x * d.get("a", {}).get("b", {}).get("c", 1.0)), lambda: d[
        "a"
    ].update(b={})


@row
def mapping_view():
    d = {"a": 2.0}
    v = d.values()
    return (lambda x: x * sum(v)), lambda: d.update(a=3.0)


@row
def memory_view():
    a = array.array("d", [2.0])
    return (lambda x: x * a[0]), lambda: a.__setitem__(0, 3.0)


@row
def np_scalar_attr():
    b = Box(k=np.float32(2))
    return (lambda x: x * float(b.k)), lambda: setattr(b, "k", np.float32(3))


@row
def np_0d():
    a = np.array(2.0)
    return (lambda x: x * float(a)), lambda: a.fill(3.0)


@row
def bound_method_swap():
    class C:
        def f(s, x):
            return x * 2

    c = C()
    b = Box(g=c.f)
    return (lambda x: b.g(x)), lambda: setattr(C, "f", lambda s, x: x * 3)


@row
def inner_class_state():
    class C:
        class D:
            k = 2.0

    return (lambda x: x * C.D.k), lambda: setattr(C.D, "k", 3.0)


@row
def counter_obj():
    c = collections.Counter(a=2)
    return (lambda x: x * c["a"] * (1 + c["b"])), lambda: c.update(b=1)


@row
def defaultdict_():
    d = collections.defaultdict(lambda: 2.0, a=3.0)
    return (lambda x: x * d.get("a")), lambda: d.update(a=4.0)


@row
def simple_queue():
    q = queue.Queue()
    q.put(2.0)
    return (lambda x: x * (q.qsize() + 1)), lambda: q.put(1)


@row
def tuple_of_tensors_alike():
    b = Box(t=(torch.tensor([1.00001, 2.0]),))
    return (lambda x: x * b.t[0]), lambda: setattr(
        b, "t", (torch.tensor([1.00002, 2.0]),)
    )


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
