"""Choosing a kernel's configuration: by rule, or by the clock on first use.

What was measured is remembered on disk by device, kernel and size class: one small
file each, so that processes may share the folder. A candidate that does not compile,
does not fit or does not run is left out, which the file and the logger say.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from ...tracer.errors import CompileError
from ...tracer.later import Later
from ..folder import forget, store
from ..triton.kernel import Config, Kernel
from ..triton.native.sources import folder
from .array import DeviceArray
from .device import Device

__all__ = ["Trial", "choose", "grid_of", "measure"]

hashlib, re = Later("hashlib"), Later("re")

WARM, ROUNDS = 2, 5  # launches before the clock, launches on the clock
PATIENCE = 1.5  # seconds for one kernel; what was not tried by then is not
Trial = Callable[[Config], float]


def choose(
    kernel: Kernel,
    device: Device,
    arguments: Sequence[Any],
    timing: bool = False,
    trial: Optional[Trial] = None,
) -> Config:
    """The configuration for these arguments (arrays, then sizes as ints).

    Without `timing`, the first that compiles and fits: the same one every time. With
    it, the fastest, by `trial(config)` in milliseconds (by events, when not given),
    found on first use and remembered. CompileError when none can be used.
    """
    choices = kernel.choices(device.target)
    if not timing or len(choices) == 1:
        return _first(kernel, device)
    path = path_of(kernel, device, arguments)
    found = _remembered(path, choices)
    if found is None:
        trial = trial or measure(kernel, device, arguments)
        found, told = _fastest(kernel, device, choices, trial)
        forget(path)
        store(path, json.dumps(told).encode())
    return found


def measure(kernel: Kernel, device: Device, arguments: Sequence[Any]) -> Trial:
    """Milliseconds of one launch, by events.

    A kernel tagged "updates" reads what it writes: it works on copies meanwhile.
    """
    if "updates" in kernel.tags:
        arguments = [_copied(device, a) for a in arguments]
    sizes = {p.name: a for p, a in zip(kernel.params, arguments) if p.type[0] != "*"}

    def trial(config: Config) -> float:
        grid = grid_of(kernel, config, sizes, device.multiprocessors)
        run = device.launcher(kernel, config)[grid]
        begin, end = device.new_event(True), device.new_event(True)
        for _ in range(WARM):
            run(*arguments)
        begin.record()
        for _ in range(ROUNDS):
            run(*arguments)
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / ROUNDS

    return trial


def grid_of(
    kernel: Kernel,
    config: Config,
    sizes: Optional[dict[str, int]] = None,
    multiprocessors: int = 1,
) -> tuple[int, ...]:
    """How many programs to launch, along each axis of the grid.

    >>> copy = Kernel("copy", "", (), ("cdiv(n, B)",))
    >>> grid_of(copy, Config((("B", 256),)), {"n": 1000})
    (4,)
    """
    scope: dict[str, Any] = {"cdiv": lambda a, b: -(-a // b), "min": min, "max": max}
    scope.update({"__builtins__": {}, "SMS": multiprocessors})
    scope.update({**dict(config.constants), **(sizes or {})})
    return tuple(int(eval(text, scope)) for text in kernel.grid)


def path_of(kernel: Kernel, device: Device, arguments: Sequence[Any]) -> Path:
    """The file that remembers it; kernels differ by text, sizes by powers of two."""
    facts = (kernel.source, kernel.params, kernel.configs, size_class(arguments))
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:20]
    name = re.sub(r"\W+", "_", device.name)
    return folder() / "tuned" / name / f"{kernel.name[:60]}_{digest}.json"


def size_class(arguments: Sequence[Any]) -> tuple[int, ...]:
    """Bits of each size: arguments of one class share a configuration.

    >>> size_class([1000, 1024])
    (10, 11)
    """
    counted = (a for a in arguments if isinstance(a, (DeviceArray, int)))
    sizes = (a.size if isinstance(a, DeviceArray) else a for a in counted)
    return tuple(n.bit_length() for n in sizes)


def _first(kernel: Kernel, device: Device) -> Config:
    problems = []
    for config in kernel.choices(device.target):
        try:
            device.launcher(kernel, config)
            return config
        except CompileError as error:
            problems.append(_left_out(kernel, config, error))
    raise CompileError(_none(kernel, problems))


def _fastest(
    kernel: Kernel, device: Device, choices: Sequence[Config], trial: Trial
) -> tuple[Config, dict]:
    """The fastest, and what there is to tell about the others."""
    times: dict[Config, float] = {}
    problems: list[str] = []
    begin = time.monotonic()
    for config in choices:
        if times and time.monotonic() - begin > PATIENCE:
            break  # the best guesses came first
        try:
            device.launcher(kernel, config)
            times[config] = trial(config)
        except Exception as error:  # compilers and drivers raise what they like
            problems.append(_left_out(kernel, config, error))
    if not times:
        raise CompileError(_none(kernel, problems))
    best = min(times, key=lambda config: times[config])
    took = [[_plain(config), ms] for config, ms in times.items()]
    return best, {"chosen": _plain(best), "took": took, "left out": problems}


def _left_out(kernel: Kernel, config: Config, error: Exception) -> str:
    """Says so, to whoever listens."""
    said = f"{_plain(config)}: {error}"
    logging.getLogger("tracefuse.tuning").info("%s without %s", kernel.name, said)
    return said


def _none(kernel: Kernel, problems: list[str]) -> str:
    where = f" ({kernel.line})" if kernel.line else ""
    tried = "".join(f"\n  {p}" for p in problems)
    return f"no configuration of {kernel.name}{where} can be used:{tried}"


def _remembered(path: Path, choices: Sequence[Config]) -> Optional[Config]:
    """What the file says, if it is still one of the candidates."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["chosen"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return next((c for c in choices if _plain(c) == told), None)


def _plain(config: Config) -> dict[str, Any]:
    constants = [list(pair) for pair in config.constants]
    return {"constants": constants, "warps": config.warps, "stages": config.stages}


def _copied(device: Device, argument: Any) -> Any:
    if not isinstance(argument, DeviceArray):
        return argument
    copy = device.empty(argument.shape, argument.dtype, "copy for timing")
    device.copy(copy, argument)
    return copy
