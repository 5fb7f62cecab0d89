"""A line search: how far to go along a direction."""

from __future__ import annotations

import math
from typing import Callable, NamedTuple

from ..tensor import Tensor

__all__ = ["Found", "strong_wolfe"]

ENOUGH, FLAT = 1e-4, 0.9  # decrease and curvature: Nocedal and Wright, section 3.1
MOST = 25  # evaluations


class _At(NamedTuple):
    """A place on the line: how far, the loss, the slopes, the slope along the line."""

    length: float
    loss: float
    slopes: Tensor
    along: float


class Found(NamedTuple):
    """Where the search ended, and how often it asked for the loss."""

    loss: float
    slopes: Tensor
    length: float
    calls: int


def strong_wolfe(
    evaluate: Callable[[float], tuple[float, Tensor]],
    length: float,
    direction: Tensor,
    loss: float,
    slopes: Tensor,
    slope: float,
    tolerance: float = 1e-9,
) -> Found:
    """A length that meets the strong Wolfe conditions.

    `evaluate(length)` gives (loss, slopes). Nocedal and Wright, algorithms 3.5 and 3.6;
    places between two are chosen by cubics through both.
    """
    search = _Search(evaluate, direction, _At(0.0, loss, slopes, slope), tolerance)
    low, high = search.bracket(length)
    best = low if high is None else search.zoom(low, high)
    return Found(best.loss, best.slopes, best.length, search.calls)


class _Search:
    def __init__(
        self, evaluate: Callable, direction: Tensor, start: _At, tolerance: float
    ):
        self.evaluate, self.direction, self.start = evaluate, direction, start
        self.reach = float(direction.abs().max())
        self.tolerance, self.calls = tolerance, 0

    def at(self, length: float) -> _At:
        loss, slopes = self.evaluate(length)
        self.calls += 1
        return _At(length, loss, slopes, float((slopes * self.direction).sum()))

    def too_high(self, place: _At) -> bool:
        """Whether the loss fell less than the slope at the start promised."""
        promised = ENOUGH * place.length * self.start.along
        return not place.loss <= self.start.loss + promised

    def flat(self, place: _At) -> bool:
        return abs(place.along) <= -FLAT * self.start.along

    def bracket(self, length: float) -> tuple[_At, _At | None]:
        """Two places with a good one between them, or a good one and None."""
        before, now = self.start, self.at(length)
        while self.calls < MOST:
            rising = self.calls > 1 and now.loss >= before.loss
            if self.too_high(now) or rising:
                return before, now
            if self.flat(now):
                return now, None
            if now.along >= 0:
                return now, before
            least = now.length + 0.01 * (now.length - before.length)
            length = _cubic(before, now, (least, now.length * 10))
            before, now = now, self.at(length)
        return self.start, now

    def zoom(self, low: _At, high: _At) -> _At:
        """The place between; `low` is the better of the two."""
        if high.loss < low.loss:
            low, high = high, low
        stuck = False
        while self.calls < MOST:
            left, right = sorted((low.length, high.length))
            if (right - left) * self.reach < self.tolerance:
                break
            length = _cubic(low, high, (left, right))
            length, stuck = _inside(length, left, right, stuck)
            now = self.at(length)
            if self.too_high(now) or now.loss >= low.loss:
                high = now
            else:
                if self.flat(now):
                    return now
                if now.along * (high.length - low.length) >= 0:
                    high = low
                low = now
        return low


def _inside(
    length: float, left: float, right: float, stuck: bool
) -> tuple[float, bool]:
    """Not too near an end twice: a tenth of the way from it then."""
    near = min(right - length, length - left) / (right - left) < 0.1
    if not near:
        return length, False
    if not stuck and left < length < right:
        return length, True
    tenth = 0.1 * (right - left)
    low = abs(length - right) < abs(length - left)
    return (right - tenth if low else left + tenth), False


def _cubic(a: _At, b: _At, bounds: tuple[float, float]) -> float:
    """Where the cubic through two places and their slopes is least, within bounds."""
    if a.length > b.length:
        a, b = b, a
    bend = a.along + b.along - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = bend**2 - a.along * b.along
    if not square >= 0:
        return sum(bounds) / 2
    root = math.sqrt(square)
    down = (b.along + root - bend) / (b.along - a.along + 2 * root)
    length = b.length - (b.length - a.length) * down
    return min(max(length, bounds[0]), bounds[1])
