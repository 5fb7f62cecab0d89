"""Loops and branches: symbolic sizes, random numbers, errors and their text."""

from __future__ import annotations

import io

import pytest
import tracefuse as torch
from control_tools import check, flat, rand
from test_control import collatz
from tracefuse.tracer.errors import FormatError, TraceError
from tracefuse.tracer.structure import same
from tracefuse.tracer.texts.parse import parse_graph
from tracefuse.tracer.texts.text import print_graph

# -- symbolic sizes


def test_loops_over_symbolic_sizes():
    def f(h, xs):
        h, ys = torch.scan(lambda h, x: (h + x * xs.shape[0], h.sum()), h, xs)
        h = torch.while_loop(
            lambda h: h.sum() < 50, lambda h: h + torch.ones_like(h), h
        )
        return torch.cond(h.sum() > 60, lambda h: h * xs.shape[0], lambda h: h, h), ys

    def plain(h, xs):
        ys = []
        for x in xs:
            ys.append(h.sum())
            h = h + x * len(xs)
        while h.sum().item() < 50:
            h = h + 1
        return (h * len(xs) if h.sum().item() > 60 else h), torch.stack(ys)

    n, d = torch.Dim("n"), torch.Dim("d")
    shapes = {"h": {0: d}, "xs": {0: n, 1: d}}
    program = torch.jit.trace(f, (rand(3), rand(5, 3)), dynamic_shapes=shapes)
    file = io.BytesIO()
    program.save(file)
    file.seek(0)
    jitted = torch.jit(f, dynamic_shapes=shapes)
    for g in (program, torch.jit.load(file), jitted):
        for a, b in [(5, 3), (2, 7), (1, 1), (9, 4)]:
            args = rand(b), rand(a, b, seed=a)
            for x, y in zip(g(*args), plain(*args)):
                assert torch.allclose(x, y, rtol=1e-5)
    assert jitted.cache_info()["recordings"] == 1


