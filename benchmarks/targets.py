"""The speeds that issue 4 asks for, each looked up in a record.

A target is a group of cases and the least ratio: to the copy bandwidth, to the fastest
other way in the same case, or to a number of microseconds or seconds.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterator, NamedTuple, Optional

__all__ = ["Verdict", "best", "ceilings", "rivals", "speedup", "verdicts"]

OURS = "tracefuse"
KINDS = ("graph", "events", "host")
NORMS = ("layer_norm", "rms_norm")
POINTWISE = ("gelu", "chain", "bias gelu", "transpose add", "sum ")


class Verdict(NamedTuple):
    """A target: how many cases meet it, and the worst of them."""

    target: str
    met: int
    of: int
    worst: str


def best(way: dict[str, Any], kind: Optional[str] = None) -> Optional[float]:
    """The median in microseconds, of one kind or of the best that there is."""
    for each in (kind,) if kind else KINDS:
        if each in way:
            return way[each]["median_us"]
    return None


def rivals(case: dict[str, Any]) -> dict[str, float]:
    """How many times as long as ours each other way takes; above 1, ours is faster.

    Graphs are compared with graphs and events with events; where only the other has a
    graph, with the graph. JAX is compared by the host clock.
    """
    ways = case.get("ways", {})
    mine = ways.get(OURS, {})
    found = {}
    for name, way in ways.items():
        pair = None if name.startswith(OURS) else _comparable(mine, way)
        if pair is not None:
            found[name] = pair[1] / pair[0]
    return found


def _comparable(mine: dict, other: dict) -> Optional[tuple[float, float]]:
    for one, two in (
        *(("graph", "graph"), ("events", "graph")),
        *(("events", "events"), ("host", "host")),
    ):
        a, b = best(mine, one), best(other, two)
        if a is not None and b is not None and not (one != two and "graph" in mine):
            return a, b
    return None


def speedup(case: dict[str, Any]) -> Optional[float]:
    """To the fastest other way; None without any."""
    return min(rivals(case).values(), default=None)


def ceilings(record: dict[str, Any]) -> tuple[Optional[float], Optional[float]]:
    """Bytes and operations of a microsecond that the device can do, as measured."""
    cases = record["cases"]
    return _rate(cases, "ceiling copy", "bytes"), _rate(
        cases, "ceiling matmul bf16", "flops"
    )


def _rate(cases: dict, name: str, what: str) -> Optional[float]:
    case = cases.get(name, {})
    times = [t for t in map(best_event, case.get("ways", {}).values()) if t]
    return case[what] / min(times) if times else None


def best_event(way: dict[str, Any]) -> Optional[float]:
    """By events, as ceilings are."""
    return best(way, "events") if "events" in way else None


def verdicts(record: dict[str, Any]) -> Iterator[Verdict]:
    """Every target of the issue for which something was measured."""
    copy, _ = ceilings(record)
    cases = record["cases"]
    for target, names, value, least in TARGETS:
        known = partial(value, copy) if value is _of_copy else value
        yield from _judged(target, _named(cases, names), known, least)
    yield from _absolute(cases)


def _named(cases: dict, names: tuple[str, ...]) -> dict[str, Any]:
    return {n: c for n, c in cases.items() if n.startswith(names)}


def _of_copy(copy: Optional[float], case: dict) -> Optional[float]:
    """The share of the copy bandwidth."""
    time = best(case.get("ways", {}).get(OURS, {}))
    return case["bytes"] / time / copy if time and copy and case.get("bytes") else None


def _cublas(case: dict) -> Optional[float]:
    return rivals(case).get("torch eager")


def _searched(case: dict) -> Optional[float]:
    """The fastest of the ways that are compiled with a search."""
    ratios = rivals(case).items()
    return min((r for name, r in ratios if "max-autotune" in name), default=None)


TARGETS: tuple[tuple[str, tuple[str, ...], Callable, float], ...] = (
    (
        "pointwise and norms at 0.90 of the copy bandwidth",
        *((*POINTWISE, *NORMS), _of_copy, 0.9),
    ),
    (
        "softmax, norms and losses as fast as the fastest other",
        *((*NORMS, "softmax", "log_softmax", "cross_entropy"), speedup, 1.0),
    ),
    ("bf16 matmul at 0.95 of cuBLAS from 1024 up", ("matmul",), _cublas, 0.95),
    ("matmul with an epilogue ahead of the fastest other", ("linear",), speedup, 1.0),
    ("attention as fast as the fastest other", ("attention",), speedup, 1.0),
    (
        "whole steps ahead of torch.compile max-autotune with CUDA graphs",
        *(("step",), _searched, 1.0),
    ),
)


def _judged(target: str, cases: dict, value: Callable, least: float) -> Iterator:
    if target.startswith("bf16"):
        cases = {n: c for n, c in cases.items() if "bf16" in n and "x512 " not in n}
    found = {n: value(c) for n, c in cases.items()}
    known = {n: v for n, v in found.items() if v is not None}
    wrong = [n for n, c in cases.items() if _failed(c)]
    if not known and not wrong:
        return
    met = sum(v >= least for v in known.values())
    worst = min(known, key=known.__getitem__, default="")
    said = f"{known[worst]:.2f} in {worst}" if worst else ""
    if wrong:
        said = f"not measured: {', '.join(wrong[:3])}; {said}".rstrip("; ")
    yield Verdict(target, met, len(known) + len(wrong), said)


def _failed(case: dict[str, Any]) -> bool:
    way = case.get("ways", {}).get(OURS, {})
    return "problem" in case or "problem" in way


def _absolute(cases: dict[str, Any]) -> Iterator[Verdict]:
    """What is asked in microseconds and seconds."""
    call = best(cases.get("dispatch", {}).get("ways", {}).get(OURS, {}), "host")
    if call is not None:
        yield Verdict("a cached call under 10 us", call < 10, 1, f"{call:.1f} us")
    made = cases.get("compile fifty operations", {}).get("ways", {}).get(OURS, {})
    for key, words, most in (
        ("cold", "fifty operations compiled cold under 1 s", 1.0),
        ("from_disk", "the same from the disk cache under 30 ms", 0.03),
    ):
        seconds = made.get(key, {}).get("call_s")
        if seconds is not None:
            yield Verdict(words, seconds < most, 1, f"{seconds * 1e3:.0f} ms")
