"""What a saved program has to know of sizes, layouts and variables; it reads back."""

from __future__ import annotations

import io
import json
import os
import warnings

import golden_files
import numpy as np
import pytest
import tracefuse as torch
from tracefuse.api.files import container
from tracefuse.tracer.errors import FormatError, GuardError, TraceError


def reloaded(program):
    """The same program, through a file."""
    file = io.BytesIO()
    torch.jit.save(program, file)
    return torch.jit.load(io.BytesIO(file.getvalue()))


def scripted(f, *calls):
    """f, recorded by these calls, from a file."""
    script = torch.jit.script(f)
    for args in calls:
        script(*args)
    return reloaded(script)


def rows(n, columns=2):
    return torch.arange(float(n * columns)).reshape(n, columns)


# -- sizes that became symbols, where Python saw that they were equal to others


def triangle(x):
    return torch.ones(len(x), len(x)).tril() @ x


def both(x, y):
    return x + y if x.shape == y.shape else (x.sum() + y.sum()) * len(x)


def test_a_new_tensor_of_a_symbolic_size():
    program = scripted(triangle, *((rows(n),) for n in (3, 2, 4, 5)))
    for n in (2, 3, 4, 5):
        assert torch.equal(program(rows(n)), triangle(rows(n)))


def test_two_sizes_that_had_to_agree():
    calls = [(rows(a), rows(b)) for a, b in ((3, 3), (4, 4), (5, 2), (2, 5), (6, 6))]
    program = scripted(both, *calls)
    for x, y in (*calls, (rows(9), rows(9))):
        assert torch.equal(program(x, y), both(x, y))


def test_a_marked_size_that_had_to_be_a_number():
    shapes = {"x": {0: torch.Dim("n")}}
    program = reloaded(torch.jit.trace(triangle, rows(2), dynamic_shapes=shapes))
    assert torch.equal(program(rows(2)), triangle(rows(2)))
    with pytest.raises(torch.TracefuseError):
        program(rows(3))


# -- shapes in results


def test_a_shape_comes_back_as_one():
    f = lambda x: (x.shape, {"n": x.T.size()}, tuple(x.shape), [x.shape[1:]])
    program = scripted(f, *((rows(n),) for n in (3, 4, 5)))
    for x in (rows(3), rows(7)):
        want, found = f(x), program(x)
        assert repr(want) == repr(found)
        assert type(found[0]) is torch.Size and found[0].numel() == x.numel()
        assert type(found[2]) is tuple


def test_a_shape_as_an_argument_may_be_a_tuple():
    program = reloaded(torch.jit.trace(torch.zeros, (torch.ones(2, 3).shape,)))
    assert program((2, 3)).shape == program(torch.Size((2, 3))).shape == (2, 3)


# -- a file is read back before it takes the place of another


def broken():
    program = torch.jit.trace(lambda x: x + 1, torch.ones(2))
    program.variants[0].plans[0] = program.plans[0]._replace(fresh=7)
    return program


def test_what_does_not_read_back_is_not_written(tmp_path):
    path = tmp_path / "model"
    torch.jit.trace(lambda x: x * 2, torch.ones(2)).save(path)
    before = path.read_bytes()
    with pytest.raises(TraceError, match="nothing was written.*fresh is 7"):
        broken().save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model"]
    file = io.BytesIO()
    with pytest.raises(TraceError, match="fresh is 7"):
        torch.jit.save(broken(), file)
    assert file.getvalue() == b""


# -- layouts and variables, where a path depended on them


def aliases(x):
    y = x.contiguous()
    y.add_(1)
    return x.sum()


def asked(x):
    return x * 2 if x.requires_grad else x * 3


def test_the_golden_conditions():
    program = torch.jit.load(golden_files.FOLDER / "given.v3.tracefuse")
    variable = lambda: rows(3, 2).requires_grad_() * 1
    for make in (lambda: rows(2, 3), lambda: rows(2, 3).T, variable):
        plain, given = make(), make()
        (found, shape), (want, _) = program(given), golden_files.written(plain)
        assert torch.equal(found, want) and torch.equal(given, plain)
        assert type(shape) is torch.Size and shape == given.shape


