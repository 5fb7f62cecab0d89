"""jit: names that come to mean something else: the user's, and the library's."""

from __future__ import annotations

import builtins
import types

import pytest
import tracefuse as torch
import tracefuse.nn.functional as F
from tracefuse import nn
from tracefuse.nn.functional import softplus
from tracefuse.tracer.watching.scopes import looker

ROWS = {}


def row(make):
    """Register `make(patch) -> (function, *changes)`; `patch` sets an attribute."""
    ROWS[make.__name__] = make
    return make


def code(text, **scope):
    scope["torch"] = torch
    exec(text, scope)
    return scope


@row
def a_global_that_was_missing(patch):
    scope = code(
        "def f(x):\n try:\n  return x * LATE\n except NameError:\n  return x\n"
    )
    return scope["f"], lambda: scope.update(LATE=5.0), lambda: scope.pop("LATE")


@row
def one_that_takes_the_place_of_another(patch):
    scope = code("def f(x):\n return x * len(x)\n", other=1)
    swap = lambda: (scope.pop("other"), scope.update(len=lambda x: 7))
    return scope["f"], swap


@row
def a_name_in_a_function_within(patch):
    scope = code("def f(x):\n return (lambda: x * max(1, 2))()\n")
    return scope["f"], lambda: scope.update(max=min)


@row
def builtins_replaced(patch):
    f = lambda x: x * len(oct(8))
    return f, lambda: patch(builtins, "oct", lambda n: "123456")


@row
def an_attribute_that_a_module_lacked(patch):
    mine = types.ModuleType("mine")
    f = lambda x: x * (mine.k if hasattr(mine, "k") else 2.0)
    return f, lambda: setattr(mine, "k", 3.0)


@row
def a_function_of_the_library(patch):
    return (lambda x: torch.relu(x)), lambda: patch(torch, "relu", lambda x: x * 5)


@row
def a_function_reached_in_steps(patch):
    f = lambda x: torch.nn.functional.elu(x)
    return f, lambda: patch(torch.nn.functional, "elu", lambda x: x * 6)


@row
def a_function_by_another_name(patch):
    return (lambda x: F.gelu(x)), lambda: patch(F, "gelu", lambda x: x * 4)


@row
def a_function_imported_by_name(patch):
    f = lambda x: softplus(x)
    return f, lambda: patch_global(patch, "softplus", lambda x: x * 4)


def patch_global(patch, name, new):
    patch(__import__("sys").modules[__name__], name, new)


@row
def a_method_of_tensors(patch):
    return (lambda x: x.tanh()), lambda: patch(torch.Tensor, "tanh", lambda x: x * 9)


@row
def a_method_that_tensors_lacked(patch):
    f = lambda x: x.twice() if hasattr(x, "twice") else x
    new = lambda x: x * 2
    return f, lambda: patch(torch.Tensor, "twice", new, raising=False)


@row
def the_forward_of_a_layer(patch):
    m = nn.Sequential(nn.ReLU(), nn.Identity())
    f = lambda x: m(x)
    return f, lambda: patch(nn.ReLU, "forward", lambda self, x: x * 3)


@pytest.mark.parametrize("name", ROWS)
def test_names_are_watched(name, monkeypatch):
    f, *changes = ROWS[name](monkeypatch.setattr)
    x, fast = torch.tensor([1.0, 2.0]), torch.jit(f)
    for change in [lambda: None, *changes]:
        change()
        wanted = f(x).tolist()
        for _ in range(3):
            assert fast(x).tolist() == wanted, fast.explain()
    assert fast.cache_info()["recordings"] <= 3, fast.explain()


def test_a_looker_says_when_a_name_is_gone():
    scope = {"k": 1.0}
    same = looker(scope, {"k": scope["k"], "len": len})
    assert same()
    del scope["k"]
    assert not same()


def test_a_looker_asks_attributes_and_cells():
    box, n = types.SimpleNamespace(k=1), 3
    cell = (lambda: n).__closure__[0]
    same = looker({}, {}, [(cell, n)], [(box, "k", box.k)])
    assert same()
    del box.k
    assert not same()
    box.k = 1
    n = 4
    assert not same()
