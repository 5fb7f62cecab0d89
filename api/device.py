"""Devices: where the numbers of a tensor lie. Here that is the CPU."""

from __future__ import annotations

from typing import Any, Optional

from ..tracer.errors import DeviceError
from .tensor import Tensor

__all__ = ["device"]

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


def _split(name: str) -> tuple[str, int]:
    kind, _, number = name.partition(":")
    if not number.isdigit():
        raise RuntimeError(f"Invalid device string: '{name}'")
    return kind, int(number)


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """DeviceError, with a remedy, unless `wanted` (None: default) is the CPU."""
    if wanted is None or wanted is CPU or wanted == "cpu":
        return
    found = device(wanted)
    if found.type != "cpu":
        raise DeviceError(
            f"device {str(found)!r} was asked for, but there is none that this build "
            "can use: tensors lie on the CPU. Leave device= out or use device='cpu'; "
            "`python -m tracefuse doctor` tells what it found."
        )


# Every tensor lies on the CPU.
Tensor.device = property(lambda self: CPU, doc="Where it lies.")  # type: ignore
Tensor.is_cuda = property(lambda self: False)  # type: ignore[attr-defined]
Tensor.is_cpu = property(lambda self: True)  # type: ignore[attr-defined]
Tensor.is_sparse = property(lambda self: False)  # type: ignore[attr-defined]
