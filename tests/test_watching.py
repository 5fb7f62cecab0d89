"""jit: whatever Python state a program reads, a change of it is seen."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import functools
import os
import pathlib
import random
import types
import uuid
import weakref

import numpy as np
import pytest
import tracefuse as torch

ROWS = {}


def row(make):
    """Register `make() -> (function, *changes)`; a change is a callable."""
    ROWS[make.__name__] = make
    return make


def values(result):
    return result.tolist() if isinstance(result, torch.Tensor) else result


def check(make):
    (plain, *changes), (recorded, *same) = make(), make()
    x, fast = torch.tensor([1.0, 2.0]), torch.jit(recorded)
    for change, twin in zip([lambda: None, *changes], [lambda: None, *same]):
        change(), twin()
        for _ in range(3):
            assert values(fast(x)) == values(plain(x)), fast.explain()


class Box:
    def __init__(self, **given):
        vars(self).update(given)


def scaled(x, k=2.0, *, more=1.0):
    return x * k * more


def fresh(f):
    """A copy of a function, free to be changed."""
    new = types.FunctionType(f.__code__, globals(), f.__name__, f.__defaults__)
    new.__kwdefaults__ = dict(f.__kwdefaults__ or {})
    return new


@row
def defaults():
    h = fresh(scaled)
    return lambda x: h(x), lambda: setattr(h, "__defaults__", (5.0,))


@row
def keyword_defaults():
    h = fresh(scaled)
    return (
        lambda x: h(x),
        lambda: h.__kwdefaults__.update(more=3.0),
        lambda: setattr(h, "__kwdefaults__", {"more": 7.0}),
    )


@row
def code():
    h = fresh(scaled)
    new = (lambda x, k=2.0, *, more=1.0: x + k).__code__
    return lambda x: h(x), lambda: setattr(h, "__code__", new)


def family():
    class Base:
        k = 2.0

        def go(self, x):
            return x * 2

        @property
        def size(self):
            return 2.0

        @staticmethod
        def fixed(x):
            return x + 1

        @classmethod
        def made(cls, x):
            return x * cls.k

        def __call__(self, x):
            return x - 1

    class Child(Base):
        pass

    return Base, Child


@row
def method_replaced():
    base, child = family()
    c = child()
    return lambda x: c.go(x), lambda: setattr(base, "go", lambda self, x: x * 5)


@row
def method_shadowed():
    base, child = family()
    c = child()
    return lambda x: c.go(x), lambda: setattr(child, "go", lambda self, x: x * 5)


@row
def property_replaced():
    base, child = family()
    c = child()
    new = property(lambda self: 9.0)
    return lambda x: c.size * x, lambda: setattr(base, "size", new)


@row
def static_and_class_methods_replaced():
    base, child = family()
    c = child()
    return (
        lambda x: c.fixed(x) + c.made(x),
        lambda: setattr(base, "fixed", staticmethod(lambda x: x + 7)),
        lambda: setattr(base, "made", classmethod(lambda cls, x: x * 11)),
        lambda: setattr(child, "k", 4.0),
    )


@row
def call_replaced():
    base, child = family()
    c = child()
    return lambda x: c(x), lambda: setattr(base, "__call__", lambda self, x: x * 5)


@row
def forward_replaced():
    class M(torch.nn.Module):
        def forward(self, x):
            return x * 2

    m = M()
    return lambda x: m(x), lambda: setattr(M, "forward", lambda self, x: x * 5)


@row
def containers_in_a_module():
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.items, self.bag, self.cfg = [2.0], {1}, {"k": 2.0}

        def forward(self, x):
            return x * self.items[0] * self.cfg["k"] * len(self.bag)

    m = M()
    return (
        lambda x: m(x),
        lambda: m.items.__setitem__(0, 3.0),
        lambda: m.cfg.update(k=5.0),
        lambda: m.bag.add(2),
    )


@row
def class_replaced():
    base, child = family()
    other = type("Other", (base,), {"go": lambda self, x: x * 7})
    c = child()
    return lambda x: c.go(x), lambda: setattr(c, "__class__", other)


@row
def module_class_replaced():
    class M(torch.nn.Module):
        def forward(self, x):
            return x * 2

    class N(M):
        def forward(self, x):
            return x * 3

    m = M()
    return lambda x: m(x), lambda: setattr(m, "__class__", N)


@row
def absent_attribute():
    c = Box()
    return (
        lambda x: x * (3 if hasattr(c, "k") else getattr(c, "z", 2.0)),
        lambda: setattr(c, "z", 5.0),
        lambda: setattr(c, "k", 1),
    )


@row
def absent_attribute_of_the_class():
    base, child = family()
    c = child()
    return lambda x: x * getattr(c, "z", 2.0), lambda: setattr(base, "z", 5.0)


@row
def made_up_names():
    c = Box(alpha1=2.0)
    return lambda x: x * getattr(c, "al" + "pha1"), lambda: setattr(c, "alpha1", 3)


@row
def all_of_a_dict():
    c = Box(a=2.0)
    return (
        lambda x: x * sum(vars(c).values()) + len(c.__dict__),
        lambda: setattr(c, "b", 5.0),
        lambda: setattr(c, "a", 7.0),
    )


@row
def counter_in_a_dict():
    c = Box(n=0)

    def f(x):
        c.__dict__["n"] += 1
        return x * c.n

    return (f,)


@row
def dataclass_fields():
    @dataclasses.dataclass
    class C:
        a: float = 1.0
        b: float = 2.0

    c = C()
    return (
        lambda x: x * sum(dataclasses.asdict(c).values()),
        lambda: setattr(c, "b", 5.0),
    )


@row
def slots():
    class S:
        __slots__ = ("k", "late")

    s = S()
    s.k = 2.0
    return (
        lambda x: x * s.k + getattr(s, "late", 0.0),
        lambda: setattr(s, "k", 3.0),
        lambda: setattr(s, "late", 1.0),
    )


@row
def attribute_of_a_tensor():
    p = torch.nn.Parameter(torch.ones(2))
    p.tag = 2.0
    return lambda x: x * p.detach() * p.tag, lambda: setattr(p, "tag", 3.0)


@row
def cached():
    k = [2.0]
    factor = functools.lru_cache(maxsize=None)(lambda: k[0])
    return (
        lambda x: x * factor(),
        lambda: k.__setitem__(0, 5.0),
        lambda: factor.cache_clear(),
    )


@row
def single_dispatch():
    @functools.singledispatch
    def kind(x):
        return x * 2

    return (
        lambda x: kind(x),
        lambda: kind.register(torch.Tensor, lambda x: x * 3),
    )


@row
def weak_reference():
    held = [Box(k=2.0)]
    ref = weakref.ref(held[0])
    return lambda x: x * (1.0 if ref() is None else ref().k), held.clear


@row
def containers_of_the_standard_library():
    inner, user = {"k": 2.0}, collections.UserDict(k=2.0)
    chain, some = collections.ChainMap({}, {"k": 2.0}), collections.UserList([2.0])
    proxy = types.MappingProxyType(inner)
    return (
        lambda x: x * proxy["k"] * user["k"] * chain["k"] * some[0],
        lambda: inner.update(k=3.0),
        lambda: user.update(k=4.0),
        lambda: chain.update(k=5.0),
        lambda: some.__setitem__(0, 6.0),
    )


@row
def module_without_a_file():
    mine = types.ModuleType("mine")
    mine.k = 2.0
    return lambda x: x * mine.k, lambda: setattr(mine, "k", 3.0)


@row
def keywords_of_a_partial():
    h = functools.partial(scaled, k=2.0)
    return lambda x: h(x), lambda: h.keywords.update(k=3.0)


@row
def jit_in_jit():
    k = [2.0]
    inner = torch.jit(lambda x: x * k[0])
    return lambda x: inner(x), lambda: k.__setitem__(0, 3.0)


@row
def transform_of_a_function():
    k = [2.0]
    slope = torch.grad(lambda y: (y * y * k[0]).sum())
    return lambda x: slope(x), lambda: k.__setitem__(0, 3.0)


@row
def context_manager():
    k = [2.0]

    @contextlib.contextmanager
    def scale():
        yield k[0]

    def f(x):
        with scale() as s:
            return x * s

    return f, lambda: k.__setitem__(0, 3.0)


@row
def wrapped_by_a_decorator():
    k = [2.0]

    @functools.wraps(scaled)
    def h(x):
        return x * k[0]

    return lambda x: h(x), lambda: k.__setitem__(0, 3.0)


@row
def awkward_getattr():
    class Odd:
        k = 2.0

        def __getattr__(self, name):
            raise KeyError(name)

    odd = Odd()
    return lambda x: x * odd.k, lambda: setattr(odd, "k", 3.0)


@row
def bound_method_of_a_list():
    items = [2.0, 2.0]
    count = items.count
    return lambda x: x * count(2.0), lambda: items.append(2.0)


@pytest.mark.parametrize("name", ROWS)
def test_changes_are_seen(name):
    check(ROWS[name])


RNG, OLD, DRAW = (
    np.random.default_rng(0),
    np.random.RandomState(0),
    np.random.default_rng(1).random,
)

WORLD = {
    "np.random.rand": lambda x: x * np.random.rand(),
    "np.random.choice": lambda x: x * float(np.random.choice([1.0, 2.0, 3.0])),
    "default_rng": lambda x: x * np.random.default_rng().random(),
    "Generator": lambda x: x * RNG.random(),
    "RandomState": lambda x: x * OLD.rand(),
    "a bound method": lambda x: x * DRAW(),
    "random.uniform": lambda x: x * random.uniform(0, 1),
    "random.choice": lambda x: x * random.choice([1.0, 2.0, 3.0]),
    "uuid4": lambda x: x * (uuid.uuid4().int % 1000),
    "environ": lambda x: x * float(os.environ["TRACEFUSE_WATCHING"]),
    "environ.get": lambda x: x * float(os.environ.get("TRACEFUSE_WATCHING", 1)),
    "getenv": lambda x: x * float(os.getenv("TRACEFUSE_WATCHING", 1)),
    "read_text": lambda x: x * len(pathlib.Path(__file__).read_text()),
    "exists": lambda x: x * os.path.exists(__file__),
    "now": lambda x: x * datetime.datetime.now().microsecond,
    "today": lambda x: x * datetime.date.today().day,
}


@pytest.mark.parametrize("name", WORLD)
def test_the_world_is_asked_every_time(name, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_WATCHING", "2")
    f, x = torch.jit(WORLD[name]), torch.ones(2)
    for _ in range(3):
        f(x)
    assert f.cache_info()["paths"] == 0, f.explain()


@pytest.mark.parametrize(
    "pure",
    [
        lambda x: x * np.float32(2.0) + np.sqrt(4.0),
        lambda x: x * functools.reduce(lambda a, b: a + b, (1, 2)),
        lambda x: x * datetime.timedelta(seconds=2).seconds,
        lambda x: x * scaled(x) * len(collections.Counter("abca")),
        lambda x: torch.einsum("i,i->", x, x),
    ],
)
def test_pure_python_is_kept(pure):
    f, x = torch.jit(pure), torch.ones(2)
    for _ in range(4):
        f(x)
    assert f.cache_info()["recordings"] <= 2, f.explain()