def test_another_layout_takes_another_way():
    program = scripted(aliases, (rows(3, 3),), (rows(3, 3).T,))
    assert [len(v.conditions) for v in program.variants] == [1, 1]
    for make in (lambda: rows(3, 3), lambda: rows(3, 3).T):
        x, y = make(), make()
        assert torch.equal(program(x), aliases(y)) and torch.equal(x, y)
    with pytest.raises(GuardError, match=r"strides \[6, 2\].*test_program_whole.py:\d"):
        program(sixes())


def sixes():
    return torch.arange(18.0).reshape(3, 6)[:, ::2]


def test_an_exact_way_names_the_layout_and_the_line():
    program = reloaded(torch.jit.trace(aliases, rows(3, 3)))
    message = r"input 0 with strides \[1, 3\], expected input 0 in row-major order.*:\d"
    with pytest.raises(GuardError, match=message):
        program(rows(3, 3).T)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.reshape(-1) * 2,
        lambda x: x.contiguous().exp(),
        lambda x: torch.flatten(x).relu(),
        lambda x: (x.T.reshape(-1) + 1).relu_(),
    ],
)
def test_a_layout_that_does_not_matter_is_no_condition(f):
    program = reloaded(torch.jit.trace(f, rows(2, 3)))
    assert program.plans[0].conditions == ()
    for x in (rows(2, 3), rows(3, 2).T, sixes()[:2]):
        assert torch.equal(program(x), f(x))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.view(-1) * 2,
        lambda x: x.reshape(-1),
        lambda x: x * x.stride(0),
        lambda x: x.contiguous(),
        lambda x: x if x.is_contiguous() else x * 2,
        lambda x: x.T.reshape(-1).relu_() + x.sum(),
    ],
)
def test_a_layout_that_matters_is_one(f):
    program = reloaded(torch.jit.trace(f, rows(2, 3)))
    assert [c.at for c in program.plans[0].conditions] == [0]
    assert torch.equal(program(rows(2, 3)), f(rows(2, 3)))
    with pytest.raises(GuardError, match="strides"):
        program(rows(3, 2).T)


def test_a_variable_or_not():
    program = scripted(asked, (rows(2),), (rows(2).requires_grad_(),))
    x = rows(2).requires_grad_()
    assert torch.equal(program(rows(2)), rows(2) * 3)
    assert torch.equal(program(x), x * 2)
    exact = reloaded(torch.jit.trace(asked, rows(2)))
    message = r"input 0 requires grad, expected .* no grad.*test_program_whole.py:\d+"
    with pytest.raises(GuardError, match=message):
        exact(x)


def test_a_result_that_was_asked_speaks_of_all_arguments():
    def f(x, y):
        z = x + y
        return z * 2 if z.requires_grad else z * 3

    program = reloaded(torch.jit.trace(f, (rows(2), rows(2))))
    with pytest.raises(GuardError, match="input 1 requires grad"):
        program(rows(2), rows(2).requires_grad_())


def test_a_program_in_a_program_hands_its_conditions_on():
    inner = reloaded(torch.jit.trace(asked, rows(2)))
    outer = reloaded(torch.jit.trace(lambda x: inner(x * 1), rows(2)))
    with pytest.raises(GuardError, match="requires grad"):
        outer(rows(2).requires_grad_())
    same = reloaded(torch.jit.trace(aliases, rows(3, 3)))
    outer = reloaded(torch.jit.trace(lambda x: same(x), rows(3, 3)))
    with pytest.raises(GuardError, match="strides"):
        outer(rows(3, 3).T)


