"""What a program does with the inputs and outputs of its graphs, as plain data.

A `Plan` is one recorded path without any Python object in it: tensors are named by the
argument they are or by their name in the program's state, so that it can be written
to a file and read back where nothing of the source exists.
"""

from __future__ import annotations

import collections
from typing import Any, Mapping, NamedTuple

from ...tracer.errors import TraceError
from ...tracer.graph import Graph
from ...tracer.pytree import Spec
from ..size import Size

__all__ = ["Plan", "Place", "STEPS", "KINDS", "PLAIN_KINDS", "MOST_PATHS"]
__all__ += ["portable", "named"]

MOST_PATHS = 1000  # of all signatures together

# The view steps and the containers of a program, and of its file.
STEPS = ("reshape", "permute", "slice", "expand", "windows", "stop_gradient")
PLAIN_KINDS = {
    "tuple": tuple,
    "list": list,
    "dict": dict,
    "ordered": collections.OrderedDict,
}
KINDS = {**PLAIN_KINDS, "size": Size}  # of results


class Place(NamedTuple):
    """Where a tensor is: ("arg", number), ("state", name), ("grad", Place) for what
    is in `.grad` of the tensor there, or ("generator", "")."""

    kind: str
    at: Any

    def __str__(self) -> str:
        of = "the gradient of " if self.kind == "grad" else f"{self.kind} "
        return f"{of}{self.at}"


class Plan(NamedTuple):
    """One path of a program.

    `graph` returns the outputs, then the guards. `inputs` says where each of its
    inputs comes from; the first `fresh` outputs are storages of results, the others
    go to `writes`. `result` and `spec` rebuild what the function returned; a result is
    ("new", storage number, steps), ("same", Place), ("view", Place, steps),
    ("plain", value) or ("again", number of an earlier result). `grads` are (Place,
    result) to leave in `.grad`, `unset` the places whose `.grad` must be None before,
    `preset` those where it must be a tensor.
    `blocks` counts what is drawn from the random generator, `sizes` are
    (left, sign, right, outcome) of the comparisons of sizes that Python relied on,
    `conditions` what it relied on about the arguments (conditions.py).
    """

    graph: Graph
    inputs: tuple
    fresh: int
    writes: tuple
    result: tuple
    spec: Any
    guards: tuple
    grads: tuple = ()
    unset: tuple = ()
    preset: tuple = ()
    blocks: Any = 0
    sizes: tuple = ()
    conditions: tuple = ()

    @property
    def guarded(self) -> Graph:
        """The graph with its guards as guards, as people read it."""
        values, count = self.graph.outputs, len(self.graph.outputs) - len(self.guards)
        guards = zip(values[count:], self.guards)
        return Graph(self.graph.name, self.graph.inputs, values[:count], guards)

    @property
    def lines(self) -> tuple:
        """The user's line of each guard."""
        values = self.graph.outputs[len(self.graph.outputs) - len(self.guards) :]
        return tuple(v.line for v in values)


def portable(spec: Any, kinds: Mapping[str, type] = PLAIN_KINDS) -> Any:
    """The Spec with classes other than these replaced by tuples and named tuples."""
    if spec is None:
        return None
    below = tuple(portable(s, kinds) for s in spec.below)
    if spec.kind in kinds.values():
        return Spec(spec.kind, spec.keys, below)
    fields = spec.keys or getattr(spec.kind, "_fields", ())
    if not fields and issubclass(spec.kind, tuple):  # a Size
        return Spec(tuple, None, below)
    return Spec(named(spec.kind.__name__, tuple(fields)), None, below)


_made: dict[tuple, type] = {}


def named(name: str, fields: tuple) -> type:
    """A named tuple type; the same one for the same name and fields.

    TraceError for names that are no identifiers, or that begin with an underscore.
    """
    key = (name, fields)
    if key not in _made:
        try:
            made = collections.namedtuple(name, fields)  # type: ignore[misc]
        except ValueError as error:
            raise TraceError(f"{name}{fields}: {error}") from None
        _made.setdefault(key, made)
    return _made[key]