def test_steps_by_a_symbolic_size():
    def f(x):
        return torch.fori_loop(0, x.shape[0], lambda i, c: c + i * x.sum(), 0.0)

    program = torch.jit.trace(f, (rand(3),), {"x": {0: torch.Dim("n")}})
    for n in (1, 5):
        x = rand(n)
        assert torch.allclose(program(x), x.sum() * (n * (n - 1) // 2))


# -- random numbers


def test_each_step_draws_fresh_numbers_as_plain_python_would():
    def f():
        step = lambda c, _: (c + torch.rand(5), torch.rand(2))  # noqa: E731
        return torch.scan(step, torch.zeros(5), length=4), torch.rand(1)

    def plain():
        c, ys = torch.zeros(5), []
        for _ in range(4):
            c = c + torch.rand(5)
            ys.append(torch.rand(2))
        return (c, torch.stack(ys)), torch.rand(1)

    for g in (f, torch.jit(f)):
        torch.manual_seed(3)
        found = flat([g(), g()])
        torch.manual_seed(3)
        assert all(map(torch.equal, found, flat([plain(), plain()])))


def test_draws_inside_while_and_branches():
    def loop(c):
        step = lambda c: (c[0] + 1, torch.rand(2))  # noqa: E731
        return torch.while_loop(lambda c: c[0] < 3, step, c)[1]

    def both(x):
        a = torch.cond(x > 0, lambda: torch.rand(2), lambda: -torch.rand(2))
        b = torch.cond(x > 0, lambda: torch.rand(9), lambda: torch.zeros(9))
        return a, b, torch.rand(1)

    def plain(x):
        a = torch.rand(2) if x.item() > 0 else -torch.rand(2)
        return a, torch.rand(9) if x.item() > 0 else torch.zeros(9), torch.rand(1)

    jitted = torch.jit(both)
    for x in map(torch.tensor, (1.0, -1.0, 1.0)):
        torch.manual_seed(7)
        found = [jitted(x), loop((0, torch.zeros(2)))]
        torch.manual_seed(7)
        first = plain(x)
        third = [torch.rand(2) for _ in range(3)][-1]
        assert all(map(torch.equal, flat(found), flat([first, third])))


# -- errors


def test_what_differs_is_named():
    h, xs = rand(3), rand(4, 3)
    cases = [
        (lambda: torch.scan(lambda h, x: h, h, xs), "must return a pair"),
        (
            lambda: torch.scan(lambda h, x: ({"a": h["a"][:2]}, x), {"a": h}, xs),
            r"the carry\['a'\] is float32\[3\].*is float32\[2\], so the shapes differ",
        ),
        (
            lambda: torch.scan(lambda h, x: ((h, h), x), h, xs),
            r"the carry is float32\[3\].*\(float32\[3\], float32\[3\]\)",
        ),
        (
            lambda: torch.while_loop(lambda h: h.sum() < 9, lambda h: h.double(), h),
            "float64.*so the element types differ",
        ),
        (lambda: torch.while_loop(lambda h: h < 9, lambda h: h, h), "one bool"),
        (
            lambda: torch.jit(lambda h: torch.cond(h.sum() > 0, lambda: h, lambda: xs))(
                h
            ),
            r"the first is float32\[3\], the other is float32\[4, 3\]",
        ),
    ]
    for call, message in cases:
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(ValueError, match="different lengths"):
        torch.scan(lambda h, x: (h, None), h, (xs, xs[:2]))
    with pytest.raises(ValueError, match="no values to scan over"):
        torch.scan(lambda h, x: (h, None), h)


def test_writes_to_the_outside_and_numbers_are_refused_by_line():
    h, xs, seen = rand(3), rand(4, 3), []

    def writes(h, x):
        xs.add_(1)  # here
        return h, None

    def asks(h, x):
        return (h if h.sum() > 0 else -h), None

    for body, message in [
        (writes, "writes to a tensor"),
        (asks, "asks for the number"),
    ]:
        before = xs.clone()
        with pytest.raises(TraceError, match=rf"{message}.*test_control_rules.py:\d+"):
            torch.scan(body, h, xs)
        assert torch.equal(xs, before)

    with pytest.raises(TraceError, match=r"of the body of scan \(made at .*py:\d+\)"):
        torch.scan(lambda h, x: (h, seen.append(x * 2)), h, xs)


def test_writes_to_its_own_tensors_are_allowed():
    def step(h, x):
        new = h.clone()
        new[0] = x.sum()
        new += 1
        return new, new[1:]

    def plain(h, xs):
        ys = []
        for x in xs:
            h, y = step(h, x)
            ys.append(y)
        return h, torch.stack(ys)

    check(lambda h, xs: torch.scan(step, h, xs), plain, rand(3), rand(4, 2))


# -- text


def test_the_text_is_read_back_and_checked():
    graph = torch.jit(collatz).lower(torch.tensor(6)).graph.verify()
    text = print_graph(graph)
    assert same(parse_graph(text), graph) and print_graph(parse_graph(text)) == text


BODY = "graph b(c: f32[2], x: f32[]) {\n  %0 = exp(c) : f32[2]\n  return %0, x\n}\n"
SCAN = "graph f(c: f32[2], xs: f32[5]) {{\n  %0 = scan({})\n  return c\n}}\n"


@pytest.mark.parametrize(
    "line, message",
    [
        ("c, xs, body=b, length=5, reverse=False, carry=1, rows=1", ""),
        ("c, xs, body=b, length=4, reverse=False, carry=1, rows=1", "no 4 rows"),
        ("c, xs, body=b, length=5, reverse=False, carry=2, rows=0", "for"),
        ("c, xs, body=b, length=5, reverse=1, carry=1, rows=1", "True or False"),
        ("c, body=b, length=5, reverse=False, carry=1, rows=0", "1 operands"),
        ("c, xs, body=g, length=5, reverse=False, carry=1, rows=1", "defined above"),
        ("c, xs, body=b, length=-1, reverse=False, carry=1, rows=1", "at least 0"),
        ("c, xs, body=b, length=5, reverse=False, carry=9, rows=1", "carry of 9"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(line, message):
    text = BODY + SCAN.format(line)
    if not message:
        parse_graph(text)
        return
    with pytest.raises(FormatError, match=message):
        parse_graph(text)


def test_loops_in_a_text_are_not_nested_without_end():
    text = "graph g0(x: f32[]) {\n  %0 = exp(x) : f32[]\n  return %0\n}\n"
    for n in range(60):
        text += (
            f"graph g{n + 1}(x: f32[]) {{\n  %0 = scan(x, body=g{n}, length=1, "
            "reverse=False, carry=1, rows=0)\n  %1 = item(%0, index=0) : f32[]\n"
            "  return %1\n}\n"
        )
    with pytest.raises(FormatError, match="levels deep"):
        parse_graph(text)
