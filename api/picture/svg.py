"""The boxes as SVG."""

from __future__ import annotations

from html import escape
from typing import Iterator

from .boxes import Box, Row
from .layout import HEAD, ROW, arrange, height, width

__all__ = ["STYLE", "drawn"]

STYLE = """
svg { font: 11px ui-monospace, Menlo, Consolas, monospace; }
.box { fill: #fff; stroke: #8a94a6; }
.box.loop { fill: #eef6ee; stroke: #4f8a5b; }
.box.opaque { fill: #eaf1fb; stroke: #4a78b5; }
.box.host { fill: #fbecec; stroke: #b54a4a; }
.box.input { fill: #fbf6e6; stroke: #b5964a; }
.box.view { stroke-dasharray: 4 3; }
.title { fill: #5a6475; font-size: 10px; }
.row rect { fill: transparent; }
.row text { fill: #1d2430; }
.row.free text { fill: #8a94a6; }
.row.result text { font-weight: bold; }
.row.on rect { fill: #ffe08a; }
.edge { fill: none; stroke: #9aa5b8; stroke-width: 1; opacity: .6; }
.edge.on { stroke: #d9822b; stroke-width: 2; opacity: 1; }
"""


def drawn(boxes: list[Box], style: bool = True) -> str:
    """One `svg` element; with `style` it stands alone."""
    wide, high = arrange(boxes)
    size = f'width="{wide:.0f}" height="{high:.0f}"'
    area = f'viewBox="-10 -10 {wide:.0f} {high:.0f}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {area}>']
    if style:
        lines.append(f"<style>{STYLE}</style>")
    lines += _edges(boxes)
    for box in boxes:
        lines += _box(box)
    return "\n".join([*lines, "</svg>"])


def _box(box: Box) -> Iterator[str]:
    x, y = box.x, box.y
    place = f'x="{x:.1f}" y="{y:.1f}" rx="5"'
    size = f'width="{width(box):.1f}" height="{height(box):.1f}"'
    yield f'<rect class="box {box.kind}" {place} {size}/>'
    at = f'x="{x + 10:.1f}" y="{y + 14:.1f}"'
    yield f'<text class="title" {at}>{_text(box.title)}</text>'
    for i, row in enumerate(box.rows):
        yield _row(row, x, y + HEAD + i * ROW, width(box))


def _row(row: Row, x: float, y: float, wide: float) -> str:
    kind = " ".join(["row"] + ["result"] * row.result + ["free"] * row.free)
    marks = f'id="n{row.id}" class="{kind}" data-line="{_text(row.line or "")}"'
    back = f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{wide - 2:.1f}" height="{ROW}"/>'
    text = f'<text x="{x + 10:.1f}" y="{y + 13:.1f}">{_text(row.text)}</text>'
    returned = " (a result)" if row.result else ""
    note = f"<title>{_text(row.line or 'no line')}{returned}</title>"
    return f"<g {marks}>{note}{back}{text}</g>"


def _edges(boxes: list[Box]) -> Iterator[str]:
    home = {row.id: box for box in boxes for row in box.rows}
    for box in boxes:
        for row in box.rows:
            for source in dict.fromkeys(row.reads):
                yield _edge(source, row.id, home[source], box)


def _edge(source: int, target: int, above: Box, box: Box) -> str:
    """From the foot of one box to the head of another; within one, only marks."""
    ends = f'class="edge" data-from="n{source}" data-to="n{target}"'
    if above is box:
        return f"<path {ends}/>"
    x1, y1 = above.x + width(above) / 2, above.y + height(above)
    x2, y2 = box.x + width(box) / 2, box.y
    bend = max(20.0, (y2 - y1) / 3)
    way = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f}"
    return f'<path {ends} d="{way} {x2:.1f} {y2:.1f}"/>'


def _text(text: str) -> str:
    return escape(text, quote=True)
