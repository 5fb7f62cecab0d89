"""A compiled kernel: machine code, and what a launcher must know about it.

A binary needs nothing but a driver to run: no triton, no source. It is one string of
bytes on disk: a line that names the format, a line of JSON, then the machine code.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ....tracer.errors import FormatError
from ....tracer.later import Later

__all__ = ["Binary", "pack", "unpack"]

hashlib = Later("hashlib")

MARK = b"tracefuse binary 1"


@dataclass(frozen=True)
class Binary:
    """Machine code of one kernel in one configuration, for one target.

    `types` are Triton's types of the parameters ("*fp32", "i32"), after which the code
    expects `hidden` pointers, the first of them to scratch memory (`scratch` bytes for
    each program). `shared` counts bytes of dynamic shared memory, `warps` what a launch
    must bring (it can be more than was asked for). `notes` holds what only the compiler
    could tell about it.
    """

    name: str
    target: str
    code: bytes = field(repr=False)
    types: tuple[str, ...] = ()
    warps: int = 4
    shared: int = 0
    scratch: int = 0
    hidden: int = 2
    notes: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def warp_size(self) -> int:
        """Threads in a warp: 32, or 64 on AMD's targets."""
        return 64 if self.target.startswith("gfx9") else 32

    @property
    def threads(self) -> int:
        """Threads in a block."""
        return self.warps * self.warp_size


def pack(binary: Binary) -> bytes:
    """As bytes for a file.

    >>> unpack(pack(Binary("f", "sm_90", b"code"))).name
    'f'
    """
    facts = {**asdict(binary), "code": hashlib.sha256(binary.code).hexdigest()}
    return b"\n".join((MARK, json.dumps(facts).encode(), binary.code))


def unpack(data: bytes) -> Binary:
    """The binary of these bytes; FormatError when they were cut short or changed."""
    try:
        mark, facts, code = data.split(b"\n", 2)
        found = json.loads(facts)
        known = mark == MARK and found["code"] == hashlib.sha256(code).hexdigest()
        if known:
            return Binary(**{**found, "code": code, "types": tuple(found["types"])})
    except (ValueError, TypeError, KeyError):
        pass
    raise FormatError(f"expected a compiled kernel, got {data[:24]!r}...")
