"""Programs to files: graphs as text, tensors as they are, the rest as JSON.

`structure` holds what a Plan and a Signature hold, in the words of docs/format.md;
`loading.py` reads it back, field by field in the same order.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, Mapping

from ...tracer.errors import FormatError, TraceError
from ...tracer.later import Later
from ...tracer.pytree import Spec
from ...tracer.sizes import Dim, Int
from ...tracer.texts.text import print_graph
from ...tracer.types import BY_NUMPY, DType
from ...tracer.where import user_level
from ..arrays.scalars import in_host
from ..files.contents import store
from ..files.plain import SCALARS, dumps, encode_number, show
from ..files.stored import kind_of
from ..jit.paths.unpack import Kind
from ..size import Size
from .conditions import Condition
from .plan import KINDS, MOST_PATHS, Place, Plan
from .rules import arithmetic

__all__ = ["save_program", "graph_key", "described"]

loading = Later(".loading", __package__)

_NONE: dict = {}
_KINDS = {kind: name for name, kind in KINDS.items()}


def save_program(program: Any, f: Any, kernels: Mapping[str, Any] = _NONE) -> None:
    """Write a program to a path or a binary file object; `kernels` beside its tensors.

    Raises:
        TraceError: it refers to an object that only this process has, or what was
            written does not read back; nothing has changed.
        OSError: the path cannot be written; what was there is unchanged.
    """
    plans, lost = program.plans, sorted(program.ruled)
    if len(plans) > MOST_PATHS:
        raise TraceError(f"{len(plans)} ways; a file holds at most {MOST_PATHS}")
    structure = _structure(program)
    if kernels:
        structure["kernels"] = [*kernels]
    metadata = {"kind": "program", "structure": dumps(structure)}
    for n, plan in enumerate(plans):
        metadata[graph_key(n)] = print_graph(arithmetic(plan.guarded, lost))
    _warn(program, lost)
    arrays = {name: in_host(t._array) for name, t in program.tensors.items()}
    version = 2 if kernels or "signatures" in structure else 1
    version = 3 if any(map(_is_new, plans)) else version
    store(f, {**arrays, **kernels}, metadata, version, _accepts(program))


def _is_new(plan: Plan) -> bool:
    """Whether it has what readers of version 2 do not know."""
    return bool(plan.conditions or plan.preset) or _has(plan.spec, Size)


def _has(spec: Any, kind: type) -> bool:
    return spec is not None and (
        spec.kind is kind or any(_has(below, kind) for below in spec.below)
    )


def _accepts(program: Any) -> Callable[[dict, dict], None]:
    """Refuses a file that `load` would refuse, before it takes the place of another."""

    def accept(arrays: dict, metadata: dict) -> None:
        try:
            loading.check_program(arrays, metadata)
        except FormatError as error:
            raise TraceError(
                f"{program} cannot be kept in a file, nothing was written: {error}"
            ) from error

    return accept


def _structure(program: Any) -> dict:
    """With one signature, what the first version of the format has; else a list."""
    state = [[name, kind_of(t)] for name, t in program.tensors.items()]
    rows = [_variant(variant) for variant in program.variants]
    if len(rows) == 1 and program.training is None:
        return {"name": program.name, **rows[0], "state": state}
    for row, variant in zip(rows, program.variants):
        row["training"] = variant.training
    head = {"name": program.name, "training": program.training}
    return {**head, "state": state, "signatures": rows}


def _variant(variant: Any) -> dict:
    paths = [_path(plan) for plan in variant.plans]
    return {**_signature(variant.signature), "paths": paths}


def described(variant: Any) -> str:
    """All of what a variant does, as text."""
    graphs = [print_graph(plan.guarded) for plan in variant.plans]
    return "\n".join([str([_path(plan) for plan in variant.plans]), *graphs])


_HOOKS = "BackwardHookFunction"  # how a module lets its hooks see gradients


def _warn(program: Any, lost: list[str]) -> None:
    """Of what is Python and changes gradients, but not what is computed."""
    rules = [name for name in dict.fromkeys(lost) if name != _HOOKS]
    hooks = sorted(program.hooked) + ["a module"] * (_HOOKS in lost)
    for what, of in ("custom derivative", rules), ("backward hook", hooks):
        if of:
            warnings.warn(
                f"{program.name}: a file holds no Python, so the {what} of "
                f"{', '.join(of)} is left out: the gradient of the loaded program is "
                "that of its arithmetic",
                stacklevel=user_level(),
            )


def graph_key(n: int) -> str:
    """The metadata key of the text of path number n."""
    return f"graph.{n}" if n else "graph"


def _signature(signature: Any) -> dict:
    symbols = [[n.text, n.min, n.max, n.hint] for n in signature.symbols.values()]
    leaves = [_argument(i, x) for i, x in enumerate(signature.leaves)]
    return {"sizes": symbols, "tree": tree(signature.spec), "arguments": leaves}


def _argument(i: int, x: Any) -> Any:
    if not isinstance(x, Kind):
        return _plain(x, f"argument {i}")
    shape = [_int(n) for n in x.shape]
    kind = {"tensor": BY_NUMPY[x.dtype].short, "shape": shape}
    return kind if x.first is None else {**kind, "same": x.first}


def _plain(x: Any, where: str) -> Any:
    """{"value": ...} of a number, string or None, {"dtype": ...}, {"size": ...}."""
    if isinstance(x, DType):
        return {"dtype": x.name}
    if isinstance(x, Dim):
        return {"size": x.text}
    if type(x) not in SCALARS:
        raise TraceError(
            f"{where} is a {type(x).__name__}, which a file cannot hold: pass tensors, "
            "numbers and strings, or give it to the function by other means"
        )
    return {"value": encode_number(x, (where,))}


def tree(spec: Any) -> Any:
    """The document of a Spec: null for a leaf, else {kind: what is below}."""
    if spec is None:
        return None
    below = [tree(s) for s in spec.below]
    if spec.kind not in _KINDS:
        fields = [list(pair) for pair in zip(spec.kind._fields, below)]
        return {"named": [spec.kind.__name__, fields]}
    if spec.keys is None:
        return {_KINDS[spec.kind]: below}
    pairs = [[_key(k, spec), b] for k, b in zip(spec.keys, below)]
    return {_KINDS[spec.kind]: pairs}


def _key(key: Any, spec: Spec) -> Any:
    if type(key) not in SCALARS:
        raise TraceError(f"a file cannot hold the key {show(key)} of {spec!r}")
    return encode_number(key, ("key",))


def _int(n: Int) -> Any:
    return n.text if isinstance(n, Dim) else int(n)


def _path(plan: Plan) -> dict:
    more = {
        "preset": [_place(p) for p in plan.preset],
        "given": [_condition(c) for c in plan.conditions],
    }
    return {
        "inputs": [_place(p) for p in plan.inputs],
        "fresh": plan.fresh,
        "writes": [_place(p) for p in plan.writes],
        "tree": tree(plan.spec),
        "results": [_made(entry) for entry in plan.result],
        "grads": [[_place(p), entry and _made(entry)] for p, entry in plan.grads],
        "unset": [_place(p) for p in plan.unset],
        "draws": _int(plan.blocks),
        "sizes": [[_int(a), sign, _int(b), out] for a, sign, b, out in plan.sizes],
        **{name: rows for name, rows in more.items() if rows},
    }


def _condition(c: Condition) -> list:
    return [c.at, c.grad if c.strides is None else [*c.strides], c.line]


def _place(place: Place) -> Any:
    """A number for an argument, a name in the state, {"grad": either} for what is in
    its `.grad`, null for the generator."""
    if place.kind == "grad":
        return {"grad": _place(place.at)}
    return None if place.kind == "generator" else place.at


def _made(entry: tuple) -> Any:
    kind, of, steps = entry
    if kind == "plain":
        return _plain(of, "a result")
    if kind == "again":
        return {"again": of}
    below = of if kind == "new" else _place(of)
    return {kind: below, "steps": [[op, _attrs(attrs)] for op, attrs in steps]}


def _attrs(attrs: dict) -> dict:
    return {name: _attr(attr) for name, attr in attrs.items()}


def _attr(attr: Any) -> Any:
    return [_attr(a) for a in attr] if isinstance(attr, tuple) else _int(attr)
