"""Kernels compiled without a GPU: the cache on disk, and what the code looks like."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from gpu_kernels import BLOCKS, axpy, broken, dot
from tracefuse.kernels.triton.native import ahead
from tracefuse.kernels.triton.native.binary import Binary, pack, unpack
from tracefuse.kernels.triton.native.figures import inspect_binary
from tracefuse.tracer.errors import CompileError, FormatError

needs_triton = pytest.mark.skipif(
    ahead.triton_version() is None, reason="triton is not installed"
)
TARGETS = ("sm_80", "sm_90", "sm_100")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(tmp_path))
    return tmp_path / "triton"


@needs_triton
@pytest.mark.parametrize("target", TARGETS)
def test_a_pointwise_kernel_reads_and_writes_16_bytes(target):
    binary = ahead.compile_kernel(axpy(), target=target)
    figures = inspect_binary(binary)
    assert binary.code[1:4] == b"ELF" and (binary.hidden, binary.threads) == (2, 128)
    assert binary.types == ("*fp32", "*fp32", "*fp32", "i32")
    assert figures.loads == {128: 4} and figures.stores == {128: 2}
    assert not figures.spills and 8 < figures.registers < 64
    assert figures.instructions > 20 and not figures.tensor


@needs_triton
@pytest.mark.parametrize(
    "target, name", [("sm_80", "HMMA"), ("sm_90", "HGMMA"), ("sm_100", "UTCHMMA")]
)
def test_a_product_uses_tensor_cores(target, name):
    binary = ahead.compile_kernel(dot(), target=target)
    assert inspect_binary(binary).tensor[name] > 0
    assert binary.shared > 0


@needs_triton
def test_amd_compiles_too():
    binary = ahead.compile_kernel(axpy(), target="gfx942")
    figures = inspect_binary(binary)
    assert binary.threads == 256 and figures.registers and figures.widest_load == 128


@needs_triton
def test_products_and_sums_are_not_contracted_unless_asked_for(folder):
    strict = ahead.compile_kernel(axpy())
    loose = ahead.compile_kernel(axpy(tags=frozenset(["fp_fusion"])))
    assert strict.code != loose.code
    assert len(list(folder.glob("*.sm_90"))) == 2


@needs_triton
def test_a_second_process_neither_compiles_nor_imports_triton(folder):
    ahead.compile_kernel(axpy())
    text = (
        "import sys; from gpu_kernels import axpy\n"
        "from tracefuse.kernels.triton.native.ahead import compile_kernel\n"
        "assert compile_kernel(axpy()).name == 'axpy'\n"
        "assert not {'triton', 'cuda'} & set(sys.modules)\n"
    )
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    home = {"TRACEFUSE_CACHE_DIR": str(folder.parent)}
    subprocess.run([sys.executable, "-c", text], check=True, env={**path, **home})


def known(monkeypatch, made):
    """Stands in for the compiler: counts what it is asked for."""

    def build(kernel, config, target):
        made.append((kernel.name, config, target))
        return Binary(kernel.name, target, bytes(100))

    monkeypatch.setattr(ahead, "build", build)


def test_each_is_compiled_once(monkeypatch):
    made = []
    known(monkeypatch, made)
    for _ in range(2):
        for config in BLOCKS:
            ahead.compile_kernel(axpy(), config, "sm_90")
            ahead.compile_kernel(axpy(), config, "sm_80")
    assert len(made) == 6


def test_what_changes_the_code_changes_the_key():
    one = axpy()
    first = one.params[0]
    others = [
        replace(one, source=one.source.replace("2.0", "3.0")),
        replace(one, params=(replace(first, aligned=False), *one.params[1:])),
        replace(one, tags=frozenset(["fp_fusion"])),
    ]
    paths = {ahead.path_of(k, BLOCKS[0], "sm_90") for k in [one, *others]}
    paths.add(ahead.path_of(one, BLOCKS[1], "sm_90"))
    paths.add(ahead.path_of(one, BLOCKS[0], "sm_100"))
    assert len(paths) == 6
    told = replace(one, line="elsewhere.py:1", ops=("mul",), bytes=5)
    assert ahead.path_of(told, BLOCKS[0], "sm_90") in paths


@pytest.mark.parametrize("damage", [b"", b"garbage", None, "cut"])
def test_a_broken_file_is_replaced(monkeypatch, damage):
    made = []
    known(monkeypatch, made)
    good = ahead.compile_kernel(axpy())
    path = ahead.path_of(axpy(), BLOCKS[0], "sm_90")
    data = path.read_bytes()
    changed = data[:-1] + b"!" if damage is None else damage
    path.write_bytes(data[:-9] if damage == "cut" else changed)
    assert ahead.compile_kernel(axpy()) == good and len(made) == 2
    assert path.read_bytes() == data
    assert ahead.compile_kernel(axpy()) == good and len(made) == 2


def test_carried_code_needs_neither_cache_nor_triton(monkeypatch):
    def build(*_):
        raise ImportError("No module named 'triton'")

    monkeypatch.setattr(ahead, "build", build)
    monkeypatch.setattr(ahead, "_carried", {})
    binary = Binary("axpy", "sm_90", b"carried")
    ahead.carry({ahead.mark_of(axpy(), BLOCKS[0], "sm_90"): binary})
    assert ahead.compile_kernel(axpy()) is binary
    with pytest.raises(CompileError):
        ahead.compile_kernel(axpy(), BLOCKS[1])
    with pytest.raises(CompileError):
        ahead.compile_kernel(axpy(), target="sm_80")


def test_a_folder_that_is_a_file_costs_only_time(monkeypatch, tmp_path):
    made = []
    known(monkeypatch, made)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(blocked))
    for _ in range(2):
        assert ahead.compile_kernel(axpy()).name == "axpy"
    assert len(made) == 2 and blocked.read_text() == "in the way"


def test_a_folder_that_cannot_be_written_costs_only_time(monkeypatch):
    made = []
    known(monkeypatch, made)

    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr("tracefuse.kernels.folder.os.replace", refuse)
    assert ahead.compile_kernel(axpy()).name == "axpy" and len(made) == 1


@needs_triton
def test_compiling_works_where_nothing_can_be_written(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("TRACEFUSE_CACHE_DIR", str(blocked))
    assert ahead.compile_kernel(axpy()).code


@needs_triton
def test_an_error_names_kernel_line_and_cause():
    with pytest.raises(CompileError, match=r"broken \(model.py:7\).*sm_90") as failed:
        ahead.compile_kernel(broken())
    assert "nothing" in str(failed.value)


def test_without_triton_the_error_says_what_to_install(monkeypatch):
    def build(*_):
        raise ImportError("No module named 'triton'")

    monkeypatch.setattr(ahead, "build", build)
    with pytest.raises(CompileError, match=r"tracefuse\[gpu\]"):
        ahead.compile_kernel(axpy())


def test_many_are_compiled_in_order_and_errors_stand_in_their_place(monkeypatch):
    def build(kernel, config, target):
        if kernel.name == "broken":
            raise ValueError("no such thing")
        return Binary(kernel.name, target, str(config).encode())

    monkeypatch.setattr(ahead, "build", build)
    jobs = [(axpy(), c) for c in BLOCKS] + [(broken(), broken().configs[0])]
    ahead.compile_kernel(axpy(), BLOCKS[1])
    *good, bad = ahead.compile_all(jobs, "sm_90", threads=2)
    assert [b.code for b in good] == [str(c).encode() for c in BLOCKS]
    assert isinstance(bad, CompileError) and "no such thing" in str(bad)


def test_a_progress_line_appears_when_it_takes_long(monkeypatch, capsys):
    known(monkeypatch, [])
    jobs = [(axpy(), c) for c in BLOCKS]
    ahead.compile_all(jobs, "sm_80", progress=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(ahead, "PATIENCE", -1.0)
    ahead.compile_all(jobs, "sm_90", progress=True)
    assert "3/3" in capsys.readouterr().err


def test_binaries_survive_being_written():
    binary = Binary("f", "sm_90", b"\x00\n\xff", ("*fp32", "i32"), 8, 65536, 128)
    assert unpack(pack(binary)) == binary
    with pytest.raises(FormatError):
        unpack(pack(binary)[:-1])
    with pytest.raises(FormatError):
        unpack(b"tracefuse binary 2\n" + pack(binary).split(b"\n", 1)[1])
