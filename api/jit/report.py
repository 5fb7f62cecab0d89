"""What `explain` says: what was compiled, on what it relies, why it recorded."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Optional

from ...tracer.later import Later
from .again import described, place_name

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
        self.causes: dict[str, int] = {}  # why it recorded
        self.notes: dict[str, None] = {}  # of loops that Python drives
        self.plain = 0  # calls that ran as plain Python

    def asked(self, why: str) -> None:
        """A call records, for this reason."""
        why = why if self.causes else "it was the first call"
        self.causes[why] = self.causes.get(why, 0) + 1
        while len(self.causes) > _MOST:
            del self.causes[next(iter(self.causes))]

    def kept(self, path: Any) -> None:
        """A recording became a path."""
        self.recordings += 1
        _log().info("%s: recorded, %d guards", self.name, len(path.guards))

    def not_kept(self, why: str, notes: Iterable[str] = ()) -> None:
        """A recording was used once and could not be kept."""
        self.notes.update((note, None) for note in list(notes)[:_MOST])
        self.recordings += 1
        self.failures += 1
        self.reasons[why] = self.reasons.get(why, 0) + 1
        _log().info("%s: recorded, not kept: %s", self.name, why)

    def ran_plain(self) -> None:
        """Computing failed, and plain Python ran to say why."""
        self.plain += 1

    def text(self, entries: list, notes: Iterable[str] = ()) -> str:
        """All of it in words."""
        kept = _many(len(entries), "signature")
        lines = [f"{self.name}: {_many(self.recordings, 'recording')}, {kept} kept"]
        for why, count in self.causes.items():
            lines.append(f"  recorded ({count}x): {why}")
        for why, count in self.reasons.items():
            lines.append(f"  not kept ({count}x): {why}")
        lines += [f"  {note}" for note in self.notes]
        if self.failures:
            slow = _many(self.failures, "call")
            lines.append(f"  slow path: in {slow} Python ran, with compiled pieces")
        if self.plain:
            lines.append(
                f"  slow path: {_many(self.plain, 'call')} ran as plain Python"
            )
        lines += [f"  {note}" for note in notes]
        for entry in entries:
            lines += _entry_lines(entry)
        return "\n".join(lines)


_MOST = 100  # causes remembered


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _entry_lines(entry: Any) -> Iterator[str]:
    yield f"  signature ({', '.join(map(described, entry.leaves))}){_modes(entry)}"
    paths = entry.tree.paths
    for n, path in enumerate(paths):
        yield from _path_lines(path, paths[:n])
    for made in entry.executables:
        yield from _kernel_lines(made)
    yield from _watched(entry.pins)


def _modes(entry: Any) -> str:
    said = [] if entry.grad else ["without gradients"]
    said += ["under autocast"] if entry.autocast is not None else []
    return f", {' and '.join(said)}" if said else ""


def _path_lines(path: Any, before: list) -> Iterator[str]:
    nodes = len(path.program.nodes()) - len(path.program.inputs)
    done, written = _many(nodes, "operation"), _many(len(path.writes), "tensor")
    yield f"    path: {done}, {written} written{_parting(path, before)}"
    yield from (f"      {note}" for note in path.notes)
    for outcome, line in zip(path.guards, path.lines):
        yield f"      guard at {line}: {outcome}"
    lines = getattr(path, "size_lines", {})
    for text, outcome in path.sizes:
        at = lines.get(text)
        yield f"      size: {text} is {outcome}{f' (guard at {at})' if at else ''}"
    followed = [str(s.spot.key or "a closure cell") for s in path.scalars.sources]
    if followed:
        yield f"      follows the numbers {', '.join(followed)}"


def _parting(path: Any, before: list) -> str:
    """Where it leaves the ways that were recorded before it."""
    best: Optional[int] = None
    for other in before:
        same = 0
        for a, b in zip(path.guards, other.guards):
            if a != b:
                break
            same += 1
        best = max(same, best or 0)
    if best is None or best >= len(path.lines):
        return ""
    return f"; recorded since {path.lines[best]} came out {path.guards[best]}"


def _kernel_lines(made: Any) -> Iterator[str]:
    slow = getattr(made, "slow", ())  # of a GPU program: what has no kernel
    kernels = [k for k in made.kernels if not _VIEWS.issuperset(k.ops)]
    kernels = [k for k in kernels if not k.name.startswith("host ")]
    yield f"    compiled {made.name}: {_many(len(kernels), 'kernel')}"
    for kernel in kernels:
        yield f"      {kernel.line or '?'}: {_shortened(kernel.ops)}"
    for op, line in slow:
        yield f"      {line or '?'}: {op} on the host, with copies (no kernel for it)"
    choices = getattr(made, "choices", 0)
    if choices:
        said = "kernels are shared where only numbers differ"
        yield f"      made for each choice of sizes: {choices} so far; {said}"
    if getattr(made, "fallen", False):
        yield "      all of it on the host, with copies: it did not compile for the GPU"


_VIEWS = frozenset(("permute", "reshape", "expand", "slice", "windows"))


def _shortened(ops: tuple) -> str:
    """The operations of a kernel; a long list by its ends."""
    if len(ops) <= 12:
        return " ".join(ops)
    return f"{' '.join(ops[:6])} ... {' '.join(ops[-4:])} ({len(ops)} operations)"


def _watched(every: list) -> Iterator[str]:
    """What Python state is checked at each call, by name."""
    names: dict[str, None] = {}
    count = 0
    for pins in every:
        count += len(pins.places)
        names.update((place_name(c, key), None) for c, key, _ in pins.places)
    shown = ", ".join(list(names)[:_NAMES]) + (", ..." if len(names) > _NAMES else "")
    yield f"    watched: {count} Python values{f': {shown}' if shown else ''}"
    told = sum(bool(pins.watched) for pins in every)
    if told:
        yield "    watched: modules, optimizers and settings, which tell of changes"


_NAMES = 8
