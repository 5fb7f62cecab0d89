"""The file container: what goes in comes out, and a failure leaves the old file."""

from __future__ import annotations

import hashlib
import io
import os
import stat

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tracefuse.api.files import container
from tracefuse.api.files.container_check import KNOWN
from tracefuse.tracer.errors import DTypeError, FormatError

PLAIN = [d for d in KNOWN.values() if d != ml_dtypes.bfloat16]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
TEXT = st.text(max_size=12)
NAMES = TEXT.filter(lambda name: name != "__metadata__")
METADATA = st.dictionaries(TEXT.filter(lambda k: k not in container.OWN), TEXT)
ARRAYS = st.dictionaries(NAMES, hnp.arrays(st.sampled_from(PLAIN), SHAPES), max_size=5)


def sample() -> dict[str, np.ndarray]:
    """An array of each dtype, one without elements and one without axes."""
    arrays = {name: np.arange(6).reshape(2, 3).astype(d) for name, d in KNOWN.items()}
    return {**arrays, "empty": np.zeros((3, 0), np.float32), "scalar": np.array(7.5)}


def same(a: dict, b: dict) -> bool:
    """Equal names, dtypes, shapes and bytes; bytes, so that NaN equals NaN."""
    described = [
        {k: (v.dtype, v.shape, v.tobytes()) for k, v in arrays.items()}
        for arrays in (a, b)
    ]
    return described[0] == described[1]


def packed(arrays, metadata=None) -> bytes:
    file = io.BytesIO()
    container.pack(file, arrays, metadata)
    return file.getvalue()


@given(ARRAYS, METADATA)
@settings(max_examples=60, deadline=None)
def test_round_trip(arrays, metadata):
    found, text = container.unpack(packed(arrays, metadata))
    assert same(found, arrays) and text == metadata


def test_every_dtype_through_a_file(tmp_path):
    path = tmp_path / "all.safetensors"
    container.write(path, sample(), {"kind": "state", "graph": 'é\n"{[\\'})
    found, text = container.read(path)
    assert same(found, sample())
    assert text == {"kind": "state", "graph": 'é\n"{[\\'}
    assert all(array.flags.aligned for array in found.values())


def test_nothing_at_all(tmp_path):
    container.write(tmp_path / "none", {})
    assert container.read(str(tmp_path / "none")) == ({}, {})


