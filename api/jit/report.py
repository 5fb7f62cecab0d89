"""What `explain` says: what was compiled, on what it relies, why it recorded."""

from __future__ import annotations

from typing import Any

from ...tracer.later import Later
from .unpack import Kind

__all__ = ["Report"]

logging = Later("logging")


def _log() -> Any:
    return logging.getLogger("tracefuse.jit")


class Report:
    """The history of one jitted function."""

    def __init__(self, name: str):
        self.name = name
        self.recordings = 0
        self.failures = 0
        self.reasons: dict[str, int] = {}

    def kept(self, path: Any) -> None:
        """A recording became a path."""
        self.recordings += 1
        _log().info("%s: recorded, %d guards", self.name, len(path.guards))

    def not_kept(self, why: str) -> None:
        """A recording was used once and could not be kept."""
        self.recordings += 1
        self.failures += 1
        self.reasons[why] = self.reasons.get(why, 0) + 1
        _log().info("%s: recorded, not kept: %s", self.name, why)

    def text(self, entries: list) -> str:
        """All of it in words."""
        lines = [
            f"{self.name}: {self.recordings} recordings, {len(entries)} signatures"
        ]
        for why, count in self.reasons.items():
            lines.append(f"  not kept ({count}x): {why}")
        for entry in entries:
            lines += _entry_lines(entry)
        return "\n".join(lines)


def _entry_lines(entry: Any) -> list[str]:
    kinds = [_describe(x) for x in entry.leaves]
    lines = [f"  signature ({', '.join(kinds)})"]
    for path in entry.tree.paths:
        nodes = len(path.program.nodes()) - len(path.program.inputs)
        lines.append(
            f"    path: {nodes} operations, {len(path.writes)} tensors written"
        )
        for outcome, line in zip(path.guards, path.lines):
            lines.append(f"      guard at {line}: {outcome}")
        for text, outcome in path.sizes:
            lines.append(f"      size: {text} is {outcome}")
    for made in entry.executables:
        kernels = [k for k in made.kernels if not _VIEWS.issuperset(k.ops)]
        lines.append(f"    compiled {made.name}: {len(kernels)} kernels")
        for kernel in kernels:
            lines.append(f"      {kernel.line or '?'}: {_shortened(kernel.ops)}")
    places = sum(len(pins.places) for pins in entry.pins)
    lines.append(f"    watched: {places} Python values")
    return lines


_VIEWS = frozenset(("permute", "reshape", "expand", "slice", "windows"))


def _shortened(ops: tuple) -> str:
    """The operations of a kernel; a long list by its ends."""
    if len(ops) <= 12:
        return " ".join(ops)
    return f"{' '.join(ops[:6])} ... {' '.join(ops[-4:])} ({len(ops)} operations)"


def _describe(x: Any) -> str:
    if isinstance(x, Kind):
        return f"{x.dtype}{list(x.shape)}"
    text = repr(x)
    return text if len(text) < 40 else type(x).__name__
