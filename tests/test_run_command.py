"""`python -m tracefuse run SCRIPT`: PyTorch's scripts as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """\
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset
import helper

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x):
        return F.relu(self.layer(x))

torch.manual_seed(0)
x = torch.rand(16, 4)
model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
schedule = StepLR(opt, 1)
for a, b in DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8):
    opt.zero_grad()
    F.mse_loss(model(a), b).backward()
    opt.step()
schedule.step()
same = sys.modules["torch.nn.functional"] is sys.modules["tracefuse.nn.functional"]
print(__name__, sys.argv[1:], torch.__spec__.name, same, helper.NAME)
"""


def run(folder, text, *arguments):
    (folder / "script.py").write_text(text)
    (folder / "helper.py").write_text("import torch\nNAME = torch.__name__\n")
    command = [sys.executable, "-m", "tracefuse", "run", str(folder / "script.py")]
    return subprocess.run([*command, *arguments], capture_output=True, text=True)


def test_a_script_finds_tracefuse_where_it_asks_for_torch(tmp_path):
    done = run(tmp_path, SCRIPT, "--epochs", "3")
    told = "__main__ ['--epochs', '3'] tracefuse True tracefuse\n"
    assert (done.stdout, done.stderr, done.returncode) == (told, "", 0)


def test_an_error_shows_the_script_from_its_first_line(tmp_path):
    done = run(tmp_path, "import torch\n\ntorch.ones(2) + torch.ones(3)\n")
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and lines[0].startswith("Traceback")
    assert "script.py" in lines[1] and "line 3" in lines[1]
    assert "runpy" not in done.stderr


def test_an_exit_status_is_handed_on(tmp_path):
    assert run(tmp_path, "raise SystemExit(7)").returncode == 7


@pytest.mark.parametrize("name", ["torch.distributed", "torch.nn.nothing"])
def test_what_is_missing_is_named(tmp_path, name):
    done = run(tmp_path, f"import {name}")
    said = f"tracefuse, which answers for torch here, has no {name}"
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: {said}"


def test_a_script_that_is_not_there(tmp_path):
    command = [sys.executable, "-m", "tracefuse", "run", str(tmp_path / "none.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no file" in done.stderr
