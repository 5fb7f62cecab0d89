"""jit, trace and script: see what was recorded, save it, run it without its source."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tracefuse as torch
from tracefuse import nn

ELSEWHERE = """
import sys
import numpy, tracefuse
program = tracefuse.jit.load(sys.argv[1])
x = tracefuse.from_numpy(numpy.load(sys.argv[2]))
numpy.save(sys.argv[3], program(x).detach().numpy())
"""


class SimpleNet(nn.Module):
    """One hidden layer."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 50)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(50, 1)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


def jitted():
    """A jitted module answers as before; its program can be read."""
    model, x = SimpleNet(), torch.randn(4, 10)
    fast = torch.jit(model)
    for _ in range(3):
        assert torch.allclose(fast(x), model(x), atol=1e-6)
    lowered = fast.lower(x)
    print(lowered.graph)
    print(lowered.source)
    assert "dot(" in str(lowered.graph) and "matmul(" in lowered.source
    assert fast.cache_info()["recordings"] == 1

    with torch.no_grad():
        model.fc2.bias += 1  # nothing goes stale
    assert torch.allclose(fast(x), model(x), atol=1e-6)


def scripted(folder):
    """`script` is recorded at its first calls, and saved with what it recorded."""
    model, x, path = SimpleNet(), torch.randn(4, 10), Path(folder, "scripted.pt")
    scripted_model = torch.jit.script(model)
    expected = scripted_model(x)
    scripted_model.save(path)

    loaded = torch.jit.load(path)
    assert torch.allclose(loaded(x), expected) and torch.allclose(expected, model(x))


def branches(folder):
    """Both ways of a branch, recorded, saved and loaded."""

    @torch.jit.script
    def clip(x):
        return x / x.norm() if x.norm() > 1 else x

    short, long, path = torch.tensor([0.6, 0.0]), torch.tensor([3.0, 4.0]), folder / "c"
    for x in (short, long):
        clip(x)
    torch.jit.save(clip, path)
    loaded = torch.jit.load(path)
    assert loaded(short).equal(short)
    assert torch.allclose(loaded(10 * long), torch.tensor([0.6, 0.8]))


def traced(folder):
    """A trace with a symbolic batch serves every batch size, here or elsewhere."""
    model, path = SimpleNet(), Path(folder, "traced.tracefuse")
    batch = torch.Dim("batch")
    program = torch.jit.trace(
        model, (torch.randn(4, 10),), dynamic_shapes={"x": {0: batch}}
    )
    program.save(path)
    print(program, f"{path.stat().st_size / 1024:.1f} KiB")

    loaded = torch.jit.load(path)
    for n in (1, 7, 100):
        x = torch.randn(n, 10)
        assert torch.allclose(loaded(x), model(x), atol=1e-6)
    assert set(loaded.state_dict()) == set(model.state_dict())
    elsewhere(path, x, model(x))


def elsewhere(path, x, expected):
    """A process that has never seen SimpleNet loads the file and says the same."""
    given, got = path.parent / "x.npy", path.parent / "y.npy"
    np.save(given, x.numpy())
    subprocess.run([sys.executable, "-c", ELSEWHERE, path, given, got], check=True)
    assert np.allclose(np.load(got), expected.detach().numpy(), atol=1e-6)


def main():
    torch.manual_seed(0)
    jitted()
    with tempfile.TemporaryDirectory() as folder:
        scripted(folder)
        branches(Path(folder))
        traced(folder)


if __name__ == "__main__":
    main()
