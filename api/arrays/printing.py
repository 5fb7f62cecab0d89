"""Tensors as text, to the letter as PyTorch prints them.

All elements share one width and one notation. Floats that are whole print as "3.", the
others with `precision` digits, or scientifically when the largest magnitude is over a
thousand times the smallest, over 1e8, or the smallest is under 1e-4. Tensors of more
than `threshold` elements show `edgeitems` at each end of every dimension.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional

import numpy as np

from ...tracer.record import state
from ...tracer.recording.unseen import is_unseen
from ...tracer.types import bool_, int64
from ..defaults import defaults
from ..tensor import Tensor, value_of
from .grad_fn import grad_name
from .scalars import item, numbers

__all__ = ["set_printoptions", "get_printoptions", "printoptions"]


class Options:
    """How tensors are printed."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: Optional[bool] = None


options = Options()
_DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80}
_PROFILES: dict[str, dict] = {
    "default": _DEFAULT,
    "short": {**_DEFAULT, "precision": 2, "edgeitems": 2},
    "full": {**_DEFAULT, "threshold": math.inf},
}


def set_printoptions(
    precision: Optional[int] = None,
    threshold: Optional[float] = None,
    edgeitems: Optional[int] = None,
    linewidth: Optional[int] = None,
    profile: Optional[str] = None,
    sci_mode: Optional[bool] = None,
) -> None:
    """Set how tensors are printed; `profile` is "default", "short" or "full".

    `sci_mode` None (also when it is not given): the numbers decide.
    """
    given: dict = {"precision": precision, "threshold": threshold}
    given |= {"edgeitems": edgeitems, "linewidth": linewidth}
    if profile is not None:
        _set(_PROFILES[profile])
    _set({k: v for k, v in given.items() if v is not None})
    options.sci_mode = sci_mode


def _set(given: dict) -> None:
    for name, value in given.items():
        setattr(options, name, value)


def get_printoptions() -> dict[str, Any]:
    """How tensors are printed, as `set_printoptions` takes it."""
    return {name: getattr(options, name) for name in (*_DEFAULT, "sci_mode")}


@contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Print options for the length of a `with`."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


# -- one element


def _formatter(array: np.ndarray) -> tuple[Callable[[Any], str], int]:
    """(how to print an element, the width of all) from what will be shown."""
    if array.dtype.kind in "biu":
        width = max([1, *(len(str(x)) for x in array.reshape(-1).tolist())])
        return (lambda x: str(x).rjust(width)), width
    known = array[np.isfinite(array) & (array != 0)].tolist()
    spell = _notation(known)
    width = max([1, *(len(spell(x)) for x in known)])
    return (lambda x: spell(x).rjust(width)), width


def _notation(known: list) -> Callable[[float], str]:
    digits = options.precision
    if _is_scientific(known):
        return lambda x: f"{x:.{digits}e}"
    if all(x == math.ceil(x) for x in known):
        return lambda x: f"{x:.0f}." if math.isfinite(x) else f"{x:.0f}"
    return lambda x: f"{x:.{digits}f}"


def _is_scientific(known: list) -> bool:
    if options.sci_mode is not None and known:
        return options.sci_mode
    if not known:
        return False
    magnitudes = [abs(x) for x in known]
    low, high = min(magnitudes), max(magnitudes)
    return high / low > 1000 or high > 1e8 or low < 1e-4


# -- the brackets


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that a summary shows."""
    k = options.edgeitems
    for axis, n in enumerate(array.shape):
        if n > 2 * k:
            array = array.take([*range(k), *range(n - k, n)], axis)
    return array


def _body(array: np.ndarray, indent: int) -> str:
    if not array.size:
        return "[]"
    if array.dtype.kind == "V" or array.dtype.itemsize < 4 and array.dtype.kind == "f":
        array = array.astype(np.float32)
    short = array.size > options.threshold
    shown = _edges(array) if short else array
    if shown.dtype.kind == "f":
        shown = shown.astype(np.float64)
    form, width = _formatter(shown)
    return _brackets(array, indent, short, form, width)


def _brackets(
    array: np.ndarray, indent: int, short: bool, form: Callable, width: int
) -> str:
    if not array.ndim:
        return form(array.item())
    if array.ndim == 1:
        return _row(array, indent, short, form, width)
    k, n = options.edgeitems, len(array)
    cut = short and n > 2 * k
    places = [*range(k), *range(n - k, n)] if cut else range(n)
    rows = [_brackets(array[i], indent + 1, short, form, width) for i in places]
    if cut:
        rows.insert(k, "...")
    gap = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + gap.join(rows) + "]"


def _row(
    array: np.ndarray, indent: int, short: bool, form: Callable, width: int
) -> str:
    k = options.edgeitems
    if short and not k:
        words = ["..."]
    elif short and len(array) > 2 * k:
        left, right = array[:k].tolist(), array[-k:].tolist()
        words = [*map(form, left), " ...", *map(form, right)]
    else:
        words = [form(x) for x in array.tolist()]
    per_line = max(1, (options.linewidth - indent) // (width + 2))
    lines = [words[i : i + per_line] for i in range(0, len(words), per_line)]
    gap = ",\n" + " " * (indent + 1)
    return "[" + gap.join(", ".join(line) for line in lines) + "]"


# -- the whole


def _text(self: Tensor) -> str:
    prefix = "tensor(" if _is_plain(self) else f"{type(self).__name__}("
    if state.recorder is not None and is_unseen(value_of(self)):
        return f"{prefix}one of many, size={tuple(self.shape)}, dtype={self.dtype})"
    array = numbers(self, "printing")
    body = _body(array, len(prefix))
    return _with_notes(prefix + body, _notes(self, array), len(prefix))


def _is_plain(t: Tensor) -> bool:
    return type(t) is Tensor or type(t).__name__ == "Parameter"


def _notes(t: Tensor, array: np.ndarray) -> list[str]:
    notes, dtype = [], t.dtype
    usual = dtype is defaults.dtype
    if not array.size:
        if array.ndim != 1:
            notes.append(f"size={array.shape}")
    else:
        usual = usual or dtype is int64 or dtype is bool_
    if t.is_cuda:
        notes.append(f"device='{t.device}'")
    if not usual:
        notes.append(f"dtype={dtype}")
    name = grad_name(t)
    if name is not None:
        notes.append(f"grad_fn=<{name}>")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    return notes


def _with_notes(text: str, notes: list[str], indent: int) -> str:
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > options.linewidth:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text + ")"


def _format(self: Tensor, spec: str) -> str:
    if not self.ndim:
        return format(item(self), spec)
    if spec:
        raise TypeError(
            f"unsupported format string passed to {type(self).__name__}.__format__"
        )
    return str(self)


Tensor.__repr__ = Tensor.__str__ = _text  # type: ignore
Tensor.__format__ = _format  # type: ignore
