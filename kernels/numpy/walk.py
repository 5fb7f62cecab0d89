"""The text of a tiled kernel: the function around the statements of one tile."""

from __future__ import annotations

from dataclasses import dataclass, field

from .memory import Finished
from .spelling import size_text, unpacked
from .tiles import FINE_PARTS, PARTS, Tiling

__all__ = ["Frame", "walk"]


@dataclass
class Frame:
    """What stands around the statements of a tile.

    `sizes` and `top` open the kernel and `end` closes it; `ahead` opens each part, and
    `held` are arrays of a tile that it makes once for all tiles: (name, expression).
    """

    sizes: list[str] = field(default_factory=list)
    top: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    totals: bool = False


def walk(t: Tiling, frame: Frame, tile: Finished) -> list[str]:
    """The body of a kernel: parts that walk tiles, and what runs them."""
    names = [name for name, _ in tile.views]
    part, top = list(frame.ahead), list(frame.top)
    if names and not t.threaded:  # the caller's scratch
        top.append(f"ws = {unpacked(names)}")
    elif names:
        part += ["ws = POOL.pop() if POOL else NEW()", f"{unpacked(names)} = ws"]
    whole = "w" if t.ragged else ""
    part += [whole + line for line in tile.allocs]
    part += [f"{whole}{name} = {made}" for name, made in frame.held]
    part.append("for t in range(c * each, min(c * each + each, tiles)):")
    part += indented([*position(t), *shortened(t, frame, tile), *tile.lines])
    if names and t.threaded:
        part.append("POOL.append(ws)")
    body = [*frame.sizes, *counts(t, frame.totals), *top, "", "def part(c):"]
    return [*body, *indented(part), "", "parallel(part, count)", *frame.end]


def indented(lines: list[str]) -> list[str]:
    """The lines, one level deeper."""
    return ["    " + line for line in lines]


def counts(t: Tiling, totals: bool) -> list[str]:
    """How many tiles there are, and in how many parts they are walked."""
    tiles: object = t.blocks
    for a in t.outer:
        n = t.sizes[a]
        static = type(tiles) is int and type(n) is int
        tiles = tiles * n if static else f"{size_text(n)} * ({tiles})"  # type: ignore
    parts = (PARTS if totals else FINE_PARTS) if t.threaded else 1
    if isinstance(tiles, int):
        each = max(1, -(-tiles // parts))
        count = max(1, -(-tiles // each))
        return [f"tiles, each, count = {tiles}, {each}, {count}"]
    return [
        f"tiles = {tiles}",
        f"each = max(1, -(-tiles // {parts}))",
        "count = max(1, -(-tiles // each))",
    ]


def position(t: Tiling) -> list[str]:
    """Where tile `t` lies: `i` to `j` on the cut axis, `o2` on outer axis 2."""
    n, block = t.sizes[t.cut], t.block
    end = f"min(i + {block}, {size_text(n)})" if t.ragged else f"i + {block}"
    if not t.outer:
        return [f"i = t * {block}", f"j = {end}"]
    lines = [f"o, i = divmod(t, {t.blocks})"]
    for a in reversed(t.outer[1:]):
        lines.append(f"o, o{a} = divmod(o, {size_text(t.sizes[a])})")
    return [*lines, f"o{t.outer[0]} = o", f"i *= {block}", f"j = {end}"]


def shortened(t: Tiling, frame: Frame, tile: Finished) -> list[str]:
    """Arrays that are made once, for a last block shorter than the others."""
    if not t.ragged:
        return []
    cut = "[" + ":, " * t.position(t.cut) + ":j - i]"
    names = [name for name, _ in tile.views]
    lines = []
    if names:
        short = unpacked([name + cut for name in names])
        lines = [f"{unpacked(names)} = ws", f"if j - i < {t.block}:"]
        lines.append(f"    {unpacked(names)} = {short}")
    made = [line.split(" = ")[0] for line in tile.allocs]
    made += [name for name, _ in frame.held]
    return lines + [f"{name} = w{name}{cut}" for name in made]
