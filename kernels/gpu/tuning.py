"""Choosing a kernel's configuration: by rule, or by the clock on first use.

What was measured is remembered on disk by device, kernel and size class: one small
file each, so that processes may share the folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

from ...tracer.errors import CompileError, DeviceError
from ...tracer.later import Later
from ..folder import forget, store
from ..triton.kernel import Config, Kernel
from ..triton.native.sources import folder
from .array import DeviceArray
from .device import Device

__all__ = ["Trial", "choose", "grid_of", "measure"]

hashlib, re = Later("hashlib"), Later("re")

WARM, ROUNDS = 2, 5  # launches before the clock, launches on the clock
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
    if not timing or len(kernel.configs) == 1:
        return _first(kernel, device)
    path = path_of(kernel, device, arguments)
    found = _remembered(path, kernel)
    if found is None:
        found = _fastest(kernel, device, trial or measure(kernel, device, arguments))
        forget(path)
        store(path, json.dumps(_plain(found)).encode())
    return found


def measure(kernel: Kernel, device: Device, arguments: Sequence[Any]) -> Trial:
    """Milliseconds of one launch, by events.

    A kernel tagged "updates" reads what it writes: it works on copies meanwhile.
    """
    if "updates" in kernel.tags:
        arguments = [_copied(device, a) for a in arguments]
    sizes = {p.name: a for p, a in zip(kernel.params, arguments) if p.type[0] != "*"}

    def trial(config: Config) -> float:
        run = device.launcher(kernel, config)[grid_of(kernel, config, sizes)]
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
    kernel: Kernel, config: Config, sizes: Optional[dict[str, int]] = None
) -> tuple[int, ...]:
    """How many programs to launch, along each axis of the grid.

    >>> copy = Kernel("copy", "", (), ("cdiv(n, B)",))
    >>> grid_of(copy, Config((("B", 256),)), {"n": 1000})
    (4,)
    """
    scope: dict[str, Any] = {"cdiv": lambda a, b: -(-a // b), "min": min, "max": max}
    scope.update({"__builtins__": {}, **dict(config.constants), **(sizes or {})})
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
    sizes = (a.size if isinstance(a, DeviceArray) else int(a) for a in arguments)
    return tuple(n.bit_length() for n in sizes)


def _first(kernel: Kernel, device: Device) -> Config:
    problems = []
    for config in kernel.configs:
        try:
            device.launcher(kernel, config)
            return config
        except CompileError as error:
            problems.append(str(error))
    raise CompileError(_none(kernel, problems))


def _fastest(kernel: Kernel, device: Device, trial: Trial) -> Config:
    times: dict[Config, float] = {}
    problems = []
    for config in kernel.configs:
        try:
            device.launcher(kernel, config)
            times[config] = trial(config)
        except (CompileError, DeviceError) as error:
            problems.append(str(error))
    if not times:
        raise CompileError(_none(kernel, problems))
    return min(times, key=lambda config: times[config])


def _none(kernel: Kernel, problems: list[str]) -> str:
    where = f" ({kernel.line})" if kernel.line else ""
    tried = "".join(f"\n  {p}" for p in problems)
    return f"no configuration of {kernel.name}{where} can be used:{tried}"


def _remembered(path: Path, kernel: Kernel) -> Optional[Config]:
    """What the file says, if it is still one of the candidates."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return next((c for c in kernel.configs if _plain(c) == told), None)


def _plain(config: Config) -> dict[str, Any]:
    constants = [list(pair) for pair in config.constants]
    return {"constants": constants, "warps": config.warps, "stages": config.stages}


def _copied(device: Device, argument: Any) -> Any:
    if not isinstance(argument, DeviceArray):
        return argument
    copy = device.empty(argument.shape, argument.dtype, "copy for timing")
    device.copy(copy, argument)
    return copy
