"""`python -m tracefuse bench`: the same programs by what is installed, side by side.

Every way has to give the same numbers before it is timed. Then the ways take turns in
rounds, so that a machine that grows slow is slow for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Callable, Iterator

import numpy as np

from ..version import __version__
from .contest import CONTESTS, Contest

__all__ = ["run"]

ROUNDS, ROUND = 7, 0.04  # rounds, seconds of one at least
Way = Callable[[], Any]


def run(options: argparse.Namespace) -> int:
    """Print a table for each program; 1 if a way gave other numbers than the first."""
    chosen = [c for c in CONTESTS if options.only in c.name]
    if not chosen:
        print(f"no program has {options.only!r} in its name")
        return 2
    record: dict[str, Any] = {"versions": versions(), "programs": {}}
    print("  ".join(f"{name} {text}" for name, text in record["versions"].items()))
    for contest in chosen:
        record["programs"][contest.name] = times = compare(contest)
        print(f"\n{contest.name}", *lines(times), sep="\n")
    if options.out:
        text = json.dumps(record, indent=1)
        Path(options.out).write_text(text, encoding="utf-8")
    wrong = [t for p in record["programs"].values() for t in p.values() if not t]
    return 1 if wrong else 0


def versions() -> dict[str, str]:
    """What takes part, and on what."""
    found = {"tracefuse": __version__, "numpy": np.__version__}
    for name in filter(find_spec, ("torch", "jax")):
        found[name] = import_module(name).__version__
    python = platform.python_version()
    return {**found, "python": python, "processors": str(os.cpu_count())}


def compare(contest: Contest) -> dict[str, dict[str, float]]:
    """Least and median seconds of a call by each way; nothing for one that is wrong."""
    built = dict(ways(contest))
    first, *_ = results = [numbers(way()) for way in built.values()]
    right = [np.allclose(first, r, rtol=1e-3, atol=1e-4) for r in results]
    racing = [way for way, good in zip(built.values(), right) if good]
    counts = [repeats(way) for way in racing]
    rounds = [[*map(seconds, racing, counts)] for _ in range(ROUNDS)]
    measured = iter([{"min": min(t), "median": median(t)} for t in zip(*rounds)])
    return {n: next(measured) if ok else {} for n, ok in zip(built, right)}


def ways(contest: Contest) -> Iterator[tuple[str, Way]]:
    """Each way to run a program that is possible here, by its name."""
    tracefuse = import_module("tracefuse")  # the face, as a user has it
    ours = tracefuse.from_numpy
    yield "tracefuse.jit", ready(*contest.torch(tracefuse, ours), tracefuse.jit)
    yield "tracefuse", ready(*contest.torch(tracefuse, ours))
    if contest.numpy:
        yield "numpy", ready(*contest.numpy(np, lambda a: a))
    if find_spec("torch"):
        torch = import_module("torch")
        yield "torch", ready(*contest.torch(torch, torch.from_numpy))
    if contest.jax and find_spec("jax"):
        jax = import_module("jax")
        wait, put = jax.block_until_ready, jax.numpy.asarray
        jitted = ready(*contest.jax(jax, put))
        yield "jax.jit", lambda: wait(jitted())


def ready(function: Callable, arguments: tuple, wrap: Callable = lambda f: f) -> Way:
    """A call of no arguments."""
    wrapped = wrap(function)
    return lambda: wrapped(*arguments)


def numbers(result: Any) -> np.ndarray:
    """A result as a NumPy array."""
    return np.asarray(result.detach() if hasattr(result, "detach") else result)


def seconds(way: Way, count: int) -> float:
    """Of one call, out of so many in a row."""
    began = time.perf_counter()
    for _ in range(count):
        way()
    return (time.perf_counter() - began) / count


def repeats(way: Way) -> int:
    """How many calls fill a round; the first of them compile and are not timed."""
    for _ in range(3):
        way()
    count = 1
    while seconds(way, count) * count < ROUND:
        count *= 2
    return count


def lines(times: dict[str, dict[str, float]]) -> Iterator[str]:
    """A row for each way: least, median, and how often ours goes into it."""
    ours = times["tracefuse.jit"].get("min")
    for name, found in times.items():
        if not found:
            yield f"  {name:15} gives other numbers: not timed"
            continue
        low, middle = (_said(found[key]) for key in ("min", "median"))
        ratio = f"{found['min'] / ours:6.2f} x" if ours else ""
        yield f"  {name:15}{low}  median{middle}  {ratio}"


def _said(duration: float) -> str:
    scale, unit = (1e3, "ms") if duration >= 1e-3 else (1e6, "us")
    return f"{duration * scale:9.2f} {unit}"
