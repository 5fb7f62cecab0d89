"""The table of what `python -m benchmarks.gpu` measured.

    python -m benchmarks.report FILE.json [--markdown]

Times are medians in microseconds: of a replayed CUDA graph, else by events around the
call, else by the host clock. `x best` is how many times as long the fastest other way
takes (above 1, tracefuse is ahead), `of copy` the share of the measured copy bandwidth,
counting inputs and results once, `of matmul` that of the measured bf16 rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from .targets import OURS, best, ceilings, rivals, verdicts

__all__ = ["main", "report"]

HEADS = ("case", "us", "x best", "best other", "of copy", "of matmul", "extra", "note")


def row(name: str, case: dict[str, Any], ceiling: tuple) -> tuple[str, ...]:
    """A case in a line."""
    mine = case.get("ways", {}).get(OURS, {})
    time, others = best(mine), rivals(case)
    fastest = min(others, key=others.__getitem__, default=None)
    rates = [
        share(case.get(what), time, most)
        for what, most in zip(("bytes", "flops"), ceiling)
    ]
    return (
        name,
        f"{time:.1f}" if time else "-",
        f"{others[fastest]:.2f}" if fastest else "-",
        fastest or "-",
        *rates,
        amount(mine.get("extra_bytes")),
        note(case, mine),
    )


def share(work: Any, time: Optional[float], most: Optional[float]) -> str:
    """Work in a time, of the most that can be."""
    return f"{work / time / most:.2f}" if work and time and most else "-"


def amount(size: Optional[int]) -> str:
    """Bytes for people."""
    return "-" if size is None else f"{size / 1e6:.1f} MB"


def note(case: dict[str, Any], mine: dict[str, Any]) -> str:
    """What is wrong, or was not checked, or how it was timed."""
    problem = case.get("problem") or mine.get("problem")
    if problem:
        return problem
    if "warned" in mine:
        return mine["warned"][0]
    if mine and mine.get("correct", True) is None:
        return "not checked"
    kinds = [kind for kind in ("graph", "events", "host") if kind in mine]
    return {"events": "by events", "host": "host clock"}.get(next(iter(kinds), ""), "")


def special(cases: dict[str, Any]) -> Iterator[str]:
    """What is no case: the cost of a call, and of compiling."""
    for name, way in cases.get("dispatch", {}).get("ways", {}).items():
        yield f"a call of a small program, {name}: {best(way):.2f} us"
    made = cases.get("compile fifty operations", {}).get("ways", {})
    for name, way in made.items():
        for when in ("cold", "from_disk"):
            told = way.get(when, {})
            if "call_s" in told:
                seconds = f"{told['call_s']:.3f} s"
                yield f"first call of 50 operations, {name} {when}: {seconds}"


def about(record: dict[str, Any]) -> Iterator[str]:
    """Device and versions of each run."""
    for head in record["runs"]:
        versions = ", ".join(f"{k} {v}" for k, v in head["versions"].items() if v)
        driver = head.get("driver", {}).get("driver_version", "")
        name = f"{head['device']} ({head['target']})"
        more = f", driver {driver}" if driver else ""
        yield f"{head['date']}: {name}{more}, Python {head['python']}, {versions}"
        if head["simulated"]:
            yield "SIMULATED: the times are those of an interpreter and say nothing"
    copy, matmul = ceilings(record)
    if copy:
        yield f"copy: {copy / 1e6:.2f} TB/s, bytes read and written"
    if matmul:
        yield f"bf16 matmul, cuBLAS at 8192: {matmul / 1e6:.0f} TFLOP/s"
    if record["left"]:
        yield f"not measured yet: {len(record['left'])} cases"


def aimed(record: dict[str, Any]) -> Iterator[str]:
    """The targets and whether they are met."""
    for each in verdicts(record):
        said = "met" if each.met == each.of else f"met in {int(each.met)} of {each.of}"
        yield f"{each.target}: {said} ({each.worst})"


def report(record: dict[str, Any], markdown: bool = False) -> str:
    """All of it."""
    ceiling = ceilings(record)
    cases = record["cases"]
    lines = [row(n, c, ceiling) for n, c in cases.items() if "reference" in c]
    failed = [f"{n}: {c['problem']}" for n, c in cases.items() if "problem" in c]
    parts = [
        *listed(about(record), markdown),
        "",
        *table([HEADS, *lines], markdown),
        "",
        *listed([*special(cases), *failed], markdown),
        "",
        *listed(aimed(record), markdown),
    ]
    return "\n".join(parts)


def listed(lines: Iterator[str] | Sequence[str], markdown: bool) -> list[str]:
    """A list, or plain lines."""
    return [f"- {line}" if markdown else line for line in lines]


def table(rows: Sequence[Sequence[str]], markdown: bool) -> list[str]:
    """In columns; the first row names them."""
    if markdown:
        made = ["| " + " | ".join(each) + " |" for each in rows]
        return [made[0], "|" + " --- |" * len(rows[0]), *made[1:]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    pairs = (zip(each, widths) for each in rows)
    return ["  ".join(t.ljust(w) for t, w in each).rstrip() for each in pairs]


def main(arguments: Any = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    record = json.loads(options.file.read_text(encoding="utf-8"))
    print(report(record, options.markdown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