def test_a_jitted_call_with_another_stride_and_size():
    f = torch.jit(lambda x: (x.is_contiguous(), x.reshape(-1)))
    whole = torch.arange(12.0).reshape(2, 6)
    for n in (2, 3, 4, 6, 5, 6):
        x = whole[:, :n]
        assert f(x)[0] == x.is_contiguous()
        shares = np.shares_memory(f(x)[1].numpy(), x.numpy())
        assert shares == x.is_contiguous()


# -- what a file may say of them


@pytest.mark.parametrize(
    "row, message",
    [
        ([1, [], None], r"given\[0\]\[0\] is 1"),
        ([None, [], None], "true or false"),
        ([0, [1], None], "expected a list of 2"),
        ([0, [1, "a"], None], "expected an integer"),
        ([0, 1, None], "expected a list"),
        ([0, True, 3], "expected a string"),
        ([0, True], "expected a list of 3"),
    ],
)
def test_a_wrong_condition_is_named(row, message):
    arrays, metadata = container.read(golden_files.FOLDER / "given.v3.tracefuse")
    structure = json.loads(metadata["structure"])
    structure["signatures"][0]["paths"][0]["given"] = [row]
    file = io.BytesIO()
    metadata["structure"] = json.dumps(structure)
    container.pack(file, arrays, metadata, version=3)
    with pytest.raises(FormatError, match=message):
        torch.jit.load(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"inputs": [{"grad": 0}]}, "one of those whose .grad was there"),
        ({"inputs": [{"grad": {"grad": 0}}], "preset": [0]}, "no gradient"),
        ({"preset": [None]}, "expected a tensor"),
        ({"preset": [7]}, "an integer from 0 to 0"),
        ({"preset": 0}, "expected a list"),
        ({"unset": [{"grad": 0}]}, "no gradient"),
        ({"inputs": [{"grad": 0, "x": 1}]}, "an object of grad"),
    ],
)
def test_a_wrong_gradient_is_named(fields, message):
    arrays, metadata = container.read(golden_files.FOLDER / "given.v3.tracefuse")
    structure = json.loads(metadata["structure"])
    structure["signatures"][0]["paths"][0].update(fields)
    file = io.BytesIO()
    metadata["structure"] = json.dumps(structure)
    container.pack(file, arrays, metadata, version=3)
    with pytest.raises(FormatError, match=message):
        torch.jit.load(io.BytesIO(file.getvalue()))


# -- hooks, which are Python


def hooked(kind):
    """A function with a hook that waits for a backward outside of it."""
    layer = torch.nn.Linear(2, 2)
    twice = lambda *grads: None
    if kind == "weight":
        layer.weight.register_hook(twice)
    elif kind == "a module":
        layer.register_full_backward_hook(twice)

    def f(x):
        y = layer(x) * 2
        if "tensor" in kind:
            y.register_hook(twice)
        return y

    return f


@pytest.mark.parametrize(
    "kind", ["weight", "a module", r"a tensor of test_program_whole.py:\d+"]
)
@pytest.mark.parametrize("make", [torch.jit.trace, torch.jit.script])
def test_saving_warns_of_hooks_that_are_left_out(kind, make):
    program = make(hooked(kind), *[torch.ones(1, 2)] * (make is torch.jit.trace))
    program(torch.ones(1, 2))
    with pytest.warns(UserWarning, match=f"f: .* backward hook of {kind} is left out"):
        program.save(io.BytesIO())


def test_hooks_that_ran_are_in_the_program():
    layer = torch.nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, args, result: result * 3)
    layer.weight.register_hook(lambda grad: grad * 10)

    def step(x):
        layer.zero_grad()
        layer(x).sum().backward()
        return layer.weight.grad

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program = reloaded(torch.jit.trace(step, torch.ones(1, 2)))
    assert program(torch.ones(1, 2)).tolist() == [[30, 30], [30, 30]]


