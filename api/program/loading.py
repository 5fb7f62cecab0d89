"""Programs from files, trusting nothing: every field is checked against the others."""

from __future__ import annotations

import keyword
from typing import Any, Optional

import numpy as np

from ...tracer.errors import FormatError
from ...tracer.parse import parse_graph
from ...tracer.pytree import Spec
from ...tracer.sizes import Dim
from ...tracer.types import BY_SHORT, DTYPES
from .. import container
from ..contents import check_location, contents
from ..jit.path import NotKept
from ..jit.unpack import Kind
from ..plain import decode, loads, show
from ..stored import revive
from ..tensor import Tensor, fresh
from .fields import Field
from .plan import PLAIN_KINDS, named
from .program import Program
from .reading import Reader
from .signature import Signature
from .storing import graph_key

__all__ = ["load_program"]

MOST_FIELDS, MOST_PATHS, DEEPEST = 1000, 1000, 40


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
    signature = Signature(_identifier(name), *_arguments(tree, arguments, symbols))
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


def _identifier(field: Field) -> str:
    name = field.text()
    if not name.isidentifier() or keyword.iskeyword(name) or len(name) > 1000:
        field.wrong("a Python identifier")
    return name


# -- the signature


def _symbols(field: Field) -> dict[str, Dim]:
    found: dict[str, Dim] = {}
    for row in field.items():
        name, low, high, example = row.items(4)
        least = low.integer(0, 2**62)
        most = None if high.value is None else high.integer(least, 2**62)
        dim = Dim(_identifier(name), min=least, max=most)
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
    for i, leaf in enumerate(leaves.items(count)):
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


def value_of(field: Field, symbols: dict) -> Any:
    """What _plain of storing.py wrote."""
    tag, body = field.tag()
    if tag == "value":
        return body.plain()
    if tag == "size":
        return body.size(symbols)
    if tag == "dtype":
        return DTYPES[body.word(DTYPES)]
    field.wrong("a value, dtype or size")


class Tree:
    """Reads a Spec and counts its leaves."""

    def __init__(self) -> None:
        self.leaves = 0

    def read(self, field: Field) -> tuple[Any, int]:
        """The Spec and how many leaves it has."""
        return self.spec(field, 0), self.leaves

    def spec(self, field: Field, depth: int) -> Any:
        """One level."""
        if depth > DEEPEST:
            field.wrong(f"at most {DEEPEST} levels")
        if field.value is None:
            self.leaves += 1
            return None
        tag, body = field.tag()
        if tag in ("tuple", "list"):
            below = tuple(self.spec(x, depth + 1) for x in body.items())
            return Spec(PLAIN_KINDS[tag], None, below)
        if tag in ("dict", "ordered"):
            keys, below = self.pairs(body, depth)
            return Spec(PLAIN_KINDS[tag], keys, below)
        if tag != "named":
            field.wrong("a tuple, list, dict, ordered or named")
        return self.named(body, depth)

    def pairs(self, field: Field, depth: int) -> tuple[tuple, tuple]:
        """Keys, none twice, and what stands under them."""
        keys: dict[Any, Any] = {}
        for pair in field.items():
            key, below = pair.items(2)
            name = key.plain()
            if name in keys:
                key.wrong("a key that stands there once")
            keys[name] = self.spec(below, depth + 1)
        return tuple(keys), tuple(keys.values())

    def named(self, field: Field, depth: int) -> Spec:
        """A named tuple: recreated from the names of its fields."""
        name, pairs = field.items(2)
        fields, below = self.pairs(pairs, depth)
        names = (_identifier(name), *fields)
        fits = all(type(n) is str and n.isidentifier() for n in names)
        plain = fits and not any(keyword.iskeyword(n) or n[0] == "_" for n in fields)
        if not plain or len(names) > MOST_FIELDS or sum(map(len, names)) > 50_000:
            field.wrong("identifiers that do not begin with an underscore")
        return Spec(named(name.value, fields), None, below)


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
