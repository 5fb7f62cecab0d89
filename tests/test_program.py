"""Traced programs do what their function does: results, writes, draws, gradients.

Most tests run a program as traced and again as saved and loaded: `forms`.
"""

from __future__ import annotations

import collections
import dataclasses
import io
import threading
import time

import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.tracer.errors import DTypeError, GuardError, ShapeError, TraceError
from tracefuse.tracer.texts.text import print_graph

Point = collections.namedtuple("Point", "x y")
BATCH = {0: torch.Dim("batch")}


@dataclasses.dataclass
class Pair:
    left: object
    right: object


def reloaded(program):
    file = io.BytesIO()
    torch.jit.save(program, file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.fixture(params=["traced", "reloaded"])
def made(request):
    """jit.trace, with or without a round through a file."""

    def trace(*args, **kwargs):
        program = torch.jit.trace(*args, **kwargs)
        return program if request.param == "traced" else reloaded(program)

    return trace


def close(a, b):
    return torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 16, 10),
    )


# -- results


@pytest.mark.parametrize("example", [1, 3])
def test_a_module_at_any_batch_size(made, example):
    model = convnet().eval()
    images = torch.randn(example, 1, 8, 8)
    program = made(model, images, dynamic_shapes={"input": BATCH})
    for n in (3, 1, 8, 2, 0):
        x = torch.randn(n, 1, 8, 8)
        assert close(program(x), model(x))
    assert list(program.state_dict())[0] == "0.weight"
    assert "input: f32[batch, 1, 8, 8]" in print_graph(program.graph)
    assert "def Sequential" in program.source


def test_sizes_in_the_result_and_in_shapes(made):
    def f(x):
        n = x.shape[0]
        return torch.arange(n), n * 2 + 1, x.reshape(n * 2, -1), torch.zeros(n, 1)

    program = made(f, torch.ones(3, 4), dynamic_shapes={"x": BATCH})
    for n in (3, 5, 1):
        steps, number, folded, zeros = program(torch.ones(n, 4))
        assert steps.tolist() == list(range(n)) and number == 2 * n + 1
        assert folded.shape == (2 * n, 2) and zeros.shape == (n, 1)
        assert type(number) is int


def test_nested_results_keep_identity_and_aliasing(made):
    def f(x, options):
        y = x * options["scale"]
        first = y[0]
        kept = {"y": y, 3: (first, first), "none": None, "words": ["a", 1.5, True]}
        return Point(x, kept), Pair(y, x.T)

    program = made(f, (torch.ones(2, 3), {"scale": 2.0}))
    x = torch.arange(6.0).reshape(2, 3)
    for _ in range(2):
        (same, kept), (again, turned) = program(x, {"scale": 2.0})
        assert same is x and again is kept["y"]
        assert kept[3][0] is kept[3][1] and kept["words"] == ["a", 1.5, True]
        kept[3][0].zero_()
        assert kept["y"].tolist() == [[0, 0, 0], [6, 8, 10]]
        turned[0, 0] += 1
    assert x[0, 0] == 2


def test_named_tuples_come_back_by_their_fields():
    example = (Point(1, torch.ones(2)),)
    program = reloaded(torch.jit.trace(lambda p: Pair(p.x, p.y), example))
    found = program(Point(1, torch.zeros(2)))
    assert type(found).__name__ == "Pair" and found._fields == ("left", "right")
    assert found.left == 1 and found.right.tolist() == [0, 0]


def test_nan_and_other_plain_arguments(made):
    plain = (float("nan"), -0.0, None, "é", True, torch.float16)
    program = made(lambda x, *rest: (x, rest), (torch.ones(1), *plain))
    assert repr(program(torch.ones(1), *plain)[1]) == repr(plain)
    with pytest.raises(TypeError, match="input 2 of .* is 0.0, expected -0.0"):
        program(torch.ones(1), plain[0], 0.0, *plain[2:])


# -- writes


def test_buffers_are_updated_as_in_training(made):
    model, reference = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    x = torch.randn(8, 3)
    program = made(model, x)  # the example counts as a call, as in PyTorch
    reference(x)
    for _ in range(3):
        x = torch.randn(8, 3)
        assert close(program(x), reference(x))
    for name, expected in reference.state_dict().items():
        assert close(program.state_dict()[name], expected)


def test_writes_to_arguments_go_through(made):
    def f(x, y):
        x[1:] += y
        return x.sum()

    program = made(f, (torch.ones(4), torch.ones(3)))
    x = torch.arange(4.0)
    view = x[2:]
    for k in (1, 2, 3):
        program(x, torch.ones(3))
        assert x.tolist() == [0, 1 + k, 2 + k, 3 + k] and view[0] == 2 + k
    with pytest.raises(RuntimeError, match="shares memory"):
        program(x, x[1:])


def test_one_tensor_given_twice(made):
    one = torch.ones(2)

    def f(a, b):
        a += 1
        return a * b

    program = made(f, (one, one))
    x = torch.ones(2)
    assert program(x, x).tolist() == [4, 4]
    with pytest.raises(TypeError, match="same tensor as input 0"):
        program(x, torch.ones(2))


