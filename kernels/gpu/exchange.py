"""DLPack and `__cuda_array_interface__`: arrays of other libraries, without a copy.

The structures are those of dlpack.h 1.1; a consumer that does not ask for a version
gets the older one. https://dmlc.github.io/dlpack/latest/c_api.html
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from ...tracer.errors import DeviceError
from .layout import contiguous_strides

if TYPE_CHECKING:
    from .array import DeviceArray

__all__ = ["Foreign", "describe", "export_dlpack", "read_capsule"]

VERSION = (1, 1)
KINDS = {"i": 0, "u": 1, "f": 2, "b": 6}
BFLOAT, BFLOAT16 = 4, np.dtype(ml_dtypes.bfloat16)
OLD, NEW = b"dltensor", b"dltensor_versioned"


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        *((n, ctypes.c_int32) for n in ("device", "index", "ndim")),
        *(("kind", ctypes.c_uint8), ("bits", ctypes.c_uint8)),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Old(ctypes.Structure):
    _fields_ = [
        *(("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter))
    ]


class _New(ctypes.Structure):
    _fields_ = [
        *(("major", ctypes.c_uint32), ("minor", ctypes.c_uint32)),
        *(("context", ctypes.c_void_p), ("deleter", _Deleter)),
        *(("flags", ctypes.c_uint64), ("tensor", _Tensor)),
    ]


def _python(name: str, result: Any, *arguments: Any) -> Any:
    """A function of Python's C interface."""
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_words = (ctypes.c_void_p, ctypes.c_char_p)
_new = _python("PyCapsule_New", ctypes.py_object, *_words, _Destructor)
_holds = _python("PyCapsule_IsValid", ctypes.c_int, *_words)
_address = _python("PyCapsule_GetPointer", ctypes.c_void_p, *_words)
_rename = _python("PyCapsule_SetName", ctypes.c_int, *_words)

# What consumers hold: by the address of the structure that they got.
_exported: dict[int, tuple] = {}


@_Deleter
def _release(address: int) -> None:
    _exported.pop(address, None)


@_Destructor
def _drop_capsule(capsule: int) -> None:
    """Nobody took it: a consumer would have given it another name."""
    for name in (OLD, NEW):
        if _holds(capsule, name):
            _release(_address(capsule, name))


def type_code(dtype: np.dtype) -> tuple[int, int]:
    """DLPack's kind and bits; bool counts 8.

    >>> type_code(np.dtype("f4")), type_code(BFLOAT16)
    ((2, 32), (4, 16))
    """
    kind = BFLOAT if dtype == BFLOAT16 else KINDS.get(dtype.kind)
    if kind is None:
        raise BufferError(f"DLPack has no element type {dtype}")
    return kind, dtype.itemsize * 8


def type_of(kind: int, bits: int) -> np.dtype:
    """The NumPy dtype of DLPack's kind and bits."""
    if (kind, bits) == (BFLOAT, 16):
        return BFLOAT16
    letter = {code: k for k, code in KINDS.items()}.get(kind)
    if letter is None or bits % 8:
        raise BufferError(f"no tensor has DLPack's element type {kind} of {bits} bits")
    return np.dtype(f"{letter}{bits // 8}")


def export_dlpack(array: DeviceArray, versioned: bool) -> Any:
    """A capsule of the array; it holds the memory until its consumer lets go."""
    n, item = array.ndim, array.dtype.itemsize
    shape = (ctypes.c_int64 * n)(*array.shape)
    strides = (ctypes.c_int64 * n)(*(s // item for s in array.strides))
    pointer, code = ctypes.POINTER(ctypes.c_int64), type_code(array.dtype)
    lies = (ctypes.cast(shape, pointer), ctypes.cast(strides, pointer))
    tensor = _Tensor(array.ptr or None, *array.device.dlpack, n, *code, 1, *lies, 0)
    if versioned:
        held: Any = _New(*VERSION, None, _release, 0, tensor)
    else:
        held = _Old(tensor, None, _release)
    address = ctypes.addressof(held)
    _exported[address] = (held, shape, strides, array)
    return _new(address, NEW if versioned else OLD, _drop_capsule)


class Foreign:
    """Memory of another library: `keep` holds it, `release` says that we are done."""

    __slots__ = ("ptr", "keep", "release", "__weakref__")

    def __init__(self, ptr: int, keep: Any = None, release: Any = None):
        self.ptr, self.keep, self.release = ptr, keep, release

    def __del__(self) -> None:
        if self.release is not None:
            self.release()


def read_capsule(capsule: Any) -> tuple[Foreign, tuple, tuple, np.dtype, tuple]:
    """Memory, shape, strides in bytes, element type and device in a DLPack capsule."""
    new = bool(_holds(id(capsule), NEW))
    if not new and not _holds(id(capsule), OLD):
        raise BufferError(f"expected a DLPack capsule that is unused, got {capsule!r}")
    address = _address(id(capsule), NEW if new else OLD)
    held = (_New if new else _Old).from_address(address)
    if new and held.major > VERSION[0]:
        raise BufferError(f"DLPack {held.major}.{held.minor} is newer than {VERSION}")
    t = held.tensor
    dtype = type_of(t.kind, t.bits)
    shape = tuple(t.shape[i] for i in range(t.ndim))
    strides = contiguous_strides(shape, dtype.itemsize)
    if t.strides:
        strides = tuple(t.strides[i] * dtype.itemsize for i in range(t.ndim))
    used = USED_NEW if new else USED_OLD
    _rename(id(capsule), used)
    release = (lambda: held.deleter(address)) if held.deleter else None
    memory = Foreign((t.data or 0) + t.offset, release=release)
    return memory, shape, strides, dtype, (t.device, t.index)


# A capsule keeps the address of its name, so the names must stay.
USED_OLD, USED_NEW = b"used_dltensor", b"used_dltensor_versioned"


def describe(interface: dict[str, Any]) -> tuple[int, tuple, tuple, np.dtype]:
    """Address, shape, strides and type in a `__cuda_array_interface__`."""
    dtype = np.dtype(interface["typestr"])
    if dtype.kind not in "biuf":
        raise DeviceError(f"no tensor has the element type {interface['typestr']}")
    shape = tuple(interface["shape"])
    strides = interface.get("strides") or contiguous_strides(shape, dtype.itemsize)
    return interface["data"][0], shape, tuple(strides), dtype
