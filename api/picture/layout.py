"""Where the boxes stand: layers from top to bottom, each after all that it reads."""

from __future__ import annotations

from .boxes import Box

__all__ = ["HEAD", "ROW", "arrange", "height", "width"]

LETTER, ROW, HEAD, PAD = 6.7, 18, 20, 10
GAP_X, GAP_Y = 24, 46


def width(box: Box) -> float:
    """As wide as the longest text in it."""
    longest = max(len(row.text) for row in box.rows)
    return max(longest, len(box.title)) * LETTER + 2 * PAD


def height(box: Box) -> float:
    """A head and its rows."""
    return HEAD + len(box.rows) * ROW + PAD / 2


def arrange(boxes: list[Box]) -> tuple[float, float]:
    """Give every box its place; returns the size of the whole."""
    home = {row.id: box for box in boxes for row in box.rows}
    sources = {id(box): _sources(box, home) for box in boxes}
    for box in boxes:
        box.layer = max((b.layer + 1 for b in sources[id(box)]), default=0)
    _late_inputs(boxes, sources)
    y = widest = 0.0
    for layer in _layers(boxes):
        widest = max(widest, _spread(layer, sources, y))
        y += max(map(height, layer), default=0) + GAP_Y
    return widest, y


def _sources(box: Box, home: dict[int, Box]) -> list[Box]:
    read = (home[i] for row in box.rows for i in row.reads)
    return [b for b in {id(b): b for b in read}.values() if b is not box]


def _late_inputs(boxes: list[Box], sources: dict[int, list[Box]]) -> None:
    """An input stands right before its first reader."""
    first: dict[int, int] = {}
    for box in boxes:
        for b in sources[id(box)]:
            first[id(b)] = min(box.layer, first.get(id(b), box.layer))
    for box in boxes:
        if box.kind == "input":
            box.layer = max(0, first.get(id(box), 1) - 1)


def _layers(boxes: list[Box]) -> list[list[Box]]:
    count = max((box.layer for box in boxes), default=0) + 1
    layers: list[list[Box]] = [[] for _ in range(count)]
    for box in boxes:
        layers[box.layer].append(box)
    return layers


def _spread(layer: list[Box], sources: dict[int, list[Box]], y: float) -> float:
    """Boxes side by side, in the order of what they read; returns the end."""
    layer.sort(key=lambda box: _wish(sources[id(box)]))
    x = 0.0
    for box in layer:
        box.x, box.y = x, y
        x += width(box) + GAP_X
    return x


def _wish(sources: list[Box]) -> float:
    """The mean place of what a box reads."""
    places = [b.x + width(b) / 2 for b in sources]
    return sum(places) / len(places) if places else 0.0
