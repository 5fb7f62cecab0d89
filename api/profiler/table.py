"""Events that belong together, summed, and as a table."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import Iterable, Optional

from ...tracer.where import file_of
from .events import Event

__all__ = ["Average", "Averages", "averages"]

_TOTALS = ("cpu_time_total", "cuda_time_total", "device_time_total")
_KEYS = {
    **{f"{own}{name}": "total" for own in ("", "self_") for name in _TOTALS},
    **{name: "mean" for name in ("cpu_time", "cuda_time", "device_time")},
    "count": "count",
    "bytes": "bytes",
    "total": "total",
    "mean": "mean",
}


@dataclass(frozen=True)
class Average:
    """All events of one kind, name and line: times in microseconds."""

    kind: str
    key: str
    line: Optional[str]
    count: int
    total: float
    bytes: int

    @property
    def mean(self) -> float:
        """Microseconds of one of them."""
        return self.total / self.count

    @property
    def cpu_time_total(self) -> float:
        """PyTorch's name for `total`."""
        return self.total

    self_cpu_time_total = cuda_time_total = self_cuda_time_total = cpu_time_total
    device_time_total = self_device_time_total = cpu_time_total

    @property
    def cpu_time(self) -> float:
        """PyTorch's name for `mean`."""
        return self.mean

    cuda_time = device_time = cpu_time


class Averages(list):
    """A list of Average that can be printed as a table."""

    def table(
        self,
        sort_by: Optional[str] = "total",
        row_limit: int = 100,
        max_name_column_width: int = 44,
    ) -> str:
        """Kernels, eager operations and copies, the longest first; then the rest.

        `sort_by` is "total", "mean", "count", "bytes", one of PyTorch's names for
        these, or None for the order of the program. ValueError for another one.
        """
        rows = _sorted(self, sort_by)
        parts = [row for row in rows if row.kind in _PARTS]
        whole = sum(row.total for row in parts) or 1.0
        lines = [_HEAD.format(*_TITLES), "-" * 100]
        wide = max_name_column_width
        lines += [_row(row, whole, wide) for row in parts[:row_limit]]
        if len(parts) > row_limit:
            lines.append(f"... and {len(parts) - row_limit} more")
        lines.append(
            f"{_time(whole if parts else 0.0)} in kernels and eager operations"
        )
        for row in rows:
            if row.kind in ("program", "range"):
                times = f"{row.count}x, {_time(row.total)}, {_time(row.mean)} each"
                lines.append(f"{row.kind} {row.key}: {times}")
        return "\n".join(lines)


def averages(events: Iterable[Event]) -> Averages:
    """Events summed by kind, name and line, in the order in which they first came."""
    sums: dict[tuple, list] = {}
    for e in events:
        count = sums.setdefault((e.kind, e.name, e.line), [0, 0, 0])
        count[0] += 1
        count[1] += e.end - e.start
        count[2] += e.bytes
    return Averages(
        Average(kind, name, line, n, time / 1e3, size)
        for (kind, name, line), (n, time, size) in sums.items()
    )


_PARTS = {"kernel": "", "eager": " (eager)", "host": " (on the host)", "copy": ""}
_HEAD = "{:>10} {:>6} {:>9} {:>6} {:>10} {:>7}  {}"
_TITLES = ("total", "%", "mean", "calls", "bytes", "GB/s", "what, and your line")


def _sorted(rows: list, sort_by: Optional[str]) -> list:
    if sort_by is None:
        return list(rows)
    key = _KEYS.get(sort_by)
    if key is None:
        known = ", ".join(_KEYS)
        raise ValueError(f"a profile is sorted by one of {known}, not {sort_by!r}")
    return sorted(rows, key=lambda row: -getattr(row, key))


def _row(row: Average, whole: float, wide: int) -> str:
    rate = row.bytes / row.total / 1e3 if row.total else 0.0
    name = row.key + _PARTS[row.kind]
    name = name if len(name) <= wide else name[: wide - 3] + "..."
    text = f"{name:{wide}} {_with_text(row.line)}".rstrip()
    each = row.bytes // row.count
    share = f"{100 * row.total / whole:.1f}"
    return _HEAD.format(
        _time(row.total), share, _time(row.mean), row.count, each, f"{rate:.1f}", text
    )


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.2f} {unit}"
    return f"{microseconds:.1f} us"


def _with_text(line: Optional[str]) -> str:
    """ "file.py:12  loss = f(x)"."""
    if line is None:
        return ""
    path, number = file_of(line), line.rpartition(":")[2]
    text = linecache.getline(path, int(number)).strip() if path else ""
    return f"{line}  {text}".rstrip()
