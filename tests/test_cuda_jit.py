"""Jitted functions on a GPU: devices in keys, commits, replays, programs."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tracefuse as torch
from gpu_tools import gpu, gpus  # noqa: F401
from samples import EAGER_ONLY, SAMPLES, each
from sampling import assert_close, flatten, tensors
from test_cuda import ON_HOST, back, model
from tracefuse import nn
from tracefuse.api.files import container
from tracefuse.api.tensor import fresh
from tracefuse.kernels.gpu import copies
from tracefuse.kernels.gpu.collecting import Collecting
from tracefuse.kernels.triton.compile import Sized
from tracefuse.kernels.triton.native import ahead
from tracefuse.kernels.triton.native.ahead import mark_of
from tracefuse.tracer.errors import FormatError

pytest.importorskip("triton")
pytestmark = pytest.mark.usefixtures("gpu")
SOME = [s for s in SAMPLES if s.name not in ON_HOST | EAGER_ONLY][5::12]


@pytest.fixture
def launched(monkeypatch):
    """Without CUDA graphs."""
    monkeypatch.setattr(torch.config, "cuda_graphs", False)


@each(SOME)
def test_samples_equal_those_on_the_cpu(sample):
    arrays = sample.make_args(1, sample.dtypes[0])
    torch.manual_seed(5)
    want = sample.function(*tensors(arrays))
    function = torch.jit(sample.function)
    for _ in range(3):
        torch.manual_seed(5)
        got = function(*[t.cuda() for t in tensors(arrays)])
        if arrays:
            assert all(x.is_cuda for x in flatten(got) if torch.is_tensor(x))
        assert_close(back(got), back(want), max(sample.rtol, 1e-5))


def stepped(device, net, x, y, jit=True, lr=1e-2):
    """Losses of some steps, and what the parameters became."""
    net = net.to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = torch.jit(step) if jit else step
    torch.manual_seed(1)
    losses = []
    for n in range(6):
        losses.append(run((x + n).to(device), y.to(device)).item())
        scheduler.step()
    if jit:
        assert run.cache_info()["recordings"] <= 3, run.explain()
    return losses, back([*net.state_dict().values()])


class Block(nn.Module):
    """A transformer block with a head."""

    def __init__(self):
        super().__init__()
        self.heads, self.joined = nn.Linear(8, 24), nn.Linear(8, 8)
        self.norm, self.more = nn.LayerNorm(8), nn.LayerNorm(8)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        parts = self.heads(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in parts)
        h = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.joined(h.transpose(1, 2).flatten(2))
        x = x + self.down(nn.functional.gelu(self.up(self.more(x))))
        return self.head(x.mean(1))


def convolving():
    """A small network for pictures."""
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(36, 3))


MODELS = {
    "mlp": (model, (8, 6)),
    "cnn": (convolving, (4, 1, 6, 6)),
    "transformer": (Block, (2, 4, 8)),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("graphs", [True, False])
def test_a_training_step_equals_that_on_the_cpu(kind, graphs, monkeypatch):
    monkeypatch.setattr(torch.config, "cuda_graphs", graphs)
    make, shape = MODELS[kind]
    torch.manual_seed(2)
    x, y = torch.randn(*shape), torch.arange(shape[0]) % 3
    found = []
    for device, jit in (("cpu", False), ("cuda", True)):
        torch.manual_seed(0)
        found.append(stepped(device, make(), x, y, jit))
    (losses, want), (others, got) = found
    np.testing.assert_allclose(others, losses, rtol=2e-4)
    assert_close(got, want, 2e-3)


def test_the_device_is_part_of_the_key(gpu):  # noqa: F811
    f = torch.jit(lambda x: (x * 2 + 1).sum())
    x = torch.ones(3)
    for _ in range(3):
        assert not f(x).is_cuda and f(x.cuda()).is_cuda
    assert f.cache_info() == {"signatures": 2, "paths": 2, "recordings": 2}
    assert gpu.count("launch") and "Triton" in f.lower(x.cuda()).source + "Triton"
    assert "tl.store" in f.lower(x.cuda()).source
    assert "tl.store" not in f.lower(x).source


def test_a_module_that_moves_is_recorded_anew():
    net = nn.Linear(2, 2)
    f = torch.jit(lambda x: net(x))
    x = torch.ones(1, 2)
    f(x), f(x)
    net.cuda()
    assert f(x.cuda()).is_cuda and f(x.cuda()).is_cuda
    net.cpu()
    assert not f(x).is_cuda


def test_another_gpu(gpus):  # noqa: F811
    f = torch.jit(lambda x: x + torch.ones(2, device=x.device))
    for _ in range(3):
        for n in (0, 1):
            y = f(torch.ones(2, device=f"cuda:{n}"))
            assert y.get_device() == n and y.tolist() == [2, 2]


def test_tensors_know_their_device_inside():
    seen = []

    @torch.jit
    def f(x):
        seen.append((x * 2).device)
        table = torch.arange(3, device=x.device) + torch.zeros(3, device=x.device)
        return table + x

    assert f(torch.ones(3, device="cuda")).tolist() == [1, 2, 3]
    assert seen == [torch.device("cuda:0")]


def test_what_is_given_is_moved_inside():
    f = torch.jit(lambda x, w: x.to("cuda") @ w.cuda())
    x, w = torch.ones(2, 3), torch.ones(3, 2, device="cuda")
    for n in range(4):
        y = f(x + n, w)
        assert y.is_cuda and y[0, 0].item() == 3 * (n + 1)
    assert f.cache_info()["recordings"] == 1


def test_two_devices_in_one_recording():
    a, b = torch.ones(2), torch.ones(2, device="cuda")
    message = r"found at least two devices, cuda:0 and cpu.*test_cuda_jit.py:\d+"
    for given in ((a, b), (b, a)):
        f = torch.jit(lambda x, y: (x + 1) * y)
        with pytest.raises(RuntimeError, match=message):
            f(*given)
    g = torch.jit(lambda y: (y * 2).cpu())
    with pytest.raises(torch.TraceError, match="works on one device"):
        g(b)


def test_aliases_see_what_is_written(launched):
    x = torch.zeros(4, device="cuda")
    part, plain = x[1:3], torch.zeros(4, device="cuda")

    @torch.jit
    def f():
        x.add_(1)
        plain.add_(2)

    for n in range(1, 5):
        f()
        assert part.tolist() == [n, n] and plain.tolist() == [2 * n] * 4
    assert x.tolist() == [4] * 4


def test_failing_leaves_everything_as_it_was(gpu, launched):  # noqa: F811
    x = torch.zeros(1024, device="cuda")

    @torch.jit
    def f(wide):
        x.add_(1)
        return torch.ones(1 << (30 if wide else 2), device="cuda") + x[0]

    f(False), f(False)
    with pytest.raises(torch.cuda.OutOfMemoryError, match=r"4\.00 GiB were asked for"):
        f(True)
    assert x.tolist() == [2] * 1024
    f(False)
    assert x.tolist() == [3] * 1024


# CUDA graphs


def test_a_repeated_call_is_one_replay(gpu):  # noqa: F811
    w = torch.ones(64, device="cuda")

    @torch.jit
    def f(x):
        w.mul_(0.5).add_(x)
        return (w * 2).sum()

    at, x = w.data_ptr(), torch.ones(64, device="cuda")
    results = []
    for n in range(7):
        calls = len(gpu.calls)
        result = f(x)
        if n < 2:
            results.append(result)
        if n >= 5:
            told = [c[0] for c in gpu.calls[calls:]]
            assert told.count("replay") == 1 and "copy in" not in told
    assert [r.item() for r in results] == [192.0, 224.0]  # none was overwritten
    assert result.item() == 64 * 2 * w[0].item() and w.data_ptr() == at


def test_batches_from_elsewhere_are_copied_in():
    f = torch.jit(lambda x: x * x)
    held = []
    for n in range(8):
        held.append(torch.full((5,), float(n), device="cuda"))
        assert f(held[-1]).tolist() == [n * n] * 5


def test_random_draws_go_on():
    def f(x):
        return x + torch.rand(4, device=x.device)

    jitted, x = torch.jit(f), torch.zeros(4, device="cuda")
    torch.manual_seed(3)
    want = [f(x.cpu()).tolist() for _ in range(5)]
    torch.manual_seed(3)
    assert [jitted(x).tolist() for _ in range(5)] == want


def test_gradients_across_the_border():
    w = torch.ones(3, device="cuda", requires_grad=True)
    f = torch.jit(lambda x: (w * x).sin().sum())
    for n in range(4):
        w.grad = None
        f(torch.full((3,), float(n), device="cuda")).backward()
        assert w.grad.is_cuda
        np.testing.assert_allclose(w.grad.tolist(), [n * np.cos(n)] * 3, 1e-5, 1e-6)


def test_python_branches():
    @torch.jit
    def f(x):
        return x * 2 if x.sum() > 0 else x - 1

    for n in (1, -1, 1, -1, 1):
        x = torch.full((2,), float(n), device="cuda")
        assert f(x).tolist() == ([2, 2] if n > 0 else [-2, -2])


# Programs


def test_programs_move():
    net = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    program = torch.jit.trace(net, (x,))
    want = net(x).detach()
    assert program.to("cuda") is program
    assert all(t.is_cuda for t in program.parameters())
    got = program(x.cuda())
    assert got.is_cuda and "tl.store" in program.source
    assert_close(got.cpu().detach(), want, 1e-5)
    file = io.BytesIO()
    program.save(file)
    for where in ("cpu", "cuda"):
        file.seek(0)
        again = torch.jit.load(file, map_location=where)
        assert again.parameters()[0].device.type == where
        assert_close(again(x.to(where)).detach().cpu(), want, 1e-5)
    assert_close(program.to("cpu")(x).detach(), want, 1e-6)


@pytest.mark.parametrize("targets", [("sm_80",), ("sm_90", "sm_100")])
def test_machine_code_travels_with_a_program(targets, monkeypatch, tmp_path):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    net = nn.Sequential(nn.Linear(16, 8), nn.ReLU())
    x = torch.randn(4, 16)
    program = torch.jit.trace(net, (x,))
    plain, full = io.BytesIO(), io.BytesIO()
    program.save(plain)
    program.save(full, targets)
    carried = {}
    monkeypatch.setattr(ahead, "_carried", carried)
    for file, kernels in ((plain, True), (full, False)):
        file.seek(0)
        assert torch.equal(torch.jit.load(file, kernels=kernels)(x), program(x))
        assert not carried
    full.seek(0)
    again = torch.jit.load(full, kernels=True)
    assert {b.target for b in carried.values()} == set(targets)
    assert torch.equal(again(x), program(x))
    wanted = Collecting(targets[0])  # every kernel that it launches is among them
    again.moved(wanted)
    for _ in range(3):
        again(fresh(copies.moved(x.numpy(), wanted)))
    marks = {mark_of(*job, targets[0]) for job in wanted.jobs}
    assert marks and marks <= carried.keys()


def test_machine_code_that_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    program = torch.jit.trace(lambda x: x.sin() * 2, torch.ones(4))
    path = tmp_path / "program"
    program.save(path, targets=("sm_90",))
    arrays, metadata = container.read(path)
    name = next(n for n in arrays if n.startswith("~kernel."))
    changed = arrays[name].copy()
    changed[-1] ^= 1
    for wrong, message in (
        ({name: changed}, "expected a compiled kernel"),
        ({name: changed.astype(np.int64)}, "expected the bytes"),
        ({name: changed, "~kernel.more": changed}, "the names of the machine code"),
        ({}, "the names of the machine code"),
    ):
        file = io.BytesIO()
        container.pack(file, wrong, metadata)
        file.seek(0)
        with pytest.raises(FormatError, match=message):
            torch.jit.load(file, kernels=True)
    with pytest.raises(torch.DeviceError, match="such as 'sm_90', got 'gfx942'"):
        program.save(path, targets=("gfx942",))


def test_mixed_precision():
    found = []
    for device, jit in (("cpu", False), ("cuda", False), ("cuda", True)):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).to(device)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
        scaler, x = torch.amp.GradScaler(device), torch.randn(6, 4).to(device)

        def step(x, net=net, optimizer=optimizer, scaler=scaler, device=device):
            optimizer.zero_grad()
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = (net(x).float() ** 2).mean()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss

        run = torch.jit(step) if jit else step
        found.append([run(x).item() for _ in range(4)])
    assert found[0] == pytest.approx(found[1], rel=1e-2)
    assert found[1] == pytest.approx(found[2], rel=1e-3)


def test_a_changing_batch_records_twice(gpu):  # noqa: F811
    net = model().cuda().eval()
    f = torch.jit(net)
    for n in (2, 3, 4, 5, 6, 3, 2):
        x = torch.randn(n, 6)
        assert_close(back(f(x.cuda())), back(net(x.cuda())), 1e-5)
    assert f.cache_info()["recordings"] == 2
    assert "made for each choice of sizes: 4 so far" in f.explain()


def test_many_sizes_leave_memory_bounded(gpu, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tracefuse.kernels.triton.compile.SIZES", 3)
    monkeypatch.setattr("tracefuse.kernels.gpu.device.LOADED", 4)
    f = torch.jit(lambda x: x * 2 + 1)
    for n in range(2, 12):
        assert f(torch.ones(n, device="cuda")).tolist() == [3.0] * n
    made = [m.made for entry in f._all() for m in entry.executables]
    (sized,) = (m for m in made if isinstance(m, Sized))
    assert len(sized.made) == 3 and len(gpu._launchers) <= 4
