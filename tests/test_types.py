"""What type checkers are told of tensors, of `jit` and of what it makes."""

from __future__ import annotations

import ast
import subprocess
import sys

import declare_methods
import pytest
from tracefuse import Tensor

SCRIPT = """
from typing import Any, assert_type

import tracefuse as torch
from tracefuse import Tensor, nn, optim
from tracefuse.jit import Program


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.w = nn.Parameter(torch.randn(2))

    @torch.jit
    def scaled(self, x: Tensor, by: float = 1.0) -> Tensor:
        return x * self.w * by

    def forward(self, x: Tensor) -> Tensor:
        return self.scaled(self.layer(x), by=2.0)


@torch.jit(dynamic_shapes={"x": {0: torch.Dim("n")}})
def both(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.exp(), x.T


net, x = Net(), torch.zeros(3)
assert_type(x, Tensor)
assert_type(x.sum(dim=-1, keepdim=True), Tensor)
assert_type((1 - x) @ x[0] / 2, Tensor)
assert_type(x > 0, Tensor)
assert_type(both(x), tuple[Tensor, Tensor])
assert_type(net.scaled(x, 2.0), Tensor)
assert_type(torch.vmap(lambda row: row)(x), Any)
assert_type(torch.jit.trace(net, (x,)), Program)
loss = net(x).sum()
loss.backward()
optim.SGD(net.parameters(), lr=0.1).step()
with torch.no_grad():
    net.w -= 0.1 * net.w.grad

# Each of these is wrong, and would be an unused comment if nobody saw that.
both(1)  # type: ignore[arg-type]
net.scaled()  # type: ignore[call-arg]
x.sum(keepdim="no")  # type: ignore[arg-type]
torch.jit.trace(net, (x,)).nothing  # type: ignore[attr-defined]
"""
FLOORS = ("api", "autodiff", "kernels", "tracer")


def test_the_declarations_are_those_of_the_methods():
    text = declare_methods.STUB.read_text(encoding="utf-8")
    assert text == declare_methods.Writer().text(), "run tests/declare_methods.py"
    (body,) = (n.body for n in ast.parse(text).body if isinstance(n, ast.ClassDef))
    told = {n.name for n in body if isinstance(n, ast.FunctionDef)}
    missing = {name for name, _ in declare_methods.members()} - told
    assert not missing and {"sum", "T", "backward", "__add__"} <= told
    assert {name for name in told if not hasattr(Tensor, name)} == {"__getattr__"}


def test_a_users_script_has_the_types_one_expects(tmp_path):
    pytest.importorskip("mypy")
    package = tmp_path / "tracefuse"  # as it would be installed
    package.mkdir()
    root = declare_methods.STUB.parents[1]
    for place in (*(root / "api" / "tracefuse").iterdir(), *map(root.joinpath, FLOORS)):
        (package / place.name).symlink_to(place)
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--warn-unused-ignores", "script.py"]
    command += ["--follow-imports=silent", "--python-version=3.11"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
