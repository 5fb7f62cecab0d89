"""One file for arrays and text: safetensors, with a version and a digest.

Any reader of safetensors reads it; docs/format.md describes every byte. It is
written beside its place and renamed, so a failure leaves the old file; it is read
by mapping, so opening costs the header only. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import mmap
import os
from contextlib import contextmanager
from typing import IO, Any, Callable, Iterable, Iterator, Mapping, Optional, Union

import numpy as np

from ...tracer.errors import DTypeError, FormatError
from ...tracer.later import Later
from . import container_check as check
from .atomic import replacing
from .container_check import CODES, Entry

__all__ = ["VERSION", "write", "read", "read_safetensors", "pack", "unpack", "mapping"]
__all__ += ["naming", "unpack_safetensors"]

hashlib = Later("hashlib")

Path = Union[str, "os.PathLike[str]"]
Contents = tuple[dict[str, np.ndarray], dict[str, str]]
Accept = Callable[[dict[str, np.ndarray], dict[str, str]], None]

VERSION = 3  # the newest; a file has the oldest that can say what it holds
OWN = ("sha256", "data_sha256", "format", "version")
# The header opens with its own digest, so that a reader knows where that stands.
OPENING = b'{"__metadata__":{"sha256":"'
BLANK = "0" * 64
ALIGNMENT = 64
SMALL = 1 << 24


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
    version: int = 1,
    accept: Optional[Accept] = None,
) -> None:
    """Write `arrays` (any shapes, our dtypes) and `metadata` to one file at `path`.

    The same contents give the same bytes, in whatever order they come. The file
    appears complete or not at all, and an old one stays until then; `accept` is
    given what a reader finds in it before that, and raises where it must not be kept.

    Raises:
        OSError: the path cannot be written; the error names it.
        DTypeError: an array of a dtype that has no code here (complex, object).
        FormatError: names or sizes that a reader would refuse.
    """
    with replacing(path) as file:
        pack(file, arrays, metadata, version)
        if accept is not None:
            file.flush()
            accept(*unpack(mapping(file.name), None))


def read(path: Path, verify: Optional[bool] = True) -> Contents:
    """The arrays and the metadata that `write` stored at `path`.

    The arrays are views of a private mapping: opening copies nothing, and writing
    into them does not reach the file. The header, with all metadata, is always
    checked against its digest; `verify` also reads and checks all of the data
    (None: of files up to 16 MB, where that takes milliseconds).

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: the file is truncated, altered, foreign, or too new.
    """
    with naming(path):
        return unpack(mapping(path), verify)


def read_safetensors(path: Path) -> Contents:
    """The arrays and the metadata of any safetensors file, without a digest.

    The structure is checked as strictly as in `read`, and the arrays are views of
    a private mapping as there.

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: it is not a well-formed safetensors file of dtypes known here.
    """
    with naming(path):
        return unpack_safetensors(mapping(path))


def pack(
    file: IO[bytes],
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
    version: int = 1,
) -> None:
    """Write the container into an open binary file, which must be able to seek.

    >>> import io
    >>> file = io.BytesIO()
    >>> pack(file, {"bias": np.arange(3)}, {"kind": "state"})
    >>> unpack(file.getvalue())
    ({'bias': array([0, 1, 2])}, {'kind': 'state'})
    """
    entries, metadata = _plan(arrays), dict(metadata or {})
    _check_metadata(metadata)
    own = (BLANK, BLANK, "tracefuse", str(version))
    raw = _header(entries, metadata, own)
    # What this program would refuse to read it must not write.
    check.layout(check.parse(raw)[0], entries[-1].end if entries else 0)
    start, digest = file.tell(), hashlib.sha256()
    file.write(_prefix(raw) + raw)
    for entry in entries:
        data = _bytes(arrays[entry.name])
        digest.update(data)
        file.write(data)
    end = file.tell()
    # The header stands in front of what it has to sum up: fill it in last.
    raw = _header(entries, metadata, (BLANK, digest.hexdigest(), *own[2:]))
    file.seek(start)
    file.write(_prefix(raw) + _sealed(raw, _digest(raw)))
    file.seek(end)


def unpack(buffer: Any, verify: Optional[bool] = True) -> Contents:
    """What `pack` wrote, as views of `buffer` (bytes, bytearray or a mapping).

    Raises:
        FormatError: as `read` does, without a path to name.
    """
    raw = check.header_of(buffer)
    tensors, metadata = check.parse(raw)
    _check_seal(raw, metadata)
    start = 8 + len(raw)
    arrays = _views(buffer, start, tensors)
    if len(buffer) <= SMALL if verify is None else verify:
        found = hashlib.sha256(memoryview(buffer)[start:]).hexdigest()
        _check_digest("data", found, metadata["data_sha256"])
    return arrays, {k: v for k, v in metadata.items() if k not in OWN}


def unpack_safetensors(buffer: Any) -> Contents:
    """What a safetensors file of any program holds, as views of its bytes.

    Raises:
        FormatError: as `read_safetensors` does, without a path to name.
    """
    raw = check.header_of(buffer)
    tensors, metadata = check.parse(raw)
    return _views(buffer, 8 + len(raw), tensors), metadata


def _views(buffer: Any, start: int, tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    entries = check.layout(tensors, len(buffer) - start)
    return {entry.name: check.view(buffer, start, entry) for entry in entries}


def _plan(arrays: Mapping[str, np.ndarray]) -> list[Entry]:
    """Where each array goes: wide elements first, which aligns all of them."""
    for name, array in arrays.items():
        _check_array(name, array)
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    entries, at = [], 0
    for name in order:
        array = arrays[name]
        dtype = array.dtype.newbyteorder("<")
        entries.append(Entry(name, dtype, array.shape, at, at + array.nbytes))
        at += array.nbytes
    return entries


def _check_array(name: str, array: Any) -> None:
    if not isinstance(name, str) or name == "__metadata__":
        raise FormatError(f"a tensor named {name!r}, expected a string of your own")
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise TypeError(f"tensor {name!r} is of type {kind}, expected numpy.ndarray")
    if array.dtype.newbyteorder("<") not in CODES:
        known = ", ".join(dtype.name for dtype in CODES)
        raise DTypeError(f"tensor {name!r} is {array.dtype}, expected one of {known}")


def _check_metadata(metadata: dict[str, str]) -> None:
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"metadata {key!r}: {value!r}, expected two strings")
        if key in OWN:
            raise FormatError(f"the metadata key {key!r} belongs to the format itself")


def _bytes(array: np.ndarray) -> memoryview:
    """The elements in C order, little-endian."""
    flat = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    if flat.dtype == np.bool_:
        flat = flat.view(np.uint8) != 0  # a view can hold other bytes than 0 and 1
    return flat.view(np.uint8).data


def _header(entries: Iterable[Entry], metadata: dict[str, str], own: tuple) -> bytes:
    rows = {**dict(zip(OWN, own)), **dict(sorted(metadata.items()))}
    header: dict[str, Any] = {"__metadata__": rows}
    for name, dtype, shape, begin, end in entries:
        row = {"dtype": CODES[dtype], "shape": shape, "data_offsets": (begin, end)}
        header[name] = row
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(f"a name or metadata is not valid text: {error}") from None
    return raw + b" " * (-(8 + len(raw)) % ALIGNMENT)


def _prefix(raw: bytes) -> bytes:
    return len(raw).to_bytes(8, "little")


def _sealed(raw: bytes, digest: str) -> bytes:
    return OPENING + digest.encode("ascii") + raw[len(OPENING) + len(digest) :]


def _digest(raw: bytes) -> str:
    """Of length and header with the digest's own place filled with zeros.

    It covers the data too, through their digest in the header.
    """
    return hashlib.sha256(_prefix(raw) + _sealed(raw, BLANK)).hexdigest()


def _check_seal(raw: bytes, metadata: dict[str, str]) -> None:
    if metadata.get("format") != "tracefuse":
        raise FormatError(
            f"format {metadata.get('format')!r}, expected 'tracefuse': a safetensors "
            "file of another program?"
        )
    version = metadata.get("version", "")
    if version not in map(str, range(1, VERSION + 1)):
        newer = version.isdecimal() and int(version[:9]) > VERSION
        advice = ": written by a newer tracefuse, upgrade to read it" if newer else ""
        raise FormatError(
            f"format version {version[:20]!r}, expected at most {VERSION}{advice}"
        )
    if not raw.startswith(OPENING) or "data_sha256" not in metadata:
        raise FormatError("its digests are not in their place: altered by a program?")
    _check_digest("header", _digest(raw), metadata["sha256"])


def _check_digest(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise FormatError(
            f"the {what} was altered: its SHA-256 is {found}, expected {expected[:64]}"
        )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file is said with its name."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{os.fsdecode(path)}: {error}") from None


def mapping(path: Path) -> Any:
    """The file's bytes, mapped copy-on-write."""
    # Asked before it is opened: opening a pipe would wait for its writer.
    if os.path.exists(path) and not os.path.isfile(path):
        raise FormatError("not a regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return b""
        try:
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fsdecode(path)) from error
