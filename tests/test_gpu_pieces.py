"""Eager pointwise operations on a GPU: they wait, and run as one kernel in order."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import tracefuse as torch
from gpu_tools import gpu, gpus  # noqa: F401
from tracefuse.kernels.gpu.array import DeviceArray
from tracefuse.kernels.gpu.discover import pretend
from tracefuse.kernels.gpu.pending import MOST, Pending, Piece
from tracefuse.kernels.gpu.simulated import SimulatedDevice

pytest.importorskip("triton")
MIB = 1 << 20


@pytest.fixture
def launches(gpu):  # noqa: F811
    """How many launches a function makes, until it has returned."""

    def count(function):
        torch.cuda.synchronize()
        before = gpu.count("launch")
        function()
        return gpu.count("launch") - before

    return count


def pair(n=6):
    torch.manual_seed(0)
    a, b = torch.randn(n), torch.randn(n)
    return a, b, a.cuda(), b.cuda()


def chain(a, b):
    return torch.tanh(a * b + 2.5) - a / 3


def test_a_chain_is_one_kernel_with_the_same_bits(gpu, launches):  # noqa: F811
    a, b, x, y = pair()
    found = []
    assert launches(lambda: found.append(chain(x, y))) == 0
    (z,) = found
    assert type(z._array) is Pending and z.shape == (6,) and z.is_cuda
    before = gpu.count("launch")
    found.append(z.tolist())
    assert gpu.count("launch") == before + 1
    assert type(z._array) is DeviceArray
    torch.config.fuse_eager = False
    try:
        assert launches(lambda: found.append(chain(x, y).tolist())) == 5
    finally:
        torch.config.fuse_eager = True
    assert found[1] == found[2]
    np.testing.assert_allclose(found[1], chain(a, b).tolist(), rtol=1e-5)


def test_the_second_time_nothing_is_built(gpu):  # noqa: F811
    _, _, x, y = pair()
    chain(x, y).tolist()
    known, programs = len(gpu._launchers), len(gpu.pieces)
    chain(y, x).tolist()
    (torch.tanh(x * y + 7.0) - x / 9).tolist()  # other numbers
    assert (len(gpu._launchers), len(gpu.pieces)) == (known, programs)


def test_what_nobody_holds_is_not_stored(gpu):  # noqa: F811
    _, _, x, _ = pair()
    torch.cuda.synchronize()
    before = torch.cuda.memory_stats()["allocation.all.allocated"]
    y = x * 2
    z = (y + 1).sin().cos()
    del y
    torch.cuda.synchronize()
    assert torch.cuda.memory_stats()["allocation.all.allocated"] == before + 1
    assert z.shape == (6,)


ASKED = {
    "item": lambda t: t[:1].item(),
    "numpy": lambda t: t.cpu().numpy(),
    "print": repr,
    "bool": lambda t: bool(t[0] > 0),
    "interface": lambda t: t.__cuda_array_interface__["data"],
    "dlpack": lambda t: t.__dlpack__(),
    "pointer": lambda t: t.data_ptr(),
    "synchronize": lambda t: torch.cuda.synchronize(),
    "stream": lambda t: torch.cuda.Stream().__enter__().__exit__(None, None, None),
    "event": lambda t: torch.cuda.Event().record(),
    "memory": lambda t: torch.cuda.memory_allocated(),
    "sum": lambda t: t.sum(),
    "product": lambda t: t @ t,
    "view": lambda t: t[1:],
    "jit": torch.jit(lambda t: t + 1),
    "write": lambda t: t.zero_(),
}


@pytest.mark.parametrize("how", ASKED)
def test_who_asks_gets_it_computed(gpu, how):  # noqa: F811
    a, b, x, y = pair()
    z = chain(x, y)
    assert gpu.waiting
    ASKED[how](z)
    assert not gpu.waiting and type(z._array) is DeviceArray
    want = chain(a, b) if how != "write" else torch.zeros(6)
    np.testing.assert_allclose(z.tolist(), want.tolist(), rtol=1e-5)


def test_reads_come_before_writes():
    with pretend(SimulatedDevice()):
        x, s = torch.ones(3, device="cuda"), torch.tensor(2.0)
        y = x * s
        s.fill_(9.0)
        z = x[:2] + 1
        x.add_(5)
        w = x * 10
        u = x * 100
        x[::2] = 0  # from memory with gaps
        assert u.tolist() == [600.0] * 3
        x.fill_(6.0)
        x[1] = 0
        x.copy_(x + w)
        assert y.tolist() == [2.0] * 3 and z.tolist() == [2.0] * 2
        assert w.tolist() == [60.0] * 3 and x.tolist() == [66.0, 60.0, 66.0]


def test_a_jitted_program_that_writes_comes_after():
    with pretend(SimulatedDevice()):
        x = torch.ones(3, device="cuda")

        @torch.jit
        def advance():
            x.mul_(2)

        for n in range(5):
            y = x + 1
            advance()
            assert y.tolist() == [2.0**n + 1] * 3


def test_gradients():
    found = []
    for place in ("cpu", "cuda"):
        with pretend(SimulatedDevice()):
            torch.manual_seed(0)
            w = torch.randn(5).to(place).requires_grad_()
            y = torch.exp(torch.sin(w * 2) * w)
            y.sum().backward(retain_graph=True)
            (g,) = torch.autograd.grad((y * y).sum(), w, create_graph=True)
            (g * w).sum().backward()
            found.append((y.tolist(), w.grad.tolist()))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_broadcasts_types_and_choices():
    with pretend(SimulatedDevice()):
        a, b = torch.arange(6.0).reshape(2, 3), torch.arange(3)
        flag = torch.tensor([True, False, True])

        def f(a, b, flag):
            y = torch.where(flag, a + b, a.double() / 2)
            return y, (a > b) & flag, (b // 2) ** 2, a.bfloat16() * 3 + 1

        for x, y in zip(f(a, b, flag), f(a.cuda(), b.cuda(), flag.cuda())):
            assert x.dtype is y.dtype and x.tolist() == y.tolist()
        with pytest.raises(RuntimeError, match="shape|size"):
            a.cuda() + torch.ones(4, device="cuda")


def test_a_long_chain_is_cut(launches):
    x = torch.zeros(3, device="cuda")
    found = [x]

    def add():
        for _ in range(2 * MOST + 5):
            found[0] = found[0] + 1

    assert launches(add) == 2
    assert found[0].tolist() == [2.0 * MOST + 5] * 3


def test_no_memory_is_told_with_the_line_and_nothing_else_is_lost():
    with pretend(SimulatedDevice(memory=48 * MIB)):
        held = torch.zeros(8 * MIB, device="cuda")
        small = torch.ones(3, device="cuda")
        line = test_no_memory_is_told_with_the_line_and_nothing_else_is_lost
        at = line.__code__.co_firstlineno + 6
        y = held * 2 + 1  # this line
        with pytest.raises(torch.cuda.OutOfMemoryError, match=f"operations at .*{at}"):
            y[:1].item()
        with pytest.raises(torch.cuda.OutOfMemoryError):
            y.sum()
        assert (small + 1).tolist() == [2.0] * 3
        del held, y
        gc.collect()
        assert (torch.zeros(4 * MIB, device="cuda") + 1)[0].item() == 1


def test_threads_have_pieces_of_their_own(gpu):  # noqa: F811
    x, found = torch.ones(3, device="cuda"), {}

    def work(n):
        y = x
        for _ in range(50):
            y = y * 1.0 + n
            if n % 2:
                y[0].item()
        found[n] = y

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for n, y in found.items():
        assert (y + x).tolist() == [2.0 + 50 * n] * 3
    assert not gpu.waiting


def test_a_piece_of_another_thread_comes_before_our_write():
    with pretend(SimulatedDevice()):
        x, found = torch.ones(3, device="cuda"), []
        thread = threading.Thread(target=lambda: found.append(x * 2))
        thread.start(), thread.join()
        x.zero_()
        assert found[0].tolist() == [2.0] * 3


def test_each_device_and_stream_has_its_own(gpus):  # noqa: F811
    a, b = torch.ones(2, device="cuda:0"), torch.ones(2, device="cuda:1")
    x, y = a + 1, b + 2
    assert gpus[0].waiting and gpus[1].waiting
    assert x.tolist() == [2.0] * 2 and gpus[1].waiting
    assert y.tolist() == [3.0] * 2
    other = torch.cuda.Stream()
    main = gpus[0].stream.handle
    u = a * 3
    with torch.cuda.stream(other):
        v = a * 4
    done = [c for c in gpus[0].calls if c[0] == "launch"][-2:]
    assert [c[3] for c in done] == [main, other._queue.handle]
    assert u.tolist() == [3.0] * 2 and v.tolist() == [4.0] * 2


def test_what_others_see_is_computed_at_once(gpu):  # noqa: F811
    x = torch.ones(3, device="cuda")
    seen = np.from_dlpack(x._array)  # a CPU to DLPack, here
    y = x + 1
    assert not gpu.waiting
    assert seen.tolist() == [1.0] * 3 and y.tolist() == [2.0] * 3


def test_an_interrupt_loses_nothing(gpu, monkeypatch):  # noqa: F811
    y = torch.ones(3, device="cuda") + 1
    torch.cuda.synchronize()
    z = y * 3
    with monkeypatch.context() as patch:

        def interrupt(self, places):
            raise KeyboardInterrupt

        patch.setattr(Piece, "made", interrupt)
        with pytest.raises(KeyboardInterrupt):
            z.tolist()
    assert z.tolist() == [6.0] * 3
