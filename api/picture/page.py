"""A page of HTML that needs nothing else: the source, and the program beside it."""

from __future__ import annotations

from html import escape

from .boxes import Box
from .sources import passages
from .svg import STYLE, drawn

__all__ = ["page"]

_STYLE = """
body { margin: 0; display: flex; height: 100vh; color: #1d2430; background: #f7f8fa; }
#source, #graph { overflow: auto; padding: 12px; box-sizing: border-box; }
#source { flex: 0 0 34%; border-right: 1px solid #ccd2dc; background: #fff; }
#graph { flex: 1; }
h1, h2 { font: 600 13px system-ui, sans-serif; margin: 4px 0 8px; }
#source pre { font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 0; }
.code { display: block; white-space: pre; padding-right: 8px; }
.code i { display: inline-block; width: 4ch; color: #9aa5b8; font-style: normal; }
.code.used { cursor: pointer; background: #f3f6fb; }
.code.on { background: #ffe08a; }
"""
_SCRIPT = """
const all = s => [...document.querySelectorAll(s)];
const rows = all('.row'), lines = all('.code.used'), edges = all('.edge');
let pinned = null;
function mark(test, ids) {
  rows.forEach(r => r.classList.toggle('on', test(r.dataset.line) || ids.has(r.id)));
  lines.forEach(l => l.classList.toggle('on', test(l.dataset.line)));
  edges.forEach(e => e.classList.toggle('on',
    ids.has(e.dataset.from) && ids.has(e.dataset.to)));
}
const clear = () => pinned ? pinned() : mark(() => false, new Set());
function line(name) { mark(x => x === name && x !== '', new Set()); }
function row(r) {
  const near = edges.filter(e => e.dataset.from === r.id || e.dataset.to === r.id);
  const ids = new Set([r.id, ...near.flatMap(e => [e.dataset.from, e.dataset.to])]);
  mark(x => x === r.dataset.line && x !== '', ids);
}
function follow(items, show) {
  items.forEach(item => {
    item.onmouseenter = () => show(item);
    item.onmouseleave = clear;
    item.onclick = () => { pinned = pinned ? null : () => show(item); show(item); };
  });
}
follow(lines, l => line(l.dataset.line));
follow(rows, row);
"""


def page(name: str, boxes: list[Box]) -> str:
    """The whole page."""
    every = (row.line for box in boxes for row in box.rows)
    used = [line for line in dict.fromkeys(every) if line]
    kernels = sum(box.kind in ("loop", "opaque") for box in boxes)
    others = sum(box.kind == "host" for box in boxes)
    nodes = sum(len(box.rows) for box in boxes if box.kind != "input")
    beside = f" and {others} steps on the host" if others else ""
    title = escape(f"{name}: {nodes} operations in {kernels} kernels{beside}")
    source = "\n".join(_file(*passage, set(used)) for passage in passages(used))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}{STYLE}</style></head>\n<body>"
        f'<div id="source"><h1>{title}</h1>\n{source}</div>\n'
        f'<div id="graph">{drawn(boxes, style=False)}</div>\n'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _file(name: str, rows: list[tuple[str, str]], used: set[str]) -> str:
    lines = "".join(_line(line, text, line in used) for line, text in rows)
    return f"<h2>{escape(name)}</h2><pre>{lines}</pre>"


def _line(line: str, text: str, used: bool) -> str:
    number = line.rpartition(":")[2]
    kind = "code used" if used else "code"
    marks = f'class="{kind}" data-line="{escape(line, quote=True)}"'
    return f"<span {marks}><i>{number}</i>{escape(text) or ' '}</span>"
