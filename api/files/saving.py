"""`save` and `load`: tensors and plain containers of them, in one file.

State dicts of modules and optimizers, checkpoints, anything made of dicts, lists,
tuples, numbers, strings, dtypes and tensors. The file is a safetensors container (see
docs/format.md): it holds numbers and text, never code.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.errors import FormatError
from ..arrays.attributes import data_ptr
from ..arrays.scalars import in_host
from ..nn.parameter import UninitializedParameter
from ..tensor import Tensor, fresh
from . import container
from .contents import contents, store
from .location import location
from .plain import decode, dumps, encode, loads, show, spell
from .stored import kind_of, revive, twin

__all__ = ["save", "load"]


def save(obj: Any, f: Any) -> None:
    """Write a tensor, or plain containers of tensors, to a path or a binary file.

    Containers are dicts, OrderedDicts, lists, tuples and Sizes; beside tensors they
    hold numbers, strings, None and dtypes. A tensor that occurs several times is
    written once, and is one tensor again when loaded. A file at that path is replaced
    only when the new one is complete.

    Raises:
        TypeError: something in `obj` cannot be saved; the error says where and what.
        OSError: the path cannot be written; what was there is unchanged.

    >>> import io, tracefuse
    >>> file = io.BytesIO()
    >>> save({"step": 3, "w": tracefuse.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> load(file)
    {'step': 3, 'w': tensor([1., 1.])}
    """
    writer = _Writer()
    structure = dumps(encode(obj, ("obj",), writer.leaf))
    store(f, writer.arrays, {"kind": "state", "structure": structure})


def load(
    f: Any,
    map_location: Any = None,
    weights_only: bool = True,
    *,
    mmap: Optional[bool] = None,
    verify: Optional[bool] = None,
) -> Any:
    """What `save` wrote to a path or a binary file; of any safetensors file, a dict.

    Tensors of a path are mapped, not read: opening takes milliseconds, and writing
    into them changes memory only, never the file. Nothing in a file is ever run, so
    `weights_only` and `mmap` make no difference; PyTorch's programs pass them.

    Args:
        map_location: where the tensors are to lie, as in PyTorch; None: in host
            memory, since a file does not say where they lay.
        verify: whether all data are compared with their digest (None: of files up to
            16 MB). The header always is.

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: it is truncated, altered, a program, or another kind of file.
        DeviceError: there is no such device.
    """
    put = location(map_location)
    arrays, metadata, ours = contents(f, verify)
    arrays = {name: put(array) for name, array in arrays.items()}
    if not ours:
        return {name: fresh(array) for name, array in arrays.items()}
    if hasattr(f, "read"):
        return _rebuilt(arrays, metadata)
    with container.naming(f):
        return _rebuilt(arrays, metadata)


def _rebuilt(arrays: dict[str, Any], metadata: dict[str, str]) -> Any:
    kind = metadata.get("kind")
    if kind == "program":
        raise FormatError("this is a program: tracefuse.jit.load reads it")
    if kind != "state" or "structure" not in metadata:
        raise FormatError(
            f"a file of kind {show(kind)}, expected 'state', with its structure"
        )
    reader = _Reader(arrays)
    document = loads(metadata["structure"], "structure")
    found = decode(document, "structure", reader.leaf)
    reader.check_all_used()
    return found


class _Writer:
    """Names the tensors it meets; what is the same memory is written once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._known: dict[tuple, tuple[str, list]] = {}

    def leaf(self, x: Any, path: tuple) -> dict:
        """The document of a tensor: its name, then its kind, then which twin it is."""
        if not isinstance(x, Tensor):
            kind = type(x).__name__
            raise TypeError(f"cannot save {spell(path)}, a {kind}: {_remedy(x)}")
        if isinstance(x, UninitializedParameter):
            raise TypeError(f"cannot save {spell(path)}: it has no numbers yet")
        name, twins = self._place(x, path)
        if not any(x is t for t in twins):
            twins.append(x)
        number = next(i for i, t in enumerate(twins) if t is x)
        kind = kind_of(x)
        if number:
            return {"tensor": [name, kind, number]}
        return {"tensor": name if kind == "tensor" else [name, kind]}

    def _place(self, x: Tensor, path: tuple) -> tuple[str, list]:
        array: Any = x._array
        memory = (id(x._storage), data_ptr(x), array.shape, array.strides)
        if memory not in self._known:
            name = self._name(path)
            self.arrays[name] = in_host(array)
            self._known[memory] = (name, [])
        return self._known[memory]

    def _name(self, path: tuple) -> str:
        """Keys and indices with points between them, as in a state dict."""
        base = ".".join(map(str, path[1:])) or "tensor"
        base = "metadata" if base == "__metadata__" else base
        name, count = base, 1
        while name in self.arrays:
            count += 1
            name = f"{base}~{count}"
        return name


def _remedy(x: Any) -> str:
    if hasattr(x, "state_dict"):
        return "save its state_dict(), and load that into a new one"
    if isinstance(x, np.ndarray):
        return "make it a tensor with from_numpy()"
    if isinstance(x, (dict, list, tuple, set, frozenset)):
        return "make it a plain dict, list or tuple"
    if callable(x):
        return "jit.trace() makes a program of a function, which jit.save() writes"
    return (
        "a file keeps tensors, numbers, strings, None, dtypes, and dicts, lists and "
        "tuples of them"
    )


class _Reader:
    """Finds the tensors that a structure names."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.bases = {name: fresh(array) for name, array in arrays.items()}
        self._made: dict[tuple, Tensor] = {}
        self._kinds: dict[tuple, str] = {}

    def leaf(self, tag: str, body: Any, where: str) -> Tensor:
        """The tensor of a document, one object however often it occurs."""
        name, kind, number = _parts(tag, body, where)
        if name not in self.bases:
            raise FormatError(f"{where} names tensor {show(name)}, which is not there")
        key = (name, number)
        if key not in self._made:
            self._made[key] = revive(twin(self.bases[name]), kind, where)
            self._kinds[key] = kind
        elif self._kinds[key] != kind:
            raise FormatError(f"{where}: tensor {show(name)} is of two kinds")
        return self._made[key]

    def check_all_used(self) -> None:
        """What nothing refers to does not belong there."""
        unused = self.bases.keys() - {name for name, _ in self._made}
        if unused:
            raise FormatError(f"the structure does not use tensor {show(min(unused))}")


def _parts(tag: str, body: Any, where: str) -> tuple[str, Any, int]:
    """Name, kind and number of a tensor's document."""
    if tag != "tensor":
        raise FormatError(f"{where} has the key {show(tag)}, which is not known")
    parts = body if type(body) is list else [body]
    name, kind, number = [*parts, *("", "tensor", 0)[len(parts) :]][:3]
    if len(parts) > 3 or type(name) is not str or type(number) is not int:
        raise FormatError(f"{where} is {show(body)}, expected [name, kind, number]")
    return name, kind, number
