"""The user's source around the lines that a program came from."""

from __future__ import annotations

import linecache
from typing import Iterable

from ...tracer.where import file_of

__all__ = ["passages"]

_AROUND = 3  # lines of context


def passages(lines: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(file, [("file.py:12", text), ...]) for "file.py:12", ...: each file once.

    Lines between passages are left out, with one empty mark ("", "...") for them. A
    file that is not there gives the bare lines.
    """
    wanted: dict[str, set[int]] = {}
    for line in lines:
        name, _, number = line.rpartition(":")
        wanted.setdefault(name, set()).add(int(number))
    return [(name, _passage(name, numbers)) for name, numbers in wanted.items()]


def _passage(name: str, numbers: set[int]) -> list[tuple[str, str]]:
    path = file_of(f"{name}:0")
    text = linecache.getlines(path) if path else []
    if len(text) < max(numbers):
        return [(f"{name}:{n}", "") for n in sorted(numbers)]
    shown = {n + i for n in numbers for i in range(-_AROUND, _AROUND + 1)}
    rows, before = [], 0
    for n in sorted(n for n in shown if 1 <= n <= len(text)):
        if before and n > before + 1:
            rows.append(("", "..."))
        rows.append((f"{name}:{n}", text[n - 1].rstrip("\n")))
        before = n
    return rows
