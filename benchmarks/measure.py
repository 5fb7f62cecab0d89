"""One case: first whether each way to compute it is right, then how long it takes."""

from __future__ import annotations

import gc
from typing import Any, Optional, Sequence

import numpy as np
from tracefuse.kernels.gpu.simulated import SimulatedDevice

from .accuracy import distance, limit, reference
from .clock import TooLong, at_most, interleaved, summary
from .corpus import Case
from .ours import Entrant, Ours

__all__ = ["Setting", "measure", "ways"]

ANSWER = 60.0  # seconds to record, compile and choose in
SEARCH = 100.0  # the same for a mode that searches


class Setting:
    """What measures: `ours` in its two modes, the `peers`, the real `torch` or None."""

    def __init__(
        self, ours: Sequence[Ours], peers: Sequence, torch: Any, seconds: float
    ):
        self.ours, self.peers, self.torch = list(ours), list(peers), torch
        self.seconds = seconds  # for the timing of one case
        self.simulated = isinstance(ours[0].device, SimulatedDevice)
        self.patience = 10.0 if self.simulated else 1.0

    @property
    def device(self) -> Any:
        """Where ours runs."""
        return self.ours[0].device


def measure(case: Case, setting: Setting, autotune: bool = False) -> dict[str, Any]:
    """The record of a case: who is right, how long they take, how much memory."""
    try:
        return compared(case, setting, autotune)
    finally:
        gc.collect()
        for engine in (*setting.ours, *setting.peers):
            engine.done()


def compared(case: Case, setting: Setting, autotune: bool) -> dict[str, Any]:
    """The same; what it took is still in memory."""
    who, want = reference(case, setting.torch)
    found: dict[str, Any] = {"reference": who, "limit": limit(case)}
    found.update(flops=case.flops, ways={})
    right: list[Entrant] = []
    for entrant in entrants(case, setting, autotune):
        told = checked(entrant, want, case, setting.patience)
        found["ways"][entrant.name] = told
        results = told.pop("results", 0)
        if entrant.engine is setting.ours[0] and not case.training:
            found["bytes"] = least(case, results)
        if told["correct"] is not False:
            right.append(entrant)
    for entrant, told in zip(right, timed(right, setting.seconds)):
        found["ways"][entrant.name].update(told)
    return found


def entrants(case: Case, setting: Setting, autotune: bool) -> list[Entrant]:
    """Ours, then the others; one that cannot even begin is an entrant that fails."""
    made = [each.entrant(case) for each in setting.ours]
    for peer in setting.peers:
        made += peer.entrants(case, autotune)
    return made


def checked(
    entrant: Entrant, want: Optional[list], case: Case, patience: float = 1.0
) -> dict[str, Any]:
    """Whether its answer is right: `correct` None says that nobody knows."""
    seconds = SEARCH if "max-autotune" in entrant.name else ANSWER
    try:
        with at_most(seconds * patience) as own:
            got = entrant.answer()
    except TooLong as stop:
        if stop.limit is not own:
            raise
        return {"correct": False, "problem": f"compiling {stop}"}
    except Exception as error:
        return {"correct": False, "problem": _brief(error)}
    told: dict[str, Any] = {"correct": None, "results": _count(got), **entrant.more}
    if want is not None:
        told["error"] = off = distance(got, want)
        told["correct"] = bool(off <= limit(case))
        if not told["correct"]:
            told["problem"] = f"wrong: off by {off:.2g}, {limit(case):.2g} is allowed"
    return told


def least(case: Case, results: int) -> int:
    """The bytes that must move: inputs and results once."""
    item = 4 if case.dtype == "float32" else 2
    return sum(x.bytes for x in case.inputs) + results * item


def _count(got: list) -> int:
    return sum(int(np.size(a)) for a in got)


def timed(right: Sequence[Entrant], seconds: float) -> list[dict[str, Any]]:
    """Times and memory of those that are right, taking turns."""
    told: list[dict[str, Any]] = [{} for _ in right]
    ways = []
    for entrant, notes in zip(right, told):
        notes["extra_bytes"] = entrant.engine.peak(entrant.call)
        ways.append((entrant.engine, entrant.call, _graph(entrant, notes)))
    for notes, times in zip(told, interleaved(ways, seconds)):
        notes.update(summary(times))
    return told


def _graph(entrant: Entrant, notes: dict) -> Any:
    try:
        return entrant.graph()
    except Exception as error:
        notes["no_graph"] = _brief(error)
        return None


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def ways(
    named: Sequence[tuple[str, Any, Any]], seconds: float
) -> dict[str, dict[str, Any]]:
    """Times of other things than cases: (name, engine, call), taking turns."""
    times = interleaved([(engine, call, None) for _, engine, call in named], seconds)
    return {name: summary(t) for (name, _, _), t in zip(named, times)}
