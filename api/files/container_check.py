"""Strict reading of a safetensors header: nothing is used before it was checked.

A header is JSON that may come from anywhere, so each rule below refuses what the
audits of such formats found elsewhere: lengths that lie, keys that stand twice,
sizes that overflow, ranges that overlap, leave holes or leave the file. Messages
say what was found and what was expected; the caller adds the path.
"""

from __future__ import annotations

import json
import math
from typing import Any, Mapping, NamedTuple, NoReturn

import numpy as np

from ...tracer.errors import FormatError
from ...tracer.types import DTYPES

__all__ = ["CODES", "KNOWN", "Entry", "header_of", "parse", "layout", "view"]

# Limits keep a hostile file from costing much more memory than its own size.
MAX_HEADER = 100_000_000
MAX_TENSORS = 100_000
MAX_BRACKETS = 4_000_000
MAX_RANK = 32
MAX_BYTES = 2**63 - 1

FIELDS = {"dtype", "shape", "data_offsets"}
KNOWN = {t.short.upper(): t.np.newbyteorder("<") for t in DTYPES.values()}
CODES = {dtype: code for code, dtype in KNOWN.items()}


class Entry(NamedTuple):
    """One tensor as the header describes it; the range is relative to the data."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def header_of(buffer: Any) -> bytes:
    """The raw header of a file's bytes, once its length proved possible."""
    total = len(buffer)
    if total < 8:
        raise FormatError(f"{total} bytes long, expected at least 8: truncated?")
    size = int.from_bytes(buffer[:8], "little")
    if size > MAX_HEADER:
        raise FormatError(
            f"a header of {size} bytes, expected at most {MAX_HEADER}: another format?"
        )
    if size > total - 8:
        raise FormatError(
            f"a header of {size} bytes in a file of {total}: truncated, or another "
            "format?"
        )
    return bytes(buffer[8 : 8 + size])


def parse(raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The header's tensors, not yet checked, and its metadata, checked.

    >>> parse(b'{"__metadata__":{"kind":"state"}}  ')
    ({}, {'kind': 'state'})
    """
    _check_frame(raw)
    try:
        tensors = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_natural,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
        metadata = tensors.pop("__metadata__", {})
        _check_text([*tensors])
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is not valid: {error}") from None
    return tensors, _strings(metadata)


def _check_frame(raw: bytes) -> None:
    if raw[:1] != b"{":
        raise FormatError(f"the header begins with {raw[:1]!r}, expected b'{{'")
    last = raw.rstrip(b" ")[-1:]
    if last != b"}":
        raise FormatError(
            f"the header ends with {last!r}, expected b'}}' and spaces only behind it"
        )
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > MAX_BRACKETS:
        raise FormatError(
            f"{brackets} brackets in the header, expected at most {MAX_BRACKETS}"
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {_show(twice)} stands there twice")
    return found


def _natural(text: str) -> int:
    # The length is bounded first: int() takes quadratic time in it.
    if text[0] == "-" or len(text) > 19:
        _refuse_number(text)
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:24]}, expected integers from 0 to 2**63 - 1")


def _check_text(texts: list[str]) -> None:
    """JSON escapes can spell half a character, which no UTF-8 text can hold."""
    "".join(texts).encode("utf-8")


def _strings(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict):
        raise FormatError(f"__metadata__ is {_show(metadata)}, expected an object")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise FormatError(
                f"metadata {_show(key)} is {_show(value)}, expected a string"
            )
    try:
        _check_text([*metadata, *metadata.values()])
    except UnicodeEncodeError as error:
        raise FormatError(f"metadata is not valid UTF-8: {error}") from None
    return metadata


def layout(tensors: Mapping[str, Any], size: int) -> list[Entry]:
    """The tensors in the order of their data, which they cover exactly.

    Args:
        tensors: the header without its metadata, as `parse` returns it.
        size: how many bytes of data the file holds.
    """
    if len(tensors) > MAX_TENSORS:
        raise FormatError(f"{len(tensors)} tensors, expected at most {MAX_TENSORS}")
    entries = [_entry(name, row) for name, row in tensors.items()]
    entries.sort(key=lambda e: (e.begin, e.end))
    at = 0
    for entry in entries:
        if entry.begin != at:
            kind = "an overlap" if entry.begin < at else "a hole"
            raise FormatError(
                f"tensor {_show(entry.name)} begins at byte {entry.begin} of the data, "
                f"expected {at}: {kind}"
            )
        at = entry.end
    if at != size:
        raise FormatError(f"{size} bytes of data, expected {at}: truncated or altered?")
    return entries


def _entry(name: str, row: Any) -> Entry:
    where = f"tensor {_show(name)}"
    if not isinstance(row, dict) or set(row) != FIELDS:
        raise FormatError(
            f"{where} is described by {_show(row)}, expected exactly the keys dtype, "
            "shape and data_offsets"
        )
    dtype = _dtype(row["dtype"], where)
    shape = _sizes(row["shape"], where, "a shape")
    offsets = _sizes(row["data_offsets"], where, "data_offsets")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(f"{where} has data_offsets {offsets}, expected begin <= end")
    _check_bytes(where, dtype, shape, offsets[1] - offsets[0])
    return Entry(name, dtype, shape, *offsets)


def _dtype(code: Any, where: str) -> np.dtype:
    if not isinstance(code, str) or code not in KNOWN:
        raise FormatError(
            f"{where} has dtype {_show(code)}, expected one of {', '.join(KNOWN)}"
        )
    return KNOWN[code]


def _sizes(found: Any, where: str, what: str) -> tuple[int, ...]:
    # `type`, not isinstance: true and false are ints to Python.
    if not isinstance(found, list) or any(type(n) is not int for n in found):
        raise FormatError(
            f"{where} has {what} of {_show(found)}, expected a list of integers"
        )
    return tuple(found)


def _check_bytes(where: str, dtype: np.dtype, shape: tuple, found: int) -> None:
    if len(shape) > MAX_RANK:
        raise FormatError(
            f"{where} has {len(shape)} dimensions, expected at most {MAX_RANK}"
        )
    # NumPy refuses (0, 2**62) too: what overflows without its zeros is no shape.
    if math.prod(n or 1 for n in shape) * dtype.itemsize > MAX_BYTES:
        raise FormatError(f"{where} has shape {shape}, whose size overflows 64 bits")
    expected = math.prod(shape) * dtype.itemsize
    if found != expected:
        raise FormatError(
            f"{where} has {found} bytes of data, expected {expected} for shape {shape} "
            f"of {dtype.name}"
        )


def view(buffer: Any, start: int, entry: Entry) -> np.ndarray:
    """The tensor as a view of `buffer`, whose data begin at byte `start`.

    Copies only what a foreign file left unaligned, since NumPy code may rely on that.
    """
    offset = start + entry.begin
    array: np.ndarray = np.ndarray(entry.shape, entry.dtype, buffer, offset)
    if entry.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise FormatError(
            f"tensor {_show(entry.name)} of bool holds a byte other than 0 and 1"
        )
    return array if array.flags.aligned else array.copy()


def _show(found: Any) -> str:
    """A short form for messages: names in a foreign file can be of any length."""
    text = repr(found[:80] if isinstance(found, (str, list)) else found)
    return text if len(text) <= 100 else f"{text[:97]}..."
