"""What the machine code of a kernel looks like: the proof that needs no GPU.

Registers, spills and shared memory are the assembler's; instructions are counted in
the disassembly. The tools come with triton.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ....tracer.errors import CompileError
from .binary import Binary

__all__ = ["Figures", "inspect_binary"]

TENSOR_CORES = ("HMMA", "HGMMA", "QGMMA", "IGMMA", "UTCHMMA", "UTCQMMA", "v_mfma")
ASYNC = ("LDGSTS", "UTMALDG")
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z][\w.]*)", re.M)
USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


@dataclass(frozen=True)
class Figures:
    """Static facts about one binary.

    `loads` and `stores` count accesses of global memory by their width in bits;
    `asynchronous` those that go past the registers, `copies` the same by width where
    they have one; `tensor` the instructions of tensor cores by name. `stack` counts
    bytes a thread keeps in memory: spills.
    """

    registers: int
    stack: int
    shared: int
    instructions: int
    loads: dict[int, int] = field(default_factory=dict)
    stores: dict[int, int] = field(default_factory=dict)
    asynchronous: dict[str, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    tensor: dict[str, int] = field(default_factory=dict)

    @property
    def spills(self) -> bool:
        """Whether registers did not suffice."""
        return self.stack > 0

    @property
    def widest_load(self) -> int:
        """Bits of the widest load from global memory; 0 when there is none."""
        return max(self.loads, default=0)


def inspect_binary(binary: Binary) -> Figures:
    """Read the machine code; CompileError when the tools are not to be found."""
    if binary.target.startswith("gfx"):
        return _amd(binary)
    with tempfile.TemporaryDirectory() as home:
        path = os.path.join(home, "kernel.cubin")
        Path(path).write_bytes(binary.code)
        usage = USAGE.search(_run("cuobjdump", "-res-usage", path))
        names = INSTRUCTION.findall(_run("nvdisasm", "-c", path))
    registers, stack = (int(usage[1]), int(usage[2])) if usage else (0, 0)
    return Figures(registers, stack, binary.shared, **_counted(names))


def _counted(names: list[str]) -> dict:
    """The figures that are counts of instructions; padding does not count."""
    heads = Counter(n.split(".")[0] for n in names if n != "NOP")
    return {
        "instructions": sum(heads.values()),
        "loads": _widths(n for n in names if n.startswith("LDG.")),
        "stores": _widths(n for n in names if n.startswith("STG.")),
        "copies": _widths(n for n in names if n.startswith("LDGSTS.")),
        "asynchronous": {k: heads[k] for k in ASYNC if heads[k]},
        "tensor": {k: heads[k] for k in TENSOR_CORES if heads[k]},
    }


def _widths(names) -> dict[int, int]:
    return dict(Counter(_bits(n.split(".")) for n in names))


def _bits(parts: list[str]) -> int:
    """LDG.E.128 -> 128, LDG.E.U8 -> 8; without a width it is 32."""
    sizes = [int(p.lstrip("US")) for p in parts if p.lstrip("US").isdigit()]
    return sizes[-1] if sizes else 32


def _amd(binary: Binary) -> Figures:
    """AMD's assembler told it all when the kernel was compiled."""
    counts, notes = binary.notes.get("counts", {}), binary.notes
    spilled = notes.get("vgpr_spill_count", 0) + notes.get("sgpr_spill_count", 0)
    return Figures(
        registers=notes.get("vgpr_count", 0),
        stack=4 * spilled,
        shared=binary.shared,
        instructions=sum(n for k, n in counts.items() if k[:2] in ("v_", "s_"))
        + sum(n for k, n in counts.items() if k.startswith(("global_", "ds_"))),
        loads=_amd_widths(counts, r"(?:global|buffer)_load_(?:dwordx(\d)|\w+)"),
        stores=_amd_widths(counts, r"(?:global|buffer)_store_(?:dwordx(\d)|\w+)"),
        tensor={k: n for k, n in counts.items() if k.startswith("v_mfma")},
    )


def _amd_widths(counts: dict[str, int], pattern: str) -> dict[int, int]:
    found: Counter = Counter()
    for name, n in counts.items():
        match = re.fullmatch(pattern, name)
        if match:
            found[_amd_bits(name, match[1])] += n
    return dict(found)


def _amd_bits(name: str, words: str) -> int:
    if words:
        return 32 * int(words)
    return 8 if "byte" in name else 16 if "short" in name else 32


def _run(tool: str, *arguments: str) -> str:
    done = subprocess.run(
        [_tool(tool), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CompileError(f"{tool} failed: {done.stderr.strip()}")
    return done.stdout


def _tool(name: str) -> str:
    """Where triton's wheel keeps it."""
    spec = find_spec("triton")
    for home in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(home) / "backends" / "nvidia" / "bin" / name
        if path.is_file():
            return str(path)
    raise CompileError(f"{name} comes with triton: pip install 'tracefuse[gpu]'")