# -- random draws


def test_draws_are_those_of_the_plain_function(made):
    def f(x):
        return torch.rand(x.shape[0]) + x, torch.randn(3)

    program = made(f, torch.zeros(2), dynamic_shapes={"x": BATCH})
    for n in (2, 5):
        results = []
        for g in (f, program):
            torch.manual_seed(n)
            results.append([g(torch.zeros(n)), g(torch.zeros(n)), torch.rand(2)])
        (a, b, c), (d, e, g) = results
        for left, right in zip((*a, *b, c), (*d, *e, g)):
            assert torch.equal(left, right)
        assert not torch.equal(d[0], e[0])


def test_two_programs_in_one_recording_draw_apart(made):
    program = made(lambda x: x + torch.rand(3), torch.zeros(3))

    def f(x):
        return torch.rand(1), program(x), program(x)

    torch.manual_seed(5)
    expected = f(torch.zeros(3))
    torch.manual_seed(5)
    found = torch.jit(f)(torch.zeros(3))
    assert all(map(torch.equal, found, expected))
    assert not torch.equal(found[1], found[2])


# -- paths


def choose(x):
    if x.sum() > 0:  # the line that errors name
        return x * 2
    return x - 1


def test_a_way_never_recorded_names_the_line(made):
    program = made(choose, torch.ones(3))
    assert program(torch.ones(3)).tolist() == [2, 2, 2]
    with pytest.raises(GuardError, match=r"test_program.py:\d+ the program saw False"):
        program(-torch.ones(3))
    assert program(torch.ones(3)).tolist() == [2, 2, 2]


def test_a_script_keeps_all_ways():
    script = torch.jit.script(choose)
    with pytest.raises(TraceError, match="call it with an example"):
        script.save(io.BytesIO())
    for x in (torch.ones(3), -torch.ones(3)):
        script(x), script(x)
    program = reloaded(script)
    assert len(program.plans) == 2
    for x in (torch.ones(3), -torch.ones(3), torch.ones(3) * 2):
        assert torch.equal(program(x), choose(x))


def test_a_size_that_python_asked_about(made):
    def f(x):
        return x * 2 if x.shape[0] > 4 else x

    program = made(f, torch.ones(6), dynamic_shapes={"x": BATCH})
    assert program(torch.ones(9)).tolist() == [2] * 9
    with pytest.raises(GuardError, match="batch = 3 .* batch > 4 was True"):
        program(torch.ones(3))


def test_what_python_read_of_sizes_as_numbers(made):
    def f(x):
        return x * int(x.shape[0])

    program = made(f, torch.ones(3), dynamic_shapes={"x": BATCH})
    assert program(torch.ones(3)).tolist() == [3, 3, 3]
    with pytest.raises(GuardError, match="batch == 3"):
        program(torch.ones(4))


# -- gradients


def test_gradients_flow_and_stop_where_the_function_says(made):
    def round_through(x):
        return (x * 3 + (x.round() - x).detach()).sum()

    program = made(round_through, torch.ones(3))
    x = torch.tensor([0.2, 0.7, 1.4], requires_grad=True)
    program(x).backward()
    assert x.grad.tolist() == [3, 3, 3]


