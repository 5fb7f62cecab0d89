"""Devices: where the numbers of a tensor lie."""

from __future__ import annotations

from typing import Any, Optional

from ..tracer.elsewhere import Elsewhere
from ..tracer.errors import DeviceError
from ..tracer.record import state
from .place import discover, making
from .tensor import Tensor

__all__ = ["device", "get_default_device", "set_default_device"]

_TYPES = ("cpu", "cuda", "mps", "xpu", "meta")


class device:
    """The name of a device: `device("cpu")`, `device("cuda", 1)`, `device("cuda:1")`.

    Naming a device that is missing is allowed; using it raises DeviceError.
    RuntimeError for a name that no device has.

    >>> device("cuda:1")
    device(type='cuda', index=1)
    """

    __slots__ = ("type", "index")

    def __init__(self, type: Any, index: Optional[int] = None):
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        elif isinstance(type, int):
            type, index = "cuda", type
        elif ":" in type:
            type, index = _split(type)
        if type not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of "
                f"device string: {type}"
            )
        self.type: str = type
        self.index: Optional[int] = index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        where = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{where})"

    def __reduce__(self) -> tuple:
        return device, (self.type, self.index)

    def __enter__(self) -> "device":
        """In here, factories make their tensors there."""
        making.before.append(making.default)
        making.default = place(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        making.default = making.before.pop()


def _split(name: str) -> tuple[str, int]:
    kind, _, number = name.partition(":")
    if not number.isdigit():
        raise RuntimeError(f"Invalid device string: '{name}'")
    return kind, int(number)


CPU = device("cpu")


def place(wanted: Any) -> Any:
    """The device of kernels/gpu that is meant: None for the CPU.

    DeviceError, with a remedy, for one that is missing or cannot be used.
    """
    if wanted is None:
        return making.default
    if wanted is CPU or wanted == "cpu":
        return None
    found = device(wanted)
    if found.type == "cpu":
        return None
    try:
        if found.type != "cuda":
            raise DeviceError(f"it has no tensors on {found.type!r}")
        return discover.get_device(making.index if found.index is None else found.index)
    except DeviceError as why:
        raise DeviceError(_missing(found, why)) from None


def _missing(wanted: device, why: DeviceError) -> str:
    """That there is no such device, and what there is instead."""
    if wanted.type == "cuda" and discover.why_none() is None:
        return (
            f"device {str(wanted)!r} was asked for, but {discover.told()}. Use one of "
            "these, or device='cpu'"
        )
    return (
        f"device {str(wanted)!r} was asked for, but there is none that this build "
        "can use: tensors lie on the CPU. Leave device= out or use device='cpu'; "
        f"`python -m tracefuse doctor` tells what it found. ({why})"
    )


def set_default_device(device: Any) -> None:
    """Where factories make tensors from now on, in this thread (None: the CPU)."""
    making.default = None if device is None else place(device)


def get_default_device() -> device:
    """Where factories make tensors, unless told otherwise."""
    return named(making.default)


def check_device(wanted: Any) -> None:
    """DeviceError, with a remedy, unless there is such a device (None: default)."""
    place(wanted)


def where(t: Tensor) -> Any:
    """The device of kernels/gpu on which a tensor lies; None for host memory."""
    array = t._array
    if array is None:
        rec = state.recorder
        return None if rec is None else rec.device
    return array.device if isinstance(array, Elsewhere) else None


def named(place: Any) -> device:
    """The name of a device of kernels/gpu (None: of the CPU)."""
    return CPU if place is None else device("cuda", place.index)


_where = "Where it lies."
Tensor.device = property(lambda self: named(where(self)), doc=_where)  # type: ignore
Tensor.is_cuda = property(lambda self: where(self) is not None)  # type: ignore
Tensor.is_cpu = property(lambda self: where(self) is None)  # type: ignore
Tensor.is_sparse = property(lambda self: False)  # type: ignore
