"""One product in several forms: programs that make a tile and end, or that stay; and
its end in parts: what is done to the elements, for a quarter of the columns at a time.

With descriptors, as many programs as there are multiprocessors make one tile after the
other. So descriptors are made once, and with the two loops as one (`flatten`) the next
tile is fetched while the last is stored. The form is a constant, `TMA`: what another
form says is no part of the code.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Sequence

from ..kernel import Kernel, Param
from .descriptors import Descriptor

__all__ = ["calls", "used", "with_ending", "with_forms"]

STAYING = """\
    if TMA:  # 1: programs stay; 2: and have warps of their own to fetch
{made}
        first, step = tl.program_id(0), tl.num_programs(0)
        for pid in tl.range(first, tiles, step, flatten=True, warp_specialize=TMA == 2):
            {tile}({given})
    else:
        {tile}({plain})"""


def with_forms(kernel: Kernel, ways: Sequence[Descriptor]) -> Kernel:
    """The kernel, whose text makes tile `pid`, in all forms."""
    head, about, *body = kernel.source.splitlines()[1:]
    inside, constants = head[head.index("(") + 1 : -2], names(kernel)
    tile = f"{kernel.name}_tile"
    made = [f"d{n} = {way.made()}" for n, way in enumerate(ways)]
    made.append(f"tiles = {kernel.grid[0].replace('cdiv', 'tl.cdiv')}")
    own = [f"d{n}" for n in range(len(ways))]
    lines = [
        *("@triton.jit", f"def {tile}(pid, {', '.join(own)}, {inside}):", about),
        *(*body, "", "", "@triton.jit", f"def {kernel.name}({inside}):", about),
        STAYING.format(
            made="\n".join(f"        {line}" for line in made),
            tile=tile,
            given=", ".join(["pid", *own, *constants]),
            plain=", ".join(["tl.program_id(0)", *("None" for _ in own), *constants]),
        ),
    ]
    grid = f"min({kernel.grid[0]}, SMS) if TMA else {kernel.grid[0]}"
    return replace(kernel, source="\n".join(lines) + "\n", grid=(grid,))


def with_ending(kernel: Kernel, outer: str, lines: Sequence[str]) -> Kernel:
    """The kernel, with the function in front that ends a part of a tile."""
    given = ", ".join(p.name for p in kernel.params)
    sizes = "BM: tl.constexpr, BN: tl.constexpr"
    head = f"def {kernel.name}_end(acc, {outer}pm, pn, {given}, {sizes}):"
    text = "\n".join(["@triton.jit", head, "    # a part of a tile", *lines])
    return replace(kernel, source=f"{text}\n\n\n{kernel.source}")


def calls(name: str, outer: str, params: Sequence[Param]) -> list[str]:
    """The lines that end a tile in one part, in two or in four."""
    given = ", ".join(p.name for p in params)

    def end(what: str, part: int, of: int) -> str:
        start = f"pn * BN + {part} * BN // {of}" if part else "pn * BN"
        size = f"BM, BN // {of}" if of > 1 else "BM, BN"
        return f"{name}_end({what}, {outer}pm * BM, {start}, {given}, {size})"

    lines = ["if PARTS == 1:", "    " + end("acc", 0, 1), "else:"]
    lines.append("    near, far = lib.halves(acc)")
    lines += ["    if PARTS == 2:", *("        " + end(*w) for w in TWO), "    else:"]
    for half, first in (("near", 0), ("far", 2)):
        lines.append(f"        one, two = lib.halves({half})")
        lines += ["        " + end(w, first + k, 4) for k, w in enumerate(ONE)]
    return ["    " + line for line in lines]


def used(lines: Sequence[str]) -> list[str]:
    """The lines, without coordinates that nothing is made of."""
    kept: list[str] = []
    words: set[str] = set()
    for line in reversed(lines):
        name = COORDINATE.match(line)
        if name is None or name[1] in words:
            words.update(WORD.findall(line[name.end() if name else 0 :]))
            kept.insert(0, line)
    return kept


COORDINATE = re.compile(r" *((?:i|k|m_)\w+) = ")
WORD = re.compile(r"\w+")
ONE, TWO = ("one", "two"), (("near", 0, 2), ("far", 1, 2))


def names(kernel: Kernel) -> list[str]:
    """Of all its parameters, in order."""
    constants = [name for name, _ in kernel.configs[0].constants]
    return [*(p.name for p in kernel.params), *constants]
