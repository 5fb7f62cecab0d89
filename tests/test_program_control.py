"""Loops, branches, draws, casts and custom derivatives in saved programs."""

from __future__ import annotations

import io
import warnings

import pytest
import tracefuse as torch
import tracefuse.nn.functional as F
from tracefuse import nn
from tracefuse.tracer.pytree import flatten
from tracefuse.utils.checkpoint import checkpoint

ROWS = {"x": {0: torch.Dim("n")}}


def saved(program) -> io.BytesIO:
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    return file


def reloaded(program):
    return torch.jit.load(saved(program))


def rows(x, step):
    return torch.scan(step, x.new_zeros(x.shape[1:]), x)


def counted(x, times, step):
    def body(state):
        return state[0] + 1, step(state[1])

    return torch.while_loop(lambda s: s[0] < times, body, (torch.tensor(0), x))[1]


def branch(x, then, other):
    return torch.cond(x.sum() > 0, then, other, x)


def nest(x):
    def step(carry, row):
        both = (lambda c, r: c + r, lambda c, r: c * torch.rand(r.shape))
        return torch.cond(row.sum() > 0, *both, carry, row), row * 2

    return rows(x, step)


def cast(x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = x @ x.T
    return y, y.float() + 1


FUNCTIONS = {
    "cond": lambda x: branch(x, lambda x: x * 2, lambda x: x - 1),
    "cond draws": lambda x: branch(
        x, lambda x: x + torch.rand_like(x), lambda x: x - torch.randn_like(x)
    ),
    "while": lambda x: counted(x, 4, lambda x: x * 1.5),
    "while draws": lambda x: counted(x, 3, lambda x: x + torch.rand_like(x)),
    "while of data": lambda x: torch.while_loop(
        lambda x: x.abs().max() < 50, lambda x: x * 2 + 1, x
    ),
    "scan": lambda x: rows(x, lambda c, r: (c + r, c * r)),
    "scan draws": lambda x: rows(x, lambda c, r: (c + r, r + torch.rand(()))),
    "scan drops": lambda x: rows(x, lambda c, r: (c + F.dropout(r, 0.5), r)),
    "fori": lambda x: torch.fori_loop(0, 4, lambda i, c: c * i + x, x),
    "fori draws": lambda x: torch.fori_loop(0, 4, lambda i, c: c + torch.rand(3), x),
    "nest": nest,
    "dropout": lambda x: F.dropout(x, 0.5),
    "autocast": cast,
    "sizes": lambda x: (x.reshape(-1, 1) * x.shape[0], torch.rand(x.shape[0] * 2)),
}


def same(found, expected) -> None:
    pairs = list(zip(flatten(found)[0], flatten(expected)[0]))
    assert pairs
    for a, b in pairs:
        assert a.dtype is b.dtype and a.shape == b.shape
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("symbolic", [False, True], ids=["fixed", "symbolic"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_saved_programs_do_and_draw_what_the_function_does(name, symbolic):
    f = FUNCTIONS[name]
    shapes = ROWS if symbolic else None
    program = reloaded(torch.jit.trace(f, torch.randn(4, 3), dynamic_shapes=shapes))
    for seed, n in enumerate((4, 2, 7, 1) if symbolic else (4, 4)):
        torch.manual_seed(seed)
        x, before = torch.randn(n, 3), torch.get_rng_state()
        results = []
        for g in (f, program):
            torch.set_rng_state(before)
            results.append((g(x), g(x), torch.rand(2)))
        same(*results)


@pytest.mark.parametrize("name", [k for k in FUNCTIONS if "while" not in k])
def test_their_gradients_are_those_of_the_function(name):
    f = FUNCTIONS[name]
    program = reloaded(torch.jit.trace(f, torch.randn(4, 3), dynamic_shapes=ROWS))
    grads = []
    for g in (f, program):
        torch.manual_seed(5)
        x = torch.randn(5, 3, requires_grad=True)
        sum(t.float().sum() for t in flatten(g(x))[0]).backward()
        grads.append(x.grad)
    same(*grads)


@pytest.mark.parametrize("name", ["cond draws", "scan drops", "while draws", "nest"])
def test_scripts_of_two_sizes_keep_control(name):
    f = FUNCTIONS[name]
    script = torch.jit.script(f)
    for n in (4, 6):
        script(torch.randn(n, 3))
    program = reloaded(script)
    (signature,) = program.signatures
    assert str(signature).endswith("(float32[s0, 3])")
    for g in (f, program):
        torch.manual_seed(1)
        same(g(torch.ones(9, 3)), (torch.manual_seed(1), f(torch.ones(9, 3)))[1])


def test_autocast_is_saved_as_casts():
    program = reloaded(torch.jit.trace(cast, torch.ones(2, 3)))
    text = str(program.graph)
    assert "dtype=bf16" in text or ": bf16[" in text
    with torch.autocast("cpu", enabled=False):
        assert program(torch.ones(2, 3))[0].dtype is torch.bfloat16


def test_dropout_draws_afresh_by_the_generator_of_the_loader():
    model = nn.Dropout(0.5)
    program = reloaded(torch.jit.trace(model, torch.ones(50)))
    torch.manual_seed(3)
    first, second = program(torch.ones(50)), program(torch.ones(50))
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(program(torch.ones(50)), first)
    torch.manual_seed(3)
    assert torch.equal(model(torch.ones(50)), first)


# -- custom derivatives


@torch.custom_vjp
def five(x):
    return x * 2


five.defvjp(lambda x: (x * 2, None), lambda res, g: (g * 5,))


class Seven(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 3

    @staticmethod
    def backward(ctx, g):
        return g * 7


W = torch.ones(2, requires_grad=True)
RULED = {
    "vjp": (lambda x: five(x * W), "five", 2, 5),
    "function": (lambda x: Seven.apply(x * W), "Seven", 3, 7),
    "in a loop": (
        lambda x: rows(x, lambda c, r: (c + five(r * W), r))[0],
        *("five", 2, 5),
    ),
    "in a branch": (
        lambda x: branch(x, lambda x: five(x * W), lambda x: x),
        *("five", 2, 5),
    ),
    "of a batch": (lambda x: torch.vmap(five)(x * W), "five", 2, 5),
    "not wanted": (five, "five", 2, 2),  # nothing required grad in the example
    "not wanted either": (Seven.apply, "Seven", 3, 3),
}


@pytest.mark.parametrize("f, name, arithmetic, own", RULED.values(), ids=RULED)
def test_a_file_leaves_custom_derivatives_out_and_says_so(f, name, arithmetic, own):
    program = torch.jit.trace(f, torch.ones(3, 2))
    with pytest.warns(UserWarning, match=f"custom derivative of {name} is left out"):
        loaded = reloaded(program)
    for g, slope in ((program, own), (loaded, arithmetic)):
        x = torch.ones(3, 2, requires_grad=True)
        g(x).sum().backward()
        assert x.grad.tolist() == [[slope] * 2] * 3
    with pytest.warns(UserWarning, match=name):
        script = torch.jit.script(f)
        script(torch.ones(3, 2))
        script.save(io.BytesIO())


def keep_again(x):
    slope = torch.func.grad(lambda y: five(y).sum())(x)
    return checkpoint(torch.sin, x * W, use_reentrant=False) + slope


def test_what_is_computed_again_or_inside_is_no_custom_derivative():
    keep_again(torch.ones(2))  # what is imported late comes through pytest's hooks
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = reloaded(torch.jit.trace(keep_again, torch.ones(2)))
    x = torch.tensor([0.5, 1.0], requires_grad=True)
    y = loaded(x)
    assert torch.allclose(y, x.sin() + 5)
    y.sum().backward()
    assert torch.allclose(x.grad, x.detach().cos())
