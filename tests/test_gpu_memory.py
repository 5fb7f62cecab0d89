"""The pool: what is given again, to whom, and what happens when there is no more."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from tracefuse.kernels.gpu.memory import Pool
from tracefuse.kernels.gpu.pinned import slab_of
from tracefuse.kernels.gpu.simulated import SimulatedDevice
from tracefuse.tracer.errors import DeviceError, OutOfMemoryError

MIB = 1 << 20


class Bytes:
    """Addresses out of nothing, up to a limit."""

    def __init__(self, limit):
        self.limit, self.next, self.sizes = limit, 1 << 20, {}

    def raw_allocate(self, size):
        if size > self.limit - sum(self.sizes.values()):
            return None
        self.next += 1 << 32
        self.sizes[self.next] = size
        return self.next

    def raw_free(self, ptr):
        del self.sizes[ptr]

    def free_memory(self):
        return self.limit - sum(self.sizes.values()), self.limit


@pytest.fixture
def source():
    return Bytes(256 * MIB)


@pytest.fixture
def pool(source):
    return Pool(source, "test device")


def test_figures_follow_what_is_held(pool):
    a = pool.allocate(1000)
    b = pool.allocate(3 * MIB)
    now = pool.statistics()
    assert now.allocated == 1024 + 3 * MIB
    assert now.reserved == 22 * MIB
    del b
    now = pool.statistics()
    assert (now.allocated, now.max_allocated) == (1024, 1024 + 3 * MIB)
    pool.reset_peak()
    assert pool.statistics().max_allocated == 1024
    assert pool.empty_cache() == 20 * MIB
    assert pool.statistics().reserved == 2 * MIB
    assert a.size == 1024


def test_memory_comes_again_on_its_own_lane_only(pool):
    a = pool.allocate(1000, lane=1)
    ptr = a.ptr
    del a
    assert pool.allocate(1000, lane=2).ptr != ptr
    assert pool.allocate(1000, lane=1).ptr == ptr
    assert pool.allocate(900, lane=1).ptr == ptr


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_neighbours_merge_again(pool, source, order):
    parts = {n: pool.allocate(6 * MIB) for n in range(3)}
    assert len(source.sizes) == 1
    for n in order:
        del parts[n]
    assert pool.allocate(9 * MIB).ptr == min(source.sizes)
    assert len(source.sizes) == 1


def test_blocks_never_overlap(pool):
    random = np.random.default_rng(0)
    held = []
    for _ in range(600):
        if held and random.random() < 0.45:
            held.pop(random.integers(len(held)))
        else:
            held.append(pool.allocate(int(random.choice([10, 5000, MIB, 3 * MIB]))))
        spans = sorted((m.ptr, m.ptr + m.size) for m in held)
        assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:]))
        held = held[-30:]
    assert pool.statistics().allocated == sum(m.size for m in held)


def test_the_cache_is_emptied_before_memory_runs_out(pool, source):
    a = pool.allocate(150 * MIB, lane=1)
    del a
    b = pool.allocate(200 * MIB, lane=2)
    assert list(source.sizes.values()) == [200 * MIB]
    assert b.size == 200 * MIB


def test_out_of_memory_says_who_holds_what(pool):
    kept = pool.allocate(200 * MIB, label="weights")
    other = pool.allocate(12 * MIB, label=((3, MIB), np.dtype("f4")))
    with pytest.raises(OutOfMemoryError) as failed:
        pool.allocate(100 * MIB)
    said = str(failed.value)
    for part in ("100.00 MiB", "44.00 MiB of 256.00 MiB", "200.00 MiB: weights"):
        assert part in said
    assert "12.00 MiB: float32[3, 1048576]" in said
    for kind in (MemoryError, RuntimeError, DeviceError):
        assert isinstance(failed.value, kind)
    assert kept.size + other.size == pool.statistics().allocated


def test_after_running_out_it_goes_on(pool):
    kept = pool.allocate(200 * MIB)
    with pytest.raises(OutOfMemoryError):
        pool.allocate(100 * MIB)
    del kept
    assert pool.allocate(100 * MIB).size == 100 * MIB


def test_a_tight_device_gives_less_than_a_whole_segment():
    pool = Pool(Bytes(5 * MIB), "small device")
    assert pool.allocate(3 * MIB).size == 3 * MIB


class SlowEvent:
    def __init__(self):
        self.done = False

    def query(self):
        return self.done

    def synchronize(self):
        self.done = True


class SlowStream:
    handle = 7

    def __init__(self):
        self.events = []

    def record(self):
        self.events.append(SlowEvent())
        return self.events[-1]


def test_what_another_stream_uses_waits_for_it(pool):
    stream = SlowStream()
    a = pool.allocate(1000)
    ptr = a.ptr
    a.used_on(stream)
    del a
    b = pool.allocate(1000)
    assert b.ptr != ptr and pool.statistics().allocated == 1024
    stream.events[0].done = True
    assert pool.allocate(1000).ptr == ptr


def test_emptying_waits_for_other_streams(pool, source):
    a = pool.allocate(1000)
    a.used_on(SlowStream())
    del a
    assert pool.empty_cache() == 2 * MIB and not source.sizes


def test_a_lane_that_is_over_leaves_its_memory(pool):
    a, b = pool.allocate(1000, lane="graph"), pool.allocate(2000, lane="graph")
    ptr = a.ptr
    del a
    pool.dissolve("graph", into=1)
    assert pool.allocate(1000, lane=1).ptr == ptr
    del b
    assert pool.statistics().segments == 1


def test_threads_share_a_pool(pool):
    def work():
        for n in range(300):
            pool.allocate(n * 100, lane=threading.get_ident())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    now = pool.statistics()
    assert now.allocated == 0 and now.allocations == 1200


def test_arrays_return_their_memory():
    device = SimulatedDevice()
    a = device.upload(np.ones((64, 64), np.float32))
    view = a.T[3:]
    del a
    assert device.pool.statistics().allocated == 64 * 64 * 4
    assert np.array_equal(view.numpy(), np.ones((61, 64)))
    del view
    gc.collect()
    assert device.pool.statistics().allocated == 0


def test_a_device_runs_out_and_recovers():
    device = SimulatedDevice(memory=4 * MIB)
    a = device.empty((3 * MIB,), np.uint8)
    with pytest.raises(OutOfMemoryError, match="uint8"):
        device.empty((2 * MIB,), np.uint8)
    assert a.nbytes == 3 * MIB
    del a
    assert device.upload(np.arange(MIB)[:1000]).numpy()[-1] == 999


def test_pinned_memory_is_not_given_again_while_it_is_copied():
    device, stream = SimulatedDevice(), SlowStream()
    host = device.pinned((100,), np.float32)
    host[:] = 5
    assert device.is_pinned(host[3:].reshape(97, 1))
    assert not device.is_pinned(np.ones(3))
    slab = slab_of(host)
    slab.memory.used_on(stream)
    where = host.ctypes.data
    del host, slab
    again = device.pinned((100,), np.float32)
    assert again.ctypes.data != where
    stream.events[0].done = True
    assert device.pinned((100,), np.float32).ctypes.data == where


def test_uploading_pinned_memory_marks_the_stream():
    device = SimulatedDevice()
    host = device.pinned((8,), np.int64)
    host[:] = range(8)
    assert device.upload(host).numpy().tolist() == list(range(8))
    assert slab_of(host).memory.streams == (device.stream,)