def test_layouts_and_byte_orders_are_made_plain():
    big = np.arange(6, dtype=">i4").reshape(2, 3)
    wide = np.broadcast_to(big, (2, 2, 3))
    arrays = {"t": big.T, "step": np.arange(9.0)[::-2], "wide": wide}
    found, _ = container.unpack(packed(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype.isnative


def test_bool_of_other_bytes_is_made_0_and_1():
    odd = np.array([0, 2, 255], np.uint8).view(np.bool_)
    found, _ = container.unpack(packed({"odd": odd}))
    assert found["odd"].view(np.uint8).tolist() == [0, 1, 1]


def test_nan_payloads_stay():
    bits = np.array([0x7FC00001, 0xFF800000, 0x80000000], np.uint32)
    found, _ = container.unpack(packed({"x": bits.view(np.float32)}))
    assert found["x"].view(np.uint32).tolist() == bits.tolist()


def test_same_contents_same_bytes():
    forward, text = sample(), {"b": "1", "a": "2"}
    backward = dict(reversed(forward.items()))
    assert packed(forward, text) == packed(backward, dict(reversed(text.items())))


def test_the_header_is_padded_to_64_bytes():
    content = packed(sample())
    assert (8 + int.from_bytes(content[:8], "little")) % 64 == 0


def test_pack_begins_where_the_file_stands():
    file = io.BytesIO(b"before")
    file.seek(6)
    container.pack(file, sample())
    assert file.tell() == len(file.getvalue())
    assert same(container.unpack(file.getvalue()[6:])[0], sample())


def test_golden_bytes():
    """The bytes of version 1 do not change: every later version must read them."""
    w = np.arange(4, dtype=np.float32).reshape(2, 2)
    content = packed({"w": w, "n": np.array(3, np.int64)}, {"kind": "state"})
    digest = "b02bcf5d8f6193c8bc7883c3e44459d59a85184c26aaa79bc954f3f8bf54f544"
    assert hashlib.sha256(content).hexdigest() == digest


# --- the safetensors library as the oracle, both ways


def test_safetensors_reads_ours(tmp_path):
    path = tmp_path / "ours.safetensors"
    container.write(path, sample(), {"kind": "state"})
    assert same(safetensors.numpy.load_file(path), sample())
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["format"] == "tracefuse"


def test_we_read_safetensors(tmp_path):
    path = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file(sample(), path, metadata={"format": "np"})
    found, text = container.read_safetensors(path)
    assert same(found, sample()) and text == {"format": "np"}
    with pytest.raises(FormatError, match="format 'np', expected 'tracefuse'"):
        container.read(path)


@given(ARRAYS)
@settings(max_examples=30, deadline=None)
def test_safetensors_agrees(arrays):
    assert same(safetensors.numpy.load(packed(arrays)), arrays)


# --- mapping


def test_mapping_does_not_copy_and_keeps_the_file(tmp_path):
    path = tmp_path / "w.safetensors"
    container.write(path, {"w": np.zeros(5000)})
    before = path.read_bytes()
    first, second = container.read(path)[0]["w"], container.read(path)[0]["w"]
    assert not first.flags.owndata and type(first) is np.ndarray
    first[:] = 1.0
    assert second.sum() == 0.0 and path.read_bytes() == before


def test_saving_over_a_mapped_file_keeps_the_mapping(tmp_path):
    path = tmp_path / "w.safetensors"
    container.write(path, {"w": np.arange(5000.0)})
    old = container.read(path)[0]
    container.write(path, {"w": old["w"] + 1})
    assert old["w"][-1] == 4999.0 and container.read(path)[0]["w"][-1] == 5000.0


def test_unaligned_foreign_data_are_copied(tmp_path):
    path = tmp_path / "odd.safetensors"
    raw = b'{"x":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}'
    data = np.array([1.5, -2.0]).tobytes()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    array = container.read_safetensors(path)[0]["x"]
    assert array.flags.aligned and array.tolist() == [1.5, -2.0]


# --- what cannot be written


def listing(folder) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def old(tmp_path):
    """A path with a file at it, and a check that it stands there untouched."""
    path = tmp_path / "old.safetensors"
    container.write(path, {"w": np.ones(3)})
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before and listing(tmp_path) == ["old.safetensors"]


@pytest.mark.parametrize("name", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_failing_system_leaves_the_old_file(old, monkeypatch, name, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(type(error)) as caught:
        container.write(old, {"w": np.zeros(3)})
    if isinstance(error, OSError):
        assert caught.value.errno == 28 and str(old) in str(caught.value)


def test_a_failing_write_leaves_the_old_file(old, monkeypatch):
    def fail(array):
        raise OSError("the disk went away")

    monkeypatch.setattr(container, "_bytes", fail)
    with pytest.raises(OSError, match="old.safetensors: the disk went away"):
        container.write(old, {"w": np.zeros(3)})


@pytest.mark.parametrize(
    "arrays, metadata, error, message",
    [
        ({"z": np.zeros(2, complex)}, {}, DTypeError, "'z' is complex128"),
        ({"o": np.array([None])}, {}, DTypeError, "'o' is object"),
        ({"l": [1.0]}, {}, TypeError, "'l' is of type list"),
        ({3: np.zeros(2)}, {}, FormatError, "named 3"),
        ({"__metadata__": np.zeros(2)}, {}, FormatError, "'__metadata__'"),
        ({"\ud800": np.zeros(2)}, {}, FormatError, "not valid text"),
        ({}, {"n": 1}, TypeError, "'n': 1"),
        ({}, {"n": "\udfff"}, FormatError, "not valid text"),
        ({}, {"sha256": "0"}, FormatError, "'sha256' belongs to the format"),
    ],
)
def test_refused_contents(old, arrays, metadata, error, message):
    with pytest.raises(error, match=message):
        container.write(old, arrays, metadata)


def test_missing_folder_and_folder_and_device(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        container.write(tmp_path / "gone" / "a", {})
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        container.write(tmp_path, {})
    assert listing(tmp_path) == []
    if os.path.exists("/dev/null"):
        with pytest.raises(OSError, match="Not a regular file: '/dev/null'"):
            container.write("/dev/null", {})


def test_read_only_file(old, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="old.safetensors"):
        container.write(old, {})


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_mode_and_link_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    container.write(target, {})
    target.chmod(0o640)
    link.symlink_to(target)
    container.write(link, sample())
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640
    assert same(container.read(target)[0], sample())
