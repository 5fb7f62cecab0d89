"""What autocast does in a thread: one immutable mode, and how it calls a function.

`state.autocast` is the mode, None while nothing is special. Equal modes are one object:
a compiled path belongs to one of them, and comparing is one `is`.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple, Optional

from ...tracer.recording.overlay import state
from ...tracer.types import DType, bfloat16, float16, float32, float64
from ..math.composite import cast
from ..tensor import Tensor

__all__ = ["Mode", "current", "enter"]

REFUSED = (
    "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to "
    "autocast.\nMany models use a sigmoid layer right before the binary cross entropy "
    "layer.\nIn this case, combine the two layers using torch.nn.functional."
    "binary_cross_entropy_with_logits\nor torch.nn.BCEWithLogitsLoss.  "
    "binary_cross_entropy_with_logits and BCEWithLogits are\nsafe to autocast."
)


class Mode(NamedTuple):
    """For which device types autocast is on, and the lower type of each."""

    on: frozenset = frozenset()
    cpu: DType = bfloat16
    cuda: DType = float16
    cache: bool = True

    def call(self, function: Callable, rules: dict, args: tuple, kwargs: dict) -> Any:
        """Call `function` with its tensors in the types that its rule says.

        What it calls in turn is no longer autocast. `out=` has a type already.
        """
        tensors = list(_tensors((*args, *kwargs.values())))
        device = device_type(tensors[0]) if tensors else ""
        rule = rules.get(device) if device in self.on else None
        if rule is None or kwargs.get("out") is not None:
            return function(*args, **kwargs)
        dtype = _TYPES[rule](getattr(self, device), tensors)
        state.autocast, before = _mode_of(self.only(device, False)), state.autocast
        try:
            if dtype is not None:
                args = tuple(_cast(x, dtype) for x in args)
                kwargs = {name: _cast(x, dtype) for name, x in kwargs.items()}
            return function(*args, **kwargs)
        finally:
            state.autocast = before

    def only(self, device: str, on: bool) -> "Mode":
        """The same with autocast on or off for one device type."""
        return self._replace(on=self.on | {device} if on else self.on - {device})


_NOTHING = Mode()


def current() -> Mode:
    """The mode of this thread."""
    return _NOTHING if state.autocast is None else state.autocast


def enter(mode: Mode) -> None:
    """From here on this thread runs in `mode`."""
    state.autocast = _mode_of(mode)


@functools.cache
def _mode_of(mode: Mode) -> Optional[Mode]:
    return None if mode == _NOTHING else mode


def device_type(t: Tensor) -> str:
    """The type of the device on which a tensor lies."""
    return t.device.type  # type: ignore[attr-defined]


def is_eligible(x: Any) -> bool:
    """Whether autocast may change the type of `x`."""
    if not isinstance(x, Tensor):
        return False
    return x.dtype.is_floating_point and x.dtype is not float64


def _tensors(args: Any) -> Any:
    for x in args:
        if isinstance(x, Tensor):
            yield x
        elif isinstance(x, (list, tuple)):
            yield from _tensors(x)


def _cast(x: Any, dtype: DType) -> Any:
    if is_eligible(x):
        return cast(x, dtype)
    if type(x) in (list, tuple):
        return type(x)(_cast(part, dtype) for part in x)
    return x


# -- rule -> the type in which a function computes (None: that of its arguments)


def _lower(dtype: DType, tensors: list) -> DType:
    return dtype


def _wide(dtype: DType, tensors: list) -> DType:
    return float32


def _widest(dtype: DType, tensors: list) -> DType:
    types = {t.dtype for t in tensors if is_eligible(t)}
    if not types <= {float32, dtype}:
        raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
    return float32 if float32 in types else dtype


def _refused(dtype: DType, tensors: list) -> DType:
    raise RuntimeError(REFUSED)


_TYPES: dict[str, Callable] = {
    **{"lower": _lower, "wide": _wide, "widest": _widest, "refused": _refused},
    "apart": lambda dtype, tensors: None,
}
