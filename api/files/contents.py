"""Opening what a path or a file object holds: our container, or something named.

Nothing here runs code from a file. A file that would have to, such as a pickle, is
refused with a word on what it is and what to do.
"""

from __future__ import annotations

import io
import os
from typing import Any, Mapping, Optional

import numpy as np

from ...tracer.errors import FormatError, TraceError
from ...tracer.record import state
from . import container
from .container_check import header_of, parse

__all__ = ["contents", "store"]

_CONVERT = (
    "tracefuse reads no pickles, since they can run code. Where PyTorch is installed, "
    "convert it with safetensors.torch.save_file(model.state_dict(), path); load that"
)
_FOREIGN = {
    b"PK\x03\x04": f"a zip archive, as PyTorch writes them around a pickle: {_CONVERT}",
    b"\x80": f"a pickle, as old versions of PyTorch write them: {_CONVERT}",
    b"\x93NUMPY": "a NumPy array: numpy.load reads it, from_numpy makes a tensor of it",
    b"\x89HDF": "an HDF5 file: read it with h5py, then save its arrays",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
}


def contents(f: Any, verify: Optional[bool]) -> tuple[dict, dict, bool]:
    """The arrays and the metadata in a file, and whether tracefuse wrote it.

    `f` is a path, which is mapped, or a binary file object, which is read to its end.

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: it is truncated, altered or no safetensors file.
    """
    _check_outside("load")
    if hasattr(f, "read"):
        return _opened(bytearray(_bytes(f)), verify)
    if not isinstance(f, (str, os.PathLike)):
        given = type(f).__name__
        raise TypeError(f"expected a path or a binary file object, not a {given}")
    with container.naming(f):
        return _opened(container.mapping(f), verify)


def _bytes(f: Any) -> bytes:
    content = f.read()
    if not isinstance(content, bytes):
        raise TypeError("the file is open as text: open it in binary mode ('rb')")
    return content


def _opened(buffer: Any, verify: Optional[bool]) -> tuple[dict, dict, bool]:
    start = bytes(buffer[:8])
    for magic, what in _FOREIGN.items():
        # A header of ours would need such a length: far beyond what is allowed.
        if start.startswith(magic) and not _plausible(buffer):
            raise FormatError(f"this is {what}")
    if parse(header_of(buffer))[1].get("format") == "tracefuse":
        return (*container.unpack(buffer, verify), True)
    return (*container.unpack_safetensors(buffer), False)


def _plausible(buffer: Any) -> bool:
    return bytes(buffer[8:9]) == b"{"


def store(
    f: Any,
    arrays: Mapping[str, np.ndarray],
    metadata: dict[str, str],
    version: int = 1,
    accept: Optional[container.Accept] = None,
) -> None:
    """Write a container to a path, at once or not at all, or into a file object.

    `accept` looks at what a reader finds in it, before anything is replaced.
    """
    _check_outside("save")
    if not hasattr(f, "write"):
        container.write(f, arrays, metadata, version, accept)
    elif accept is None and getattr(f, "seekable", lambda: False)():
        container.pack(f, arrays, metadata, version)
    else:
        whole = io.BytesIO()
        container.pack(whole, arrays, metadata, version)
        if accept is not None:
            accept(*container.unpack(whole.getbuffer(), None))
        f.write(whole.getbuffer())


def _check_outside(what: str) -> None:
    if state.recorder is not None:
        raise TraceError(
            f"{what}() inside a jitted function would happen only while it is "
            "recorded: call it outside"
        )
