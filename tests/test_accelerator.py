"""`tracefuse.accelerator`; seeds, ranges and GPUs that are not there."""

from __future__ import annotations

import pytest
import tracefuse as torch
from gpu_tools import gpu, gpus  # noqa: F401
from tracefuse.api.cli.main import main
from tracefuse.kernels.gpu import discover
from tracefuse.kernels.gpu.discover import pretend

pytest.importorskip("triton")


def test_a_program_that_does_not_say_which_kind(gpus):  # noqa: F811
    assert torch.accelerator.is_available() and torch.accelerator.device_count() == 2
    device = torch.accelerator.current_accelerator()
    assert device == torch.device("cuda") and device.index is None
    assert torch.accelerator.current_accelerator(True).type == "cuda"
    assert torch.ones(2, device=device).is_cuda
    torch.accelerator.set_device_index(1)
    assert torch.accelerator.current_device_index() == 1
    assert torch.ones(2, device=device).device.index == 1
    with torch.accelerator.device_index(0):
        assert torch.cuda.current_device() == 0
    torch.accelerator.set_device_index(0)
    torch.accelerator.synchronize()
    stream = torch.accelerator.current_stream()
    assert stream == torch.cuda.current_stream()
    free, total = torch.accelerator.get_memory_info()
    assert 0 < free <= total
    assert torch.accelerator.memory_allocated() == torch.cuda.memory_allocated()
    types = torch.accelerator.get_device_capability()["supported_dtypes"]
    assert torch.bfloat16 in types


def test_without_a_gpu():
    with pretend():
        assert torch.accelerator.current_accelerator() is None
        assert not torch.accelerator.is_available()
        assert torch.accelerator.device_count() == 0
        for wrong in (
            torch.accelerator.current_device_index,
            torch.accelerator.synchronize,
            torch.accelerator.current_stream,
            torch.cuda.get_rng_state,
            lambda: torch.accelerator.set_device_index(0),
        ):
            with pytest.raises(RuntimeError, match="there is no GPU"):
                wrong()
        torch.cuda.seed_all()
        torch.cuda.ipc_collect()
        assert torch.cuda.get_rng_state_all() == []
        assert not torch.cuda.is_current_stream_capturing()


def test_as_in_pytorch():
    theirs = pytest.importorskip("torch")
    missing = {"Graph", "empty_host_cache", "reset_accumulated_memory_stats"}
    ours = set(dir(torch.accelerator))
    assert set(theirs.accelerator.__all__) - ours == missing & set(
        theirs.accelerator.__all__
    )


def test_random_states(gpu):  # noqa: F811
    torch.cuda.manual_seed_all(3)
    assert torch.cuda.initial_seed() == 3
    one, every = torch.cuda.get_rng_state(), torch.cuda.get_rng_state_all()
    assert one.device.type == "cpu" and len(every) == 1
    draws = []
    for put_back in (
        lambda: torch.cuda.set_rng_state(one),
        lambda: torch.cuda.set_rng_state_all(every),
    ):
        put_back()
        draws.append(torch.rand(3, device="cuda").tolist())
    assert draws[0] == draws[1]
    torch.cuda.seed()
    assert torch.rand(3, device="cuda").tolist() != draws[0]


def test_ranges_of_nvtx():
    nvtx = torch.cuda.nvtx
    with torch.profile(quiet=True) as prof:
        assert [nvtx.range_push("a"), nvtx.range_push("b")] == [0, 1]
        with nvtx.range("c {}", 1):
            nvtx.mark("d")
        assert [nvtx.range_pop(), nvtx.range_pop(), nvtx.range_pop()] == [1, 0, -1]
        nvtx.range("e")(lambda: None)()
    names = [e.name for e in prof.events() if e.kind == "range"]
    assert names == ["d", "c 1", "b", "a", "e"]


def test_the_doctor_shows_simulated_gpus(monkeypatch, capsys):
    monkeypatch.setattr(discover, "_found", None)
    monkeypatch.setenv("TRACEFUSE_SIMULATE_GPU", "2")
    main(["doctor"])
    said = capsys.readouterr().out
    assert "cuda:1         simulated device, 4 GiB of host memory, sm_90" in said
    monkeypatch.setattr(discover, "_found", None)
    monkeypatch.setenv("TRACEFUSE_SIMULATE_GPU", "yes")
    main(["doctor"])
    assert "is how many GPUs to simulate, not 'yes'" in capsys.readouterr().out
    with pytest.raises(ValueError, match="how many GPUs to simulate"):
        torch.cuda.is_available()