def test_gradients_at_ties_are_those_of_the_function(made):
    program = made(lambda x: x.relu().sum(), torch.ones(3))
    x = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    program(x).backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_gradients_of_gradients(made):
    program = made(lambda x: (x**3).sum(), torch.ones(2))
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    (first,) = torch.autograd.grad(program(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert first.tolist() == [12, 27] and second.tolist() == [12, 18]


def test_a_program_inside_a_jitted_training_step(made):
    program = made(nn.Linear(3, 2), torch.ones(4, 3), dynamic_shapes={"input": BATCH})
    optimizer = torch.optim.SGD(program.parameters(), lr=0.1)

    @torch.jit
    def step(x, y):
        optimizer.zero_grad()
        loss = (program(x) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.randn(8, 3)
    y = x @ torch.randn(3, 2)
    losses = [step(x, y).item() for _ in range(100)]
    assert losses[-1] < losses[0] / 10
    assert step.cache_info()["recordings"] <= 2


def test_a_program_can_be_trained(made):
    model = nn.Linear(3, 2)
    program = made(model, torch.ones(4, 3), dynamic_shapes={"input": BATCH})
    x = torch.randn(7, 3)
    program(x).pow(2).sum().backward()
    model.zero_grad() if program.tensors["weight"] is model.weight else None
    model(x).pow(2).sum().backward()
    grads = [t.grad for t in program.parameters()]
    if program.tensors["weight"] is model.weight:  # traced: the module's own tensors
        grads = [model.weight.grad, model.bias.grad]
    assert close(grads[0], model.weight.grad) and close(grads[1], model.bias.grad)


def test_backward_inside(made):
    w = torch.ones(3, requires_grad=True)

    def step(x):
        (w * x).sum().backward()

    program = made(step, torch.ones(3))
    (weight,) = program.parameters()
    weight.grad = None
    program(torch.arange(3.0))
    assert weight.grad.tolist() == [0, 1, 2]
    with pytest.raises(GuardError, match="has a gradient from before"):
        program(torch.arange(3.0))


# -- the signature


SIGNATURE = r"f\(float32\[batch, 4\], \{'k': int64\[batch\]\}, flag=3\)"


@pytest.mark.parametrize(
    "args, error, message",
    [
        ((torch.ones(2, 4),), TypeError, r"was called as f\(float32\[2, 4\]\)"),
        ((torch.ones(2, 5), {"k": torch.arange(2)}, 3), ShapeError, r"\[2, 5\], exp"),
        ((torch.ones(2), {"k": torch.arange(2)}, 3), ShapeError, "shape .2., expected"),
        ((torch.ones(2, 4), {"k": torch.arange(3)}, 3), ShapeError, "batch is 2"),
        ((torch.ones(2, 4), {"k": torch.ones(2)}, 3), DTypeError, "expected .*int64"),
        ((torch.ones(2, 4), {"j": torch.arange(2)}, 3), TypeError, "'j': int64"),
        ((torch.ones(2, 4), {"k": [1, 2]}, 3), TypeError, "was called as"),
        ((torch.ones(2, 4), {"k": 1}, 3), TypeError, "is a int, expected a Tensor"),
        ((torch.ones(2, 4), {"k": torch.arange(2)}, 4), TypeError, "is 4, expected 3"),
        ((torch.ones(9, 4), {"k": torch.arange(9)}, 3), ShapeError, "at most 8"),
        ((np.ones((2, 4)), {"k": torch.arange(2)}, 3), TypeError, "is a ndarray"),
    ],
)
def test_another_signature_is_refused(made, args, error, message):
    def f(x, options, flag):
        return x.sum(1) + options["k"] * flag

    batch = {0: torch.Dim("batch", max=8)}
    example = (torch.ones(3, 4), {"k": torch.arange(3)}, 3)
    program = made(f, example, dynamic_shapes={"x": batch, "options": {"k": batch}})
    assert program(torch.ones(2, 4), {"k": torch.arange(2)}, 3).tolist() == [4, 7]
    with pytest.raises(error, match=message):
        program(*args)


def test_one_symbol_has_one_size():
    batch = {0: torch.Dim("batch")}
    example = (torch.ones(2), torch.ones(3))
    both = {"input": batch, "other": batch}
    with pytest.raises(ShapeError, match="batch is 2"):
        torch.jit.trace(torch.add, example, dynamic_shapes=both)


def test_a_bare_tensor_is_one_argument_and_others_are_tuples():
    with pytest.raises(TypeError, match="tuple of arguments, not a int"):
        torch.jit.trace(lambda x: x, 3)


@pytest.mark.parametrize(
    "f, why",
    [
        (lambda x: x * time.time(), "time"),
        (lambda x: x + torch.rand(3, generator=GENERATOR), "Generator of its own"),
        (lambda x: torch.ones(3, requires_grad=True), "a new variable"),
    ],
)
def test_what_cannot_be_traced_says_why(f, why):
    with pytest.raises(TraceError, match=why):
        torch.jit.trace(f, torch.ones(3))


GENERATOR = torch.Generator()


def test_an_object_of_this_process_cannot_be_saved():
    program = torch.jit.trace(lambda x, o: x + 1, (torch.ones(2), object()))
    with pytest.raises(TraceError, match="argument 1 is a object"):
        program.save(io.BytesIO())
    with pytest.raises(TypeError, match="takes a Program, not a Linear: jit.trace"):
        torch.jit.save(nn.Linear(1, 1), io.BytesIO())


# -- state


def test_state_dicts_in_and_out(made):
    model = nn.Linear(2, 2)
    program = made(model, torch.ones(1, 2))
    other = nn.Linear(2, 2)
    program.load_state_dict(other.state_dict())
    x = torch.randn(1, 2)
    assert close(program(x), other(x))
    fresh = nn.Linear(2, 2)
    fresh.load_state_dict(program.state_dict())
    assert close(fresh(x), other(x))
    with pytest.raises(KeyError, match="weight"):
        program.load_state_dict({"bias": other.bias})
    with pytest.raises(ShapeError, match="size mismatch for weight"):
        program.load_state_dict({"bias": other.bias, "weight": torch.ones(3)})
    assert close(program(x), other(x))


def test_devices(made):
    program = made(nn.Linear(2, 2), torch.ones(1, 2))
    assert program.to("cpu") is program and program.eval() is program
    with pytest.raises(torch.DeviceError, match="cuda"):
        program.to("cuda")


def test_two_threads(made):
    model = convnet().eval()
    images = torch.randn(2, 1, 8, 8)
    program = made(model, images, dynamic_shapes={"input": BATCH})
    xs = [torch.randn(n, 1, 8, 8) for n in (1, 2, 3, 4)]
    with torch.no_grad():
        expected = [model(x) for x in xs]
    wrong: list = []

    def work():
        for _ in range(10):
            for x, y in zip(xs, expected):
                if not close(program(x), y):
                    wrong.append(x.shape)

    threads = [threading.Thread(target=work) for _ in range(2)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not wrong
