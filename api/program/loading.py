"""Programs from files, trusting nothing: every field is checked against the others."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ...tracer.errors import FormatError
from ...tracer.parse import parse_graph
from ...tracer.sizes import Dim
from ...tracer.types import BY_SHORT
from ..files import container
from ..files.contents import check_location, contents
from ..files.plain import loads, show
from ..files.stored import revive
from ..jit.path import NotKept
from ..jit.unpack import Kind
from ..tensor import Tensor, fresh
from .fields import Field
from .program import Program
from .reading import Reader
from .signature import Signature
from .storing import graph_key
from .trees import Tree, identifier, value_of

__all__ = ["load_program"]

MOST_PATHS = 1000


def load_program(
    f: Any, map_location: Any = None, *, verify: Optional[bool] = None
) -> Program:
    """The program that `Program.save` wrote to a path or a binary file.

    It needs nothing of its source. Its tensors are mapped, not read: opening takes
    milliseconds, and writing into them changes memory only, never the file.

    Args:
        map_location: the device it is to run on.
        verify: whether all data are compared with their digest (None: of files up to
            16 MB). The header, with the graph, always is.

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: it is truncated, altered, or holds no program.
        DeviceError: there is no such device.
    """
    check_location(map_location)
    arrays, metadata, ours = contents(f, verify)
    if hasattr(f, "read"):
        return _program(arrays, metadata, ours)
    with container.naming(f):
        return _program(arrays, metadata, ours)


def _program(arrays: dict[str, np.ndarray], metadata: dict, ours: bool) -> Program:
    kind = metadata.get("kind") if ours else "state"
    if kind == "state":
        raise FormatError("this holds tensors, no program: tracefuse.load reads it")
    if kind != "program" or "structure" not in metadata:
        raise FormatError(f"a file of kind {show(kind)}, expected a 'program'")
    document = Field(loads(metadata["structure"], "structure"), "structure")
    fields = document.object("name", "sizes", "tree", "arguments", "state", "paths")
    name, sizes, tree, arguments, state, paths = fields
    symbols = _symbols(sizes)
    signature = Signature(identifier(name), *_arguments(tree, arguments, symbols))
    if set(symbols) != set(signature.symbols):
        sizes.wrong("the sizes that the arguments name, and no others")
    tensors = _state(state, arrays)
    program = Program(signature, tensors)
    for n, path in enumerate(_some(paths, 1, MOST_PATHS)):
        reader = Reader(_graph(metadata, n), signature, tensors, symbols)
        _add(program, reader.plan(path), path)
    return program


def _add(program: Program, plan: Any, path: Field) -> None:
    try:
        program.add(plan)
    except NotKept as error:
        raise FormatError(f"{path.where}: {error}") from None


def _graph(metadata: dict[str, str], n: int) -> Any:
    key = graph_key(n)
    if key not in metadata:
        raise FormatError(f"there is no metadata key {key!r}, expected a graph")
    try:
        return parse_graph(metadata[key])
    except FormatError as error:
        raise FormatError(f"{key}: {error}") from None


def _some(field: Field, least: int, most: int) -> list[Field]:
    found = list(field.items())
    if not least <= len(found) <= most:
        field.wrong(f"a list of {least} to {most}")
    return found


# -- the signature


def _symbols(field: Field) -> dict[str, Dim]:
    found: dict[str, Dim] = {}
    for row in field.items():
        name, low, high, example = row.items(4)
        least = low.integer(0, 2**62)
        most = None if high.value is None else high.integer(least, 2**62)
        dim = Dim(identifier(name), min=least, max=most)
        if dim.text in found:
            name.wrong("a name that no other size has")
        found[dim.text] = dim.bind(example.integer(least, most or 2**62))
    return found


def _arguments(tree: Field, leaves: Field, symbols: dict) -> tuple[list, Any]:
    spec, count = Tree().read(tree)
    plain = spec is not None and spec.kind is tuple and len(spec.below) == 2
    if not plain or [s and s.kind for s in spec.below] != [tuple, dict]:
        tree.wrong("a tuple of positional and a dict of named arguments")
    if not all(type(key) is str for key in spec.below[1].keys):
        tree.wrong("named arguments with strings as names")
    kinds: list = []
    for leaf in leaves.items(count):
        kinds.append(_argument(leaf, kinds, symbols))
    return kinds, spec


def _argument(field: Field, before: list, symbols: dict) -> Any:
    if type(field.value) is dict and "tensor" in field.value:
        dtype, shape, same = field.object("tensor", "shape", optional=("same",))
        sizes = tuple(_axis(n, symbols) for n in _some(shape, 0, 32))
        kind = Kind(Tensor, sizes, BY_SHORT[dtype.word(BY_SHORT)].np, False, False)
        return _same(kind, same, before)
    return value_of(field, {})


def _axis(field: Field, symbols: dict) -> Any:
    """A number, or a size that has a name."""
    if type(field.value) is int:
        return field.integer(0, 2**62)
    return symbols[field.word(symbols)]


def _same(kind: Kind, field: Field, before: list) -> Kind:
    if field.value is None:
        return kind
    first = field.integer(0, len(before) - 1)
    if before[first] != kind:
        field.wrong("the number of an earlier argument of that type")
    return kind._replace(first=first)


# -- the state


def _state(field: Field, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for row in field.items():
        name, kind = row.items(2)
        if name.text() not in arrays or name.value in found:
            name.wrong("the name of a tensor in the file, once")
        found[name.value] = revive(fresh(arrays[name.value]), kind.value, kind.where)
    missing = arrays.keys() - found.keys()
    if missing:
        field.wrong(f"all tensors of the file ({show(min(missing))} is missing)")
    return found
