"""The end of a generated entry: results wrapped and put together."""

from __future__ import annotations

from typing import Any

from ....tracer.pytree import rebuild
from ....tracer.sizes import Dim, sized
from ....tracer.storage import memory_steps, resized, view_array
from ...tensor import Tensor
from .checks import Checks
from .path import Path, Ref
from .unpack import Writer

__all__ = ["Results", "literal"]


class Results(Checks):
    """Writes the tensors that a path hands out.

    `places` are the expressions for the containers that were given.
    """

    places: list[str]
    outputs: list[str]

    def results(self, path: Path, outputs: list[str]) -> dict[int, str]:
        """Wrap what is handed out; the name of each tensor made, by its id."""
        made: dict[int, str] = {}
        self.outputs = outputs
        storages: set[int] = set()
        live = (*path.border.live, *path.border.used) if path.border else ()
        self.trees: dict[int, str] = {}
        assigns = (ref for _, ref in path.assigns)
        every = (*(ref for _, ref in path.moves), *path.result, *assigns)
        for ref in (part for each in every for part in each.parts()):
            if ref.kind == "new" and ref.of[1] not in made:
                k, name = ref.of[0], f"t{len(made)}_"
                if k not in storages:
                    value = f"h_[{k}]" if k in live else "None"
                    self._new_storage(f"s{k}_", outputs[k], value)
                    storages.add(k)
                self._wrap(name, f"s{k}_", ref.steps, outputs[k])
                made[ref.of[1]] = name
        return made

    def _new_storage(self, name: str, array: str, value: str) -> None:
        w = self.w
        w.line(f"{name} = new(Storage); {name}.array = {array}; {name}.value = {value}")
        w.line(f"{name}.version = 0; {name}.maker = None")

    def _wrap(self, t: str, storage: str, steps: tuple, array: str) -> None:
        w, chain = self.w, "()"
        if steps:
            chain = self._steps(steps)
            array = f"view_array({array}, {chain})"
        w.line(f"{t} = new(Tensor); {t}._storage = {storage}; {t}._steps = {chain}")
        w.line(f"{t}._array = {array}; {t}._value = None; {t}._seen = -1")
        w.line(f"{t}._grad = None")

    def _steps(self, steps: tuple) -> str:
        """The expression for the steps of a view, in the sizes of this call."""
        w, bound = self.w, self.w.bind("steps", steps)
        if not any(_symbolic(a) for _, attrs in steps for a in attrs.values()):
            return bound
        known = ", ".join(f"{name!r}: {sized(name)}" for name in sorted(w.symbols))
        return f"{w.bind('resized', resized)}({bound}, {{{known}}})"

    def made(self, ref: Ref, tensors: dict[int, str]) -> str:
        """The expression for one leaf of the result."""
        if ref.kind == "new":
            return tensors[ref.of[1]]
        if ref.kind == "same":
            return self.at(ref.of)
        if ref.kind == "item":
            return f"{self.outputs[ref.of]}.item()"
        if ref.kind == "scalar":
            return ref.of
        if ref.kind == "tree":
            return self._tree(ref, tensors)
        if ref.kind == "array":
            return self.w.given[ref.of]
        if ref.kind == "given":
            return self.places[ref.of]
        if ref.kind in ("view", "look"):
            steps, whole = self._steps(ref.steps), ref.kind == "look"
            look = self.w.bind("look", _look)
            return f"{look}({self.at(ref.of)}, {steps}, {whole})"
        if isinstance(ref.of, Dim):
            return f"({sized(ref.of)})"
        return self.w.literal(ref.of)

    def _tree(self, ref: Ref, tensors: dict[int, str]) -> str:
        """The name of a container that is made once, wherever it goes."""
        which, spec = ref.of
        if which not in self.trees:
            leaves = [self.made(part, tensors) for part in ref.steps]
            name = self.trees[which] = f"p{len(self.trees)}_"
            self.w.line(f"{name} = {literal(self.w, spec, leaves)}")
        return self.trees[which]


def _look(t: Tensor, steps: tuple, whole: bool) -> Tensor:
    """A view of a tensor, further by these steps: of it as a variable, if `whole`."""
    view = object.__new__(Tensor)
    base = t._steps if whole else memory_steps(t._steps)
    view._storage, view._steps = t._storage, (*base, *steps)
    view._array, view._value = view_array(t._array, steps), None
    view._seen, view._grad = -1, None
    return view


def _symbolic(attr: Any) -> bool:
    if isinstance(attr, tuple):
        return any(map(_symbolic, attr))
    return isinstance(attr, Dim)


def literal(w: Writer, spec: Any, leaves: list[str]) -> str:
    """The expression that builds the result around its leaves."""
    if spec is None:
        return leaves[0]
    if all(below is None for below in spec.below):
        if spec.kind is tuple:
            return f"({''.join(leaf + ', ' for leaf in leaves)})"
        if spec.kind is list:
            return f"[{', '.join(leaves)}]"
        if spec.kind is dict:
            pairs = zip(spec.keys, leaves)
            return f"{{{', '.join(f'{w.literal(k)}: {leaf}' for k, leaf in pairs)}}}"
    return (
        f"{w.bind('rebuild', rebuild)}({w.bind('spec', spec)}, [{', '.join(leaves)}])"
    )
