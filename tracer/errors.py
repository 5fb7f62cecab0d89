"""Every error of ours; each is also a child of the built-in it resembles.

>>> issubclass(ShapeError, RuntimeError), issubclass(FormatError, ValueError)
(True, True)
"""

from __future__ import annotations

__all__ = [
    "TracefuseError",
    "TraceError",
    "GuardError",
    "ShapeError",
    "DTypeError",
    "DeviceError",
    "CompileError",
    "OutOfMemoryError",
    "FormatError",
    "VerifyError",
    "GradcheckError",
]


class TracefuseError(Exception):
    """The parent of all."""


class TraceError(TracefuseError, RuntimeError):
    """Something cannot be recorded, or a recorded value is used where it may not."""


class GuardError(TracefuseError, RuntimeError):
    """A saved program met a path that it never recorded."""


class ShapeError(TracefuseError, RuntimeError):
    """Shapes, ranks or axes that do not fit together."""


class DTypeError(TracefuseError, RuntimeError):
    """Element types that do not fit together."""


class DeviceError(TracefuseError, RuntimeError):
    """A device that is missing, or tensors that lie on different ones."""


class CompileError(TracefuseError, RuntimeError):
    """A kernel that does not compile, or that the device cannot hold."""


class OutOfMemoryError(DeviceError, MemoryError):
    """A device has not the memory that was asked for; what was there is untouched."""


class FormatError(TracefuseError, ValueError):
    """A file or text that is not what it claims to be."""


class VerifyError(TracefuseError, AssertionError):
    """A graph that breaks the rules of the SSA: an error of ours."""


class GradcheckError(TracefuseError, RuntimeError):
    """Derivatives do not agree with finite differences."""
