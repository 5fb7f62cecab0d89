"""Kernels that serve many sizes: what is lifted out of a text, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as torch
from gpu_tools import gpu  # noqa: F401
from tracefuse.kernels.gpu.machine import GpuMachine
from tracefuse.kernels.triton.kernel import Config, Kernel, Param
from tracefuse.kernels.triton.lifted import Lifting, may_be_lifted, tokens_of
from tracefuse.kernels.triton.native.ahead import compile_kernel
from tracefuse.tracer.errors import CompileError

pytest.importorskip("triton")


def kernel(n, body="m = i < {n}", block=64, **more):
    lines = [
        "@triton.jit",
        "def f(x0, B0: tl.constexpr):",
        "    # over {n}",
        f"    {body}",
    ]
    source = "\n".join(lines).format(n=n) + "\n"
    configs = (Config((("B0", block),)),)
    params = (Param("x0", "*fp32"),)
    return Kernel("f", source, params, (f"cdiv({n}, B0)",), configs, **more)


def found(*kernels):
    """What becomes of kernels that come one after the other."""
    lifting = Lifting(None)
    return [lifting.find(k) for k in kernels]


def test_the_second_size_is_lifted_and_serves_the_third():
    first, second, third = found(kernel(50), kernel(77), kernel(1001))
    assert first is None
    lifted, values = second
    assert values == {"size0": 77} and third == (lifted, {"size0": 1001})
    made = lifted.kernel
    assert made.params == (Param("x0", "*fp32"), Param("size0", "i32", False))
    assert made.grid == ("cdiv(size0, B0)",) and made.sizes == {"size0"}
    assert "def f(x0, size0, B0: tl.constexpr):" in made.source
    assert "m = i < size0" in made.source


def test_what_is_divisible_by_16_has_a_kernel_of_its_own():
    _, (odd, _), (even, _), (again, _), (last, _) = found(
        kernel(50), kernel(77), kernel(96), kernel(128), kernel(33)
    )
    assert even is not odd and again is even and last is odd
    assert [p.aligned for p in even.kernel.params] == [True, True]


@pytest.mark.parametrize(
    "body",
    [
        "i = tl.arange(0, {n})",
        "v = tl.full([{n}], 1.0)",
        "v = x * {n}.5",
        "if {n} % 4:",
    ],
)
def test_what_has_to_be_known_is_not_lifted(body):
    assert found(kernel(50, body), kernel(77, body)) == [None, None]


def test_other_texts_and_configurations_are_other_kernels():
    assert found(kernel(50), kernel(77, "m = i <= {n}"))[1] is None
    one, two = found(kernel(50), kernel(77), kernel(90, block=128))[1:]
    assert two[0] is not one[0]
    # Numbers that differ are two parameters, those that go together one.
    body = "m = (i < {n}) & (j < {n}) & (k < 7)"
    other = kernel(77, body.replace("7)", "9)"))
    _, (lifted, values) = found(kernel(50, body), other)
    assert values == {"size0": 77, "size1": 9}
    assert (
        found(kernel(50, body), other, kernel(80, "m = (i < 80) & (j < 81)"))[2] is None
    )


def test_floats_where_their_type_is_said():
    body = "v = v / tl.full((), {n}.0, tl.float32)"
    _, (lifted, values) = found(kernel(50, body), kernel(77, body))
    assert values == {"size0": 77.0, "size1": 77}
    assert lifted.kernel.params[1] == Param("size0", "fp64", False)


def test_where_a_number_stands():
    text = tokens_of(kernel(5, "a = tl.load(x + i * 3, mask=i < 9) + b[4]"))
    sure = {t for n, t in enumerate(text) if t.isdigit() and may_be_lifted(text, n)}
    assert sure == {"3", "9", "5"}


def network():
    torch.manual_seed(0)
    layers = torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.LayerNorm(16)
    return torch.nn.Sequential(*layers, torch.nn.Linear(16, 4))


def stepping(net):
    def step(x, y):
        net.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        return loss

    return step


def test_a_changing_batch_compiles_less_and_less(gpu):  # noqa: F811
    here, there = network(), network().cuda()
    plain, run = stepping(here), torch.jit(stepping(there))
    new = []
    for n in (50, 52, 72, 100, 37, 41, 43, 75, 70):
        x, y = torch.randn(n, 8), torch.arange(n) % 4
        before = len(gpu._launchers)
        loss = run(x.cuda(), y.cuda())
        new.append(len(gpu._launchers) - before)
        assert loss.item() == pytest.approx(plain(x, y).item(), rel=1e-5)
        for p, q in zip(there.parameters(), here.parameters()):
            np.testing.assert_allclose(p.grad.cpu(), q.grad, rtol=1e-3, atol=1e-6)
    assert run.cache_info()["recordings"] == 2
    assert sum(new[3:]) <= new[0] and new[-1] == 0
    lifted = [k for k, _ in gpu._launchers if any("size" in p.name for p in k.params)]
    assert lifted
    for k in lifted:
        assert compile_kernel(k, target="sm_90").types == tuple(
            p.type for p in k.params
        )


def test_one_that_does_not_compile_stays_as_it_was(gpu, monkeypatch):  # noqa: F811
    def refuse(self, kernel, values):
        raise CompileError("a number has to be known")

    monkeypatch.setattr(GpuMachine, "with_values", refuse)
    f = torch.jit(lambda x: (x * 2).sum(0))
    for n in (50, 52, 72, 100):
        assert f(torch.ones(n, 3, device="cuda")).tolist() == [2.0 * n] * 3
    assert not any("size" in p.name for k, _ in gpu._launchers for p in k.params)


def test_with_the_clock(gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr(torch.config, "tune", True)
    f = torch.jit(lambda x: torch.softmax(x, -1) * 2)
    for n in (50, 52, 72, 100):
        x = torch.randn(n, 5)
        np.testing.assert_allclose(
            f(x.cuda()).cpu(), torch.softmax(x, -1) * 2, rtol=1e-5
        )
