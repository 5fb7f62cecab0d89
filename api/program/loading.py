"""Programs from files, trusting nothing: every field is checked against the others."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Optional

import numpy as np

from ...tracer.errors import FormatError
from ...tracer.sizes import Dim
from ...tracer.texts.parse import parse_graph
from ...tracer.types import BY_SHORT
from ..files import container
from ..files.contents import contents
from ..files.location import location
from ..files.plain import loads, show
from ..files.stored import revive
from ..jit.paths.path import NotKept
from ..jit.paths.unpack import Kind
from ..tensor import Tensor, fresh
from .fields import Field
from .kernels import PREFIX, use_kernels
from .plan import MOST_PATHS
from .program import Program
from .reading import Reader
from .signature import Signature
from .storing import graph_key
from .trees import Tree, identifier, value_of
from .variant import Variant

__all__ = ["check_program", "load_program"]


def load_program(
    f: Any,
    map_location: Any = None,
    *,
    verify: Optional[bool] = None,
    kernels: bool = False,
) -> Program:
    """The program that `Program.save` wrote to a path or a binary file.

    It needs nothing of its source. Its tensors are mapped, not read: opening takes
    milliseconds, and writing into them changes memory only, never the file.

    Args:
        map_location: the device it is to run on.
        verify: whether all data are compared with their digest (None: of files up to
            16 MB). The header, with the graph, always is.
        kernels: whether machine code that the file brings for GPUs may run, here and
            wherever this process wants just these kernels. Say so of files you trust.

    Raises:
        OSError: there is no such file, or it cannot be read.
        FormatError: it is truncated, altered, or holds no program.
        DeviceError: there is no such device.
    """
    put = location(map_location)
    arrays, metadata, ours = contents(f, verify)
    with nullcontext() if hasattr(f, "read") else container.naming(f):
        code = _take_kernels(arrays)
        arrays = {name: put(array) for name, array in arrays.items()}
        parts = _parts(arrays, metadata, ours, code)
        if kernels and code:
            use_kernels(code)
    return _program(*parts)


def check_program(arrays: dict, metadata: dict) -> None:
    """FormatError where `load_program` would refuse this."""
    _parts(arrays, metadata, True, _take_kernels(arrays))


def _take_kernels(arrays: dict) -> dict:
    return {k: arrays.pop(k) for k in [*arrays] if k.startswith(PREFIX)}


def _program(variants: list[Variant], tensors: dict, training: Any) -> Program:
    program = Program(variants[0].signature, tensors, training)
    for variant in variants:
        program.include(variant)
    return program


def _parts(arrays: dict, metadata: dict, ours: bool, code: dict) -> tuple:
    """The signatures with their ways, the tensors, and the mode it begins in."""
    kind = metadata.get("kind") if ours else "state"
    if kind == "state":
        raise FormatError("this holds tensors, no program: tracefuse.load reads it")
    if kind != "program" or "structure" not in metadata:
        raise FormatError(f"a file of kind {show(kind)}, expected a 'program'")
    document = Field(loads(metadata["structure"], "structure"), "structure")
    alone = "signatures" not in _keys(document)
    head = _single if alone else _several
    name, training, state, rows, kernels = head(document)
    _check_kernels(kernels, code)
    tensors = _state(state, arrays)
    loader = _Loader(identifier(name), tensors, metadata, alone)
    return [loader.variant(row, training) for row in rows], tensors, training


_SIGNATURE = ("sizes", "tree", "arguments", "paths")


def _keys(field: Field) -> Any:
    return field.value if type(field.value) is dict else ()


def _single(document: Field) -> tuple:
    """The head of a program of one signature, which stands in it."""
    document.object("name", *_SIGNATURE, "state", optional=("kernels",))
    name, state, kernels = (
        document.below(document.value.get(key), f".{key}")
        for key in ("name", "state", "kernels")
    )
    return name, None, state, [document], kernels


def _several(document: Field) -> tuple:
    """The head of a program of several."""
    names = ("name", "training", "state", "signatures")
    name, mode, state, rows, kernels = document.object(*names, optional=("kernels",))
    return name, _mode(mode), state, _some(rows, 1, MOST_PATHS), kernels


def _mode(field: Field) -> Optional[bool]:
    return None if field.value is None else field.flag()


class _Loader:
    """Reads signatures one after the other; their graphs are numbered through."""

    def __init__(
        self, name: str, tensors: dict[str, Tensor], metadata: dict, alone: bool
    ) -> None:
        self.name, self.tensors, self.metadata = name, tensors, metadata
        self.alone = alone  # whether its one signature stands in the document itself
        self.count = 0
        self.seen: set[Any] = set()

    def variant(self, field: Field, training: Optional[bool]) -> Variant:
        """One signature with its ways."""
        (sizes, tree, leaves, paths), mode = self.fields(field, training)
        symbols = _symbols(sizes)
        signature = Signature(self.name, *_arguments(tree, leaves, symbols))
        if set(symbols) != set(signature.symbols):
            sizes.wrong("the sizes that the arguments name, and no others")
        variant = Variant(signature, mode)
        for path in _some(paths, 1, MOST_PATHS):
            graph = _graph(self.metadata, self.next_graph(paths))
            reader = Reader(graph, signature, self.tensors, symbols)
            _add(variant, reader.plan(path), path)
        self.check_new(field, variant)
        return variant

    def fields(self, field: Field, training: Optional[bool]) -> tuple[list, Any]:
        """The fields of a signature, and its mode."""
        if self.alone:
            rows = [field.below(field.value[key], f".{key}") for key in _SIGNATURE]
            return rows, None
        *rows, mode = field.object(*_SIGNATURE, "training")
        found = _mode(mode)
        if training is None and found is not None:
            mode.wrong("null, since the program has no mode")
        return rows, found

    def next_graph(self, paths: Field) -> int:
        """The number of the next graph."""
        self.count += 1
        if self.count > MOST_PATHS:
            paths.wrong(f"at most {MOST_PATHS} ways, of all signatures together")
        return self.count - 1

    def check_new(self, field: Field, variant: Variant) -> None:
        """What a call takes must not depend on chance: no signature stands twice."""
        if variant.key in self.seen:
            field.wrong("a signature that stands there once")
        self.seen.add(variant.key)


def _check_kernels(field: Field, code: dict) -> None:
    """The machine code that the structure names is there, as bytes, and no other."""
    named = [] if field.value is None else [row.text() for row in field.items()]
    if sorted(named) != sorted(code):
        field.wrong("the names of the machine code in the file")
    for name, array in code.items():
        if array.dtype != np.uint8 or array.ndim != 1:
            raise FormatError(
                f"{show(name)} is {array.dtype}{list(array.shape)}, "
                "expected the bytes of machine code"
            )


def _add(variant: Variant, plan: Any, path: Field) -> None:
    try:
        variant.add(plan)
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
