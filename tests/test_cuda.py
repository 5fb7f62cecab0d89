"""Tensors on a GPU: moving, computing eagerly, gradients, memory, streams, sharing."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import tracefuse as torch
from gpu_tools import gpu, gpus  # noqa: F401
from samples import EAGER_ONLY, SAMPLES, each
from sampling import assert_close, flatten, tensors
from tracefuse import nn

pytest.importorskip("triton")
pytestmark = pytest.mark.usefixtures("gpu")
# What has host memory for its subject, or tensors there in the function itself.
ON_HOST = {"from_numpy", "from_dlpack", "Tensor.pin_memory", "Tensor.cpu"}
ON_HOST |= {"functional_call", "stack_module_state"}
SOME = [s for s in SAMPLES if s.name not in ON_HOST | EAGER_ONLY][::12]


def back(result):
    """What lies on the GPU, in host memory."""
    return [x.cpu() if torch.is_tensor(x) else x for x in flatten(result)]


@each(SOME)
def test_samples_equal_those_on_the_cpu(sample):
    arrays = sample.make_args(1, sample.dtypes[0])
    torch.manual_seed(5)
    want = sample.function(*tensors(arrays))
    torch.manual_seed(5)
    got = sample.function(*[t.cuda() for t in tensors(arrays)])
    if arrays:
        assert all(x.is_cuda for x in flatten(got) if torch.is_tensor(x))
    assert_close(back(got), back(want), max(sample.rtol, 1e-5))


# Moving


def test_moving_there_and_back(gpu):  # noqa: F811
    x = torch.arange(6.0).reshape(2, 3)
    for y in (x.to("cuda"), x.cuda(), x.to(torch.device("cuda", 0)), x.to(0)):
        assert y.is_cuda and not y.is_cpu and y.device == torch.device("cuda:0")
        assert y.get_device() == 0 and x.get_device() == -1
        assert torch.equal(y.cpu(), x) and y.cpu().device.type == "cpu"
    assert y.cuda() is y and y.to("cuda") is y and y.to("cuda", copy=True) is not y
    half = x.to("cuda", torch.float16, non_blocking=True)
    assert half.dtype is torch.float16 and half.is_cuda
    assert x.to(half).dtype is torch.float16 and x.to(half).is_cuda
    assert torch.equal(x.t().cuda().cpu(), x.t())


def test_gradients_flow_through_a_move():
    x = torch.ones(3, requires_grad=True)
    (x.cuda() * torch.arange(3.0, device="cuda")).sum().backward()
    assert x.grad.device.type == "cpu" and x.grad.tolist() == [0, 1, 2]
    y = torch.ones(3, device="cuda", requires_grad=True)
    y.sum().backward()
    assert y.grad.is_cuda and y.is_leaf
    (z,) = torch.autograd.grad((y.cpu() ** 2).sum(), y)
    assert z.is_cuda and z.tolist() == [2, 2, 2]


def test_numpy_wants_host_memory():
    x = torch.ones(2, device="cuda")
    message = "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu"
    for wrong in (x.numpy, lambda: np.asarray(x), lambda: np.array(x)):
        with pytest.raises(TypeError, match=message):
            wrong()
    assert x.numpy(force=True).tolist() == [1, 1] and x.tolist() == [1, 1]


def test_text_says_where():
    x = torch.ones(2, device="cuda")
    assert repr(x) == "tensor([1., 1.], device='cuda:0')"
    text = "tensor([1, 1], device='cuda:0', dtype=tracefuse.int32)"
    assert repr(x.int()) == text
    assert repr(x * 2.5) == "tensor([2.5000, 2.5000], device='cuda:0')"


# Making


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: torch.zeros(2, 3, **o),
        lambda **o: torch.full((2,), 7, **o),
        lambda **o: torch.arange(5, **o),
        lambda **o: torch.eye(3, **o),
        lambda **o: torch.linspace(0, 1, 5, **o),
        lambda **o: torch.tensor([[1, 2], [3, 4.5]], **o),
        lambda **o: torch.as_tensor(np.arange(3.0), **o),
        lambda **o: torch.rand(5, **o),
        lambda **o: torch.randn(2, 3, **o),
        lambda **o: torch.randint(0, 9, (7,), **o),
        lambda **o: torch.randperm(9, **o),
        lambda **o: torch.tril_indices(3, 3, **o),
        lambda **o: torch.zeros(2).new_ones(3, **o),
        lambda **o: torch.zeros(2).new_tensor([3.0], **o),
        lambda **o: torch.rand_like(torch.zeros(3), **o),
    ],
)
def test_factories_make_the_same_there(make):
    torch.manual_seed(3)
    want = make()
    torch.manual_seed(3)
    got = make(device="cuda")
    assert got.is_cuda and not want.is_cuda and got.dtype is want.dtype
    assert_close(got.cpu(), want)


def test_what_is_like_a_tensor_lies_beside_it():
    x = torch.ones(2, 3, device="cuda")
    for y in (torch.zeros_like(x), torch.randn_like(x), x.new_zeros(4)):
        assert y.is_cuda
    assert not torch.zeros_like(x, device="cpu").is_cuda
    w = torch.zeros(3, device="cuda", requires_grad=True)
    assert w.is_leaf and w.requires_grad


def test_default_device():
    with torch.device("cuda"):
        assert torch.zeros(2).is_cuda and torch.tensor([1]).is_cuda
        assert nn.Linear(2, 2).weight.is_cuda
        assert not torch.zeros(2, device="cpu").is_cuda
    assert not torch.zeros(2).is_cuda
    torch.set_default_device("cuda")
    try:
        assert torch.get_default_device() == torch.device("cuda:0")
        assert torch.rand(2).is_cuda
    finally:
        torch.set_default_device("cpu")
    assert torch.get_default_device() == torch.device("cpu")


# Computing


def test_numbers_and_host_scalars_mix():
    x = torch.ones(3, device="cuda")
    assert (x * torch.tensor(2.0) + 1).tolist() == [3, 3, 3]
    assert torch.where(x > 0, x, torch.tensor(0.0)).is_cuda


def test_views_share_memory():
    x = torch.arange(12.0, device="cuda").reshape(3, 4)
    x[1, 2] = 17
    x.t()[0] += 1
    x[:, ::2].mul_(2)
    x[x > 20] = 0
    x[[0, 2], 1] = torch.tensor([5.0, 6.0], device="cuda")
    x.view(-1)[-1:].zero_()
    want = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    want[1, 2] = 17
    want.T[0] += 1
    want[:, ::2] *= 2
    want[want > 20] = 0
    want[[0, 2], 1] = 5, 6
    want.reshape(-1)[-1:] = 0
    assert np.array_equal(x.cpu().numpy(), want)
    x[1:] = x[:-1].clone()
    x[0].copy_(torch.arange(4.0))
    assert x[0].tolist() == [0, 1, 2, 3] and x[1].tolist() == want[0].tolist()
    assert x.data_ptr() % 512 == 0 and x[1].storage_offset() == 4


def test_writes_that_overlap_their_source():
    x = torch.arange(6.0, device="cuda")
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3, 4]
    y = torch.arange(6000.0, device="cuda")
    y[::2] = y[:3000]
    assert y[::2].tolist() == [*range(3000)]


def test_host_tensors_take_what_lies_there():
    x = torch.zeros(2, 2)
    x.copy_(torch.ones(2, 2, device="cuda"))
    x[0] = torch.full((2,), 3.0, device="cuda")
    assert x.tolist() == [[3, 3], [1, 1]]


def test_a_second_number_is_no_second_kernel(gpu):  # noqa: F811
    x = torch.ones(3, device="cuda")
    x * 2.5
    known = len(gpu._launchers)
    x * 3.5
    assert len(gpu._launchers) == known


def model():
    """A small network with random draws and statistics in it."""
    torch.manual_seed(0)
    layers = nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.Dropout(0.3)
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(16, 3))


def trained(device, kind=torch.optim.AdamW):
    """Losses and parameters of three steps."""
    net = model().to(device)
    optimizer = kind(net.parameters(), lr=1e-2)
    torch.manual_seed(1)
    x, y = torch.randn(8, 6, device=device), torch.arange(8, device=device) % 3
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, back([*net.state_dict().values()])


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_training_equals_that_on_the_cpu(kind):
    for got, want in zip(trained("cuda", kind), trained("cpu", kind)):
        assert_close(got, want, 1e-4)


def test_modules_move_with_their_state():
    net = model()
    before = [*net.parameters()]
    assert net.cuda() is net and all(a is b for a, b in zip(before, net.parameters()))
    assert all(t.is_cuda for t in net.state_dict().values())
    other = model().to(net[0].weight)
    assert other[0].weight.is_cuda
    other.cpu().load_state_dict(net.state_dict())
    assert not other[0].weight.is_cuda
    assert torch.equal(other[0].weight, net[0].weight.cpu())


def test_optimizers_load_their_state_beside_the_parameters():
    w = torch.ones(3, requires_grad=True)
    adam = torch.optim.Adam([w])
    w.sum().backward()
    adam.step()
    moved = torch.ones(3, device="cuda", requires_grad=True)
    again = torch.optim.Adam([moved])
    again.load_state_dict(adam.state_dict())
    assert again.state[moved]["exp_avg"].is_cuda
    assert not again.state[moved]["step"].is_cuda
    for p, optimizer in ((w, adam), (moved, again)):
        p.grad = torch.full_like(p, 0.5)
        optimizer.step()
    assert_close(moved.cpu() - 1, w - 1 + 0.001, 1e-5)


# Files, copies, other libraries


def test_saving_and_loading():
    file = io.BytesIO()
    torch.save({"w": torch.arange(3.0, device="cuda")}, file)
    for where in (None, "cpu", "cuda", {"cpu": "cuda:0"}, lambda t, at: t.cuda()):
        file.seek(0)
        w = torch.load(file, map_location=where)["w"]
        assert w.is_cuda is (where not in (None, "cpu")) and w.tolist() == [0, 1, 2]


def test_copies_stay_there():
    x = torch.ones(2, device="cuda", requires_grad=True)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.is_cuda and y.requires_grad and y.data_ptr() != x.data_ptr()


def test_dlpack_shares_memory():
    x = torch.arange(4.0, device="cuda")
    seen = np.from_dlpack(x)  # the simulated device is host memory
    x += 1
    assert seen.tolist() == [1, 2, 3, 4]
    again = torch.from_dlpack(x)
    again.zero_()
    assert x.tolist() == [0, 0, 0, 0]
    with pytest.raises(BufferError, match="detach"):
        x.requires_grad_().__dlpack__()


def test_cuda_array_interface():
    x = torch.arange(6.0, device="cuda").reshape(2, 3).t()
    told = x.__cuda_array_interface__
    assert told["shape"] == (3, 2) and told["strides"] == (4, 12)
    assert told["data"] == (x.data_ptr(), False) and told["typestr"] == "<f4"
    assert not hasattr(torch.ones(2), "__cuda_array_interface__")

    class Other:
        __cuda_array_interface__ = told

    y = torch.as_tensor(Other(), device="cuda")
    y[0, 0] = 9
    assert x[0, 0].item() == 9


# Streams, memory


def test_streams_and_events(gpu):  # noqa: F811
    side = torch.cuda.Stream()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        assert torch.cuda.current_stream() == side
        begin.record()
        x = torch.ones(4, device="cuda") * 2
        end.record()
    launch = next(c for c in reversed(gpu.calls) if c[0] == "launch")
    assert launch[3] == side.cuda_stream
    torch.cuda.current_stream().wait_event(end)
    x.record_stream(torch.cuda.current_stream())
    side.synchronize()
    torch.cuda.synchronize()
    assert begin.query() and begin.elapsed_time(end) > 0
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    with pytest.raises(RuntimeError, match="enable_timing"):
        torch.cuda.Event().elapsed_time(end)


def test_memory_is_counted():
    cuda = torch.cuda
    before = cuda.memory_allocated()
    x = torch.zeros(1 << 20, device="cuda")
    assert cuda.memory_allocated() - before == 4 << 20
    assert cuda.memory_reserved() >= cuda.max_memory_allocated() >= 4 << 20
    assert "float32" in cuda.memory_summary()
    del x
    assert cuda.memory_allocated() == before
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    cuda.empty_cache()
    assert cuda.memory_reserved() <= 2 << 20
    assert cuda.memory_stats()["allocated_bytes.all.current"] == before


def test_what_gpus_there_are(gpus):  # noqa: F811
    cuda = torch.cuda
    assert cuda.is_available() and cuda.device_count() == 2
    assert cuda.get_device_name() == "simulated device"
    assert cuda.get_device_capability(1) == (9, 0)
    assert cuda.get_device_properties(0).total_memory == 4 << 30
    with cuda.device(1):
        assert torch.ones(1, device="cuda").get_device() == cuda.current_device() == 1
        assert torch.ones(1, device="cuda:0").get_device() == 0
    cuda.set_device(1)
    assert cuda.current_device() == 1
    cuda.set_device(0)
    x = torch.ones(2, device="cuda:1")
    assert x.to("cuda:0").tolist() == [1, 1] and x.to("cuda:0").get_device() == 0
    with cuda.device_of(x):
        assert cuda.current_device() == 1


def test_pinned_memory():
    x = torch.arange(4.0)
    y = x.pin_memory()
    assert y.is_pinned() and not x.is_pinned() and torch.equal(x, y)
    assert y.pin_memory() is y and y.cuda(non_blocking=True).tolist() == x.tolist()
    assert torch.zeros(2, pin_memory=True).is_pinned()
    assert y.cuda().type() == "tracefuse.cuda.FloatTensor"
    data = torch.utils.data.TensorDataset(x)
    for (batch,) in torch.utils.data.DataLoader(data, 2, pin_memory=True):
        assert batch.is_pinned()