def test_the_grad_mode_where_it_was_asked():
    script = torch.jit.script(lambda x: x * 2 if torch.is_grad_enabled() else x * 3)
    script(torch.ones(2))
    with torch.no_grad():
        script(torch.ones(2))
    program = reloaded(script)
    assert program(torch.ones(2)).tolist() == [2, 2]
    with torch.no_grad():
        assert program(torch.ones(2)).tolist() == [3, 3]
    exact = reloaded(torch.jit.trace(lambda x: (x * 2).requires_grad, torch.ones(2)))
    with torch.no_grad(), pytest.raises(GuardError, match="grad mode off.*:\\d"):
        exact(torch.ones(2))


def test_a_grad_mode_that_was_set_inside_is_no_condition():
    @torch.no_grad()
    def f(x):
        return x * 2 if torch.is_grad_enabled() else x * 3

    program = reloaded(torch.jit.trace(f, torch.ones(2)))
    assert program.plans[0].conditions == ()


# -- sizes at which another layout would be the same


def squared(x):
    return x.reshape(x.shape[1], x.shape[0])


def test_a_copy_that_would_be_a_view_at_some_size():
    wide = torch.arange(72.0).reshape(12, 6)
    strided = lambda n: wide[: 2 * n : 2, ::2]
    program = scripted(squared, *((strided(n),) for n in (2, 4, 5)))
    assert torch.equal(program(strided(6)), squared(strided(6)))
    with pytest.raises(GuardError, match="never recorded"):
        program(strided(3))  # as square as it was: a view


def test_one_row_is_contiguous():
    program = scripted(lambda x: x.T.contiguous(), *((rows(n),) for n in (2, 3, 4)))
    assert program(rows(5)).shape == (2, 5)
    with pytest.raises(GuardError, match="s0 == 1 was False"):
        program(rows(1))
    asked = lambda x: x * 2 if x[::2].is_contiguous() else x * 3
    program = scripted(asked, *((rows(n),) for n in (5, 6, 7)))
    for f in (program, torch.jit(asked)):
        for n in (7, 6, 5, 4):
            assert torch.equal(f(rows(n)), rows(n) * 3)
    with pytest.raises(GuardError):
        program(rows(2))
    assert torch.equal(torch.jit(asked)(rows(2)), rows(2) * 2)


def test_an_expanded_argument_is_not_written_in_part():
    def f(x, y):
        x.add_(1)
        y.add_(1)

    program = reloaded(torch.jit.trace(f, (torch.ones(2, 3), torch.ones(2, 3))))
    jitted = torch.jit(f)
    for _ in range(3):
        program(torch.ones(2, 3), torch.ones(2, 3))
        jitted(torch.ones(2, 3), torch.ones(2, 3))
    for g in (jitted, program):
        y, x = torch.zeros(2, 3), torch.ones(3).expand(2, 3)
        with pytest.raises(RuntimeError, match="single memory location"):
            g(x, y)
        assert y.sum() == 0 and x.sum() == 6


def test_plain_tensors_of_modules_have_their_names():
    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mask = torch.tensor([1.0, 0.0])

        def forward(self, x):
            return x * self.mask

    assert [*reloaded(torch.jit.trace(Masked(), torch.ones(2))).tensors] == ["mask"]


def test_what_is_saved_is_of_one_mode():
    script = torch.jit.script(lambda x: x @ x)
    x = rows(2) / 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = script(x)
        assert half.dtype is torch.bfloat16
        assert torch.equal(reloaded(script)(x), half)
    single = script(x)
    assert single.dtype is torch.float32
    assert torch.equal(reloaded(script)(x), single)


def test_a_written_argument_that_was_asked_speaks_of_all():
    def f(x, y):
        x.copy_(y)
        return x * 2 if x.requires_grad else x * 3

    make = lambda grad: rows(2).requires_grad_() * 1 if grad else rows(2)
    kinds = [(False, False), (True, False), (False, True)]
    program = scripted(f, *((make(a), make(b)) for a, b in kinds))
    for a, b in kinds:
        assert torch.equal(program(make(a), make(b)), f(make(a), make(b)))
    with pytest.raises(GuardError, match="requires grad"):
        program(make(True), make(True))
