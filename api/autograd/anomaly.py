"""Anomaly mode: which line made the first NaN of a gradient."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Iterable, Optional

import numpy as np

from ...tracer.graph import Value
from ...tracer.where import user_level
from ..arrays.grad_fn import step_name
from ..config import config
from ..engine import unpacked
from ..history import saving

if TYPE_CHECKING:
    from .python import Numbers

__all__ = ["detect_anomaly", "set_detect_anomaly", "is_anomaly_enabled"]
__all__ += ["is_anomaly_check_nan_enabled"]


class Mode:
    """Whether anomaly mode is on, and whether it looks for NaN."""

    on = False
    check_nan = True
    jit = False  # whether jit was disabled before


mode = Mode()


class set_detect_anomaly:
    """Switch anomaly mode: as a statement or a context.

    While it is on, operations remember the user's line, jitted functions run as plain
    Python, and with `check_nan` a backward raises RuntimeError at the first NaN. The
    message names the operation whose derivative made it, its line, and where in the
    forward the first NaN arose, if there was one.
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self.before = _now()
        _switch(bool(mode), check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        _switch(*self.before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode for the length of a `with`.

    >>> import tracefuse as torch
    >>> x = torch.tensor([-1.0], requires_grad=True)
    >>> with detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output. ...
    """

    def __init__(self, check_nan: bool = True):
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime "
            "and should only be enabled for debugging.",
            stacklevel=user_level(),
        )
        super().__init__(True, check_nan)


def _now() -> tuple[bool, bool]:
    return mode.on, mode.check_nan


def _switch(on: bool, check_nan: bool) -> None:
    if on and not mode.on:
        mode.jit, config.disable_jit = config.disable_jit, True
    elif mode.on and not on:
        config.disable_jit = mode.jit
    mode.on, mode.check_nan, saving.lines = on, check_nan, on


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return mode.on


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return mode.check_nan


class Finder:
    """Follows a backward step by step and stops it at the first NaN."""

    def __init__(self) -> None:
        self.before: Optional[Value] = None  # whose derivative was taken last

    def check(self, numbers: Numbers, sums: dict, v: Value) -> None:
        """Look at what the derivative before that of `v` has added."""
        last, self.before = self.before, v
        if last is None:
            return
        for i, arg in enumerate(last.args):
            for g in _values(sums.get(arg.id)):
                if _has_nan(numbers.array(g)):
                    raise RuntimeError(_report(numbers, last, i))


def _values(g: Any) -> Iterable[Value]:
    if g is None:
        return ()
    return g.values() if isinstance(g, dict) else (g,)


def _has_nan(array: Any) -> bool:
    return array.dtype.kind not in "biu" and bool(np.isnan(array).any())


def _report(numbers: Numbers, v: Value, index: int) -> str:
    text = f"Function '{step_name(v)}' returned nan values in its {index}th output."
    if v.line:
        text += f" It is the derivative of what {v.line} computed."
    first = _first(numbers)
    if first is not None:
        text += f" In the forward, the result of {first} has NaN already."
    return text


def _first(numbers: Numbers) -> Optional[str]:
    """The line of the oldest value of the forward that is known to hold NaN."""
    entries = (numbers.known[i] for i in sorted(numbers.known.keys() & numbers.behind))
    for v, array, *_ in entries:
        if _has_nan(unpacked(array)):
            return v.line or "something it was given"
    return None
