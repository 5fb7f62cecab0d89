"""Files that are truncated, altered, foreign or hostile are refused by name."""

from __future__ import annotations

import json
import os
import random

import numpy as np
import pytest
import safetensors
from test_container import packed, same, sample
from tracefuse.api.files import container, container_check
from tracefuse.tracer.errors import FormatError, TracefuseError


def framed(header: bytes | dict, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def row(begin=0, end=4, shape=(1,), dtype="F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.fixture
def relaxed(tmp_path):
    """Reads bytes as a safetensors file without digests."""

    def read(content: bytes):
        path = tmp_path / "given.safetensors"
        path.write_bytes(content)
        return container.read_safetensors(path)

    return read


FOUR = bytes(4)
ROW = json.dumps(row())
REFUSED = {
    "nothing": (b"", "0 bytes long"),
    "short": (b"\x01" * 7, "7 bytes long"),
    "a zip file": (b"PK\x03\x04" + bytes(60), "header of 67324752 bytes in a file"),
    "a pickle": (b"\x80\x04\x95\x1f" + b"k" * 60, "another format"),
    "huge header": ((10**9).to_bytes(8, "little") + b"{}", "at most 100000000"),
    "cut header": (framed(b"{}   ")[:-1], "truncated"),
    "no header": (framed(b""), "begins with b''"),
    "space first": (framed(b" {}"), "begins with b' '"),
    "a list": (framed(b"[]"), r"begins with b'\['"),
    "newline last": (framed(b"{}\n"), "spaces only"),
    "zero last": (framed(b"{}\0"), "spaces only"),
    "not JSON": (framed(b"{a}"), "not valid"),
    "two values": (framed(b"{} {}"), "not valid: Extra data"),
    "bad UTF-8": (framed(b'{"\xff":1}'), "utf-8"),
    "half a character": (framed(b'{"\\ud800":' + ROW.encode() + b"}", FOUR), "utf-8"),
    "half in metadata": (framed(b'{"__metadata__":{"a":"\\udc00"}}'), "UTF-8"),
    "duplicate": (framed(f'{{"a":{ROW},"a":{ROW}}}'.encode(), FOUR), "'a' .* twice"),
    "duplicate by escape": (
        framed(f'{{"a":{ROW},"\\u0061":{ROW}}}'.encode(), FOUR),
        "'a' .* twice",
    ),
    "duplicate metadata": (
        framed(b'{"__metadata__":{},"__metadata__":{}}'),
        "'__metadata__' .* twice",
    ),
    "duplicate inside": (
        framed(ROW.replace("{", '{"a":{"shape":[2],', 1).encode() + b"}", FOUR),
        "'shape' .* twice",
    ),
    "deep": (framed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "not valid"),
    "metadata list": (framed({"__metadata__": []}), "expected an object"),
    "metadata number": (framed({"__metadata__": {"a": 1}}), "'a' is 1, expected a str"),
    "metadata null": (framed({"__metadata__": None}), "expected an object"),
    "row": (framed({"a": 3}), "'a' is described by 3"),
    "missing field": (framed({"a": {"dtype": "F32", "shape": []}}), "exactly the keys"),
    "extra field": (framed({"a": {**row(), "file": "/etc/x"}}, FOUR), "exactly the"),
    "dtype": (framed({"a": row(dtype="F31")}, FOUR), "dtype 'F31', expected one of"),
    "dtype list": (framed({"a": row(dtype=["F32"])}, FOUR), r"dtype \['F32'\]"),
    "negative size": (framed({"a": row(shape=[-1])}, FOUR), "the number -1"),
    "float size": (framed({"a": row(shape=[1.0])}, FOUR), "the number 1.0"),
    "NaN": (framed(b'{"a":NaN}'), "the number NaN"),
    "bool size": (framed({"a": row(shape=[True])}, FOUR), "list of integers"),
    "text size": (framed({"a": row(shape="11")}, FOUR), "list of integers"),
    "long number": (framed(b'{"a":' + b"9" * 50_000 + b"}"), "the number 9999"),
    "huge shape": (framed({"a": row(shape=[2**33, 2**33])}, FOUR), "overflows"),
    "huge empty": (framed({"a": row(0, 0, [0, 2**62, 4])}), "overflows"),
    "wrapping shape": (framed({"a": row(0, 0, [2**32, 2**32])}), "overflows"),
    "rank": (framed({"a": row(shape=[1] * 33)}, FOUR), "33 dimensions"),
    "three offsets": (
        framed({"a": {**row(), "data_offsets": [0, 2, 4]}}, FOUR),
        "begin <= end",
    ),
    "backwards": (framed({"a": row(4, 0)}, FOUR), "begin <= end"),
    "wrong length": (framed({"a": row(shape=[2])}, FOUR), "4 bytes .* expected 8"),
    "behind the end": (framed({"a": row()}, b""), "0 bytes of data, expected 4"),
    "something behind": (framed({"a": row()}, bytes(5)), "5 bytes of data, expected 4"),
    "data alone": (framed({}, b"PK"), "2 bytes of data, expected 0"),
    "overlap": (framed({"a": row(), "b": row(2, 6)}, bytes(6)), "an overlap"),
    "same range": (framed({"a": row(), "b": row()}, FOUR), "an overlap"),
    "hole": (framed({"a": row(), "b": row(8, 12)}, bytes(12)), "a hole"),
    "hole first": (framed({"a": row(4, 8)}, bytes(8)), "a hole"),
    "empty outside": (framed({"a": row(8, 8, [0])}), "a hole"),
    "empty inside": (
        framed({"a": row(0, 8, [2]), "b": row(4, 4, [0])}, bytes(8)),
        "an overlap",
    ),
    "bool of 2": (framed({"a": row(0, 1, dtype="BOOL")}, b"\2"), "other than 0 and 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(relaxed, name):
    content, message = REFUSED[name]
    with pytest.raises(FormatError, match=message) as caught:
        relaxed(content)
    assert "given.safetensors: " in str(caught.value) and len(str(caught.value)) < 600
    assert isinstance(caught.value, (TracefuseError, ValueError))
    with pytest.raises(FormatError):
        container.unpack(content)


def test_limits_on_counts(relaxed, monkeypatch):
    many = {str(i): row(0, 0, [0]) for i in range(20)}
    assert len(relaxed(framed(many))[0]) == 20
    monkeypatch.setattr(container_check, "MAX_TENSORS", 19)
    with pytest.raises(FormatError, match="20 tensors, expected at most 19"):
        relaxed(framed(many))
    with pytest.raises(FormatError, match="20 tensors"):
        packed({str(i): np.zeros(0) for i in range(20)})
    monkeypatch.setattr(container_check, "MAX_BRACKETS", 60)
    with pytest.raises(FormatError, match="61 brackets"):
        relaxed(framed(many))


def altered(**changes: str | None) -> bytes:
    """A file with other metadata than were sealed; None takes a key away."""
    content = packed({"x": np.ones(2)}, {"kind": "state"})
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    kept = {**header["__metadata__"], **changes}
    header["__metadata__"] = {k: v for k, v in kept.items() if v is not None}
    raw = json.dumps(header, separators=(",", ":")).encode()
    return framed(raw, content[8 + size :])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": "other"}, "format 'other', expected 'tracefuse'"),
        ({"format": None}, "format None"),
        ({"version": "4"}, "version '4', expected at most 3: written by a newer"),
        ({"version": "9" * 5000}, "written by a newer"),
        ({"version": "0"}, "version '0', expected at most 3$"),
        ({"version": "one"}, "version 'one'"),
        ({"version": None}, "version ''"),
        ({"kind": "program"}, "header was altered"),
        ({"new": "key"}, "header was altered"),
        ({"sha256": "0" * 64}, "header was altered"),
        ({"sha256": None}, "digests are not in their place"),
        ({"data_sha256": None}, "digests are not in their place"),
        ({"data_sha256": "0" * 64}, "header was altered"),
    ],
)
def test_altered_metadata(changes, message):
    with pytest.raises(FormatError, match=message):
        container.unpack(altered(**changes), verify=False)


def test_every_truncation():
    content = packed(sample(), {"kind": "state"})
    for size in range(len(content)):
        with pytest.raises(FormatError):
            container.unpack(content[:size], verify=False)
    for more in (b"\0", b" ", content):
        with pytest.raises(FormatError):
            container.unpack(content + more, verify=False)


def test_every_flipped_byte():
    content = packed(sample(), {"kind": "state"})
    start = 8 + int.from_bytes(content[:8], "little")
    for at in range(len(content)):
        other = bytearray(content)
        other[at] ^= 1 << at % 8
        with pytest.raises(FormatError):
            container.unpack(other, verify=at >= start)


PIECES = [b"0", b"9", b" ", b'"', b"{", b"}", b",", b"\\", b"[", b"true", b"F32"]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """A few bytes changed, taken away, repeated or put in."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        a = rng.randrange(len(found))
        b = min(len(found), a + rng.randint(0, 9))
        kind = rng.randrange(4)
        if kind == 0:
            found[a] = rng.randrange(256)
        elif kind == 1:
            del found[a:b]
        elif kind == 2:
            found[a:a] = found[a:b]
        else:
            found[a:b] = rng.choice(PIECES)
    return bytes(found) or b"{"


def test_fuzz_sealed():
    """A mutation is refused, or it changed nothing."""
    rng, content = random.Random(1), packed(sample(), {"kind": "state"})
    for _ in range(4000):
        try:
            arrays, metadata = container.unpack(mutated(rng, content))
        except FormatError:
            continue
        assert same(arrays, sample()) and metadata == {"kind": "state"}


def test_fuzz_structure(relaxed):
    """Without digests: what we accept, the safetensors library accepts alike."""
    rng, accepted = random.Random(2), 0
    rows = {"b": row(12, 14, [2], "BOOL"), "w": row(0, 12, [3]), "none": row(0, 0, [0])}
    raw = json.dumps(rows, separators=(",", ":")).encode()
    for _ in range(4000):
        content = framed(mutated(rng, raw), bytes(14))
        try:
            arrays, _ = relaxed(content)
        except FormatError:
            continue
        accepted += 1
        theirs = dict(safetensors.deserialize(content))
        assert arrays.keys() == theirs.keys()
        for name, array in arrays.items():
            assert list(array.shape) == theirs[name]["shape"]
            assert array.tobytes() == bytes(theirs[name]["data"])
    assert accepted > 20, accepted


def test_missing_file_and_folder_and_pipe(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        container.read(tmp_path / "gone")
    with pytest.raises(FormatError, match="not a regular file"):
        container.read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FormatError, match="pipe: not a regular file"):
            container.read(tmp_path / "pipe")
