"""`jit.trace`: from a function and an example to a Program."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ...tracer.errors import TraceError
from ...tracer.pytree import flatten
from ..jit.loops.closing import close_loops
from ..jit.paths.path import NotKept
from ..jit.paths.unpack import Kind, kinds_of
from ..jit.recording import Recording
from ..jit.session import record
from ..jit.symbols import bound_arguments, symbolic_shapes
from ..tensor import Tensor
from .hooks import hooked
from .pinning import settled
from .planning import Way, plan_of
from .program import Program
from .signature import Signature
from .state import State

__all__ = ["trace", "argument_names", "bare", "name_of"]


def trace(
    f: Callable, example_inputs: Any, dynamic_shapes: Optional[dict] = None
) -> Program:
    """Record `f` (a function or module) on example inputs: a Program.

    `example_inputs` is a tuple of arguments (or one tensor). `dynamic_shapes` marks
    sizes that may differ later: {"x": {0: Dim("batch")}}. TraceError names what cannot
    be recorded faithfully (a clock, a Python random number, an array of NumPy's).

    >>> import tracefuse
    >>> twice = trace(lambda x: x + x, tracefuse.ones(3))
    >>> twice(tracefuse.tensor([1.0, 2.0, 3.0]))
    tensor([2., 4., 6.])
    """
    args = _as_tuple(example_inputs)
    shapes = symbolic_shapes(f, args, {}, dynamic_shapes)
    leaves, spec = flatten((args, {}))
    kinds = bare(kinds_of(leaves, shapes))
    signature = Signature(name_of(f), kinds, spec)
    signature.check(leaves, spec)  # one symbol has one size
    recording = record(signature.name, f, args, {}, shapes)
    state = State(f, argument_names(f, args, {}))
    try:
        close_loops(recording)
        _check(recording)
        way = Way(recording, leaves)
        signature, (plan,) = settled(signature, [plan_of(way, state)])
        program = Program(signature, state.tensors)
        program.add(plan)
        program.ruled |= way.ruled
        program.hooked |= hooked(way.waiting, state)
    except NotKept as why:
        raise TraceError(f"{signature.name} cannot be traced: {why}") from None
    finally:
        recording.forget()
    return program


def _as_tuple(example_inputs: Any) -> tuple:
    if isinstance(example_inputs, Tensor):
        return (example_inputs,)
    if not isinstance(example_inputs, (tuple, list)):
        given = type(example_inputs).__name__
        raise TypeError(f"example_inputs is a tuple of arguments, not a {given}")
    return tuple(example_inputs)


def name_of(f: Callable) -> str:
    """What its program is called."""
    name = getattr(f, "__name__", type(f).__name__)
    return name if name.isidentifier() else "program"


def argument_names(f: Callable, args: tuple, kwargs: dict) -> list[str]:
    """Names for the leaves of the arguments: those of the parameters."""
    names: list[str] = []
    try:
        bound = bound_arguments(f, args, kwargs)
    except (TypeError, ValueError):  # a callable that does not say
        return names
    for name, value in bound.items():
        below = flatten(value)[0]
        many = [f"{name}_{i}" for i in range(len(below))]
        names += [name] if len(below) == 1 else many
    return names


def _check(recording: Recording) -> None:
    why = recording.rec.volatile or recording.listener.opaque
    if why:
        raise NotKept(why)
    if recording.given.changed():
        raise NotKept("it changes a container it was given")


def bare(kinds: list) -> list:
    """A program takes any tensor of the right type, variable or not."""
    return [_bare(x) if isinstance(x, Kind) else x for x in kinds]


def _bare(x: Kind) -> Kind:
    kind = x._replace(type=Tensor, flows=False, leaf=False)
    return kind._replace(hooks=None, device=None)
