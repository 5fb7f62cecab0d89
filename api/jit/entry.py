"""The generated entry: everything a cached call does, as one Python function.

It checks that this is the call that was recorded (arguments, watched state, slots),
finds the arrays, runs the pieces, commits and wraps. Written out per signature, with
nothing generic left on the way, because this is what every cached call costs.
"""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np

from ...tracer.pins import MISSING, Pins
from ...tracer.pytree import rebuild
from ...tracer.record import state
from ...tracer.sizes import Dim
from ...tracer.storage import Storage, memory_steps, resized, tracked, view_array
from ...tracer.watch import epoch
from ...tracer.where import generated
from ..engine import executable
from ..tensor import Tensor
from .commit import exchange, hold, release
from .path import Path, Ref, Source
from .tree import End, Fork, Tree
from .unpack import Writer, check_tensor, unpack

__all__ = ["Entry", "MISS", "FORK"]

MISS = object()  # not the call that was recorded
FORK = object()  # it is, but Python took a way not recorded yet


class Entry:
    """One signature of a jitted function: its tree of paths and their entry.

    `call(args, kwargs)` is the result, or MISS, or FORK.
    """

    def __init__(self, name: str, leaves: list, spec: Any, grad: bool):
        self.name, self.leaves, self.spec, self.grad = name, leaves, spec, grad
        self.tree = Tree(name)
        self.pins: list[Pins] = []
        self.hits = 0
        self.source = ""
        self.call: Any = lambda args, kwargs: MISS

    def add(self, path: Path, pins: Pins) -> None:
        """Keep a further path; the entry is written anew."""
        self.tree.add(path)
        self.pins.append(pins)
        for t in path.tensors:
            if path.source(t).kind == "pin":
                pins.pin_tensor(t)
        self.call, self.source = _Generator(self).build()

    @property
    def executables(self) -> list:
        """What its pieces compiled to."""
        return list(self._compiled)

    _compiled: tuple = ()


class _Generator:
    """Writes the entry function of one tree."""

    def __init__(self, entry: Entry):
        self.entry, self.tree = entry, entry.tree
        self.w = Writer()
        self.names: dict[int, str] = {}  # id of a tree Value -> expression
        self.pieces = self.tree.pieces()
        self.compiled: list = []
        self.slots: dict = {}
        for path in self.tree.paths:
            self.slots.update(path.slots)

    def build(self) -> tuple[Any, str]:
        """The function and its source."""
        w = self.w
        w.line("def entry(args, kwargs):")
        w.depth = 1
        unpack(w, self.entry.leaves, self.entry.spec)
        self._check_state()
        self._check_slots()
        self._check_aliases()
        self._check_layouts_and_sizes()
        self._name_inputs()
        self._branch(self.tree.root)
        self.entry._compiled = tuple(self.compiled)
        return self._compile()

    def _compile(self) -> tuple[Any, str]:
        text = "\n".join(self.w.lines) + "\n"
        path = f"<tracefuse entry {self.entry.name} {id(self.entry):x}>"
        generated.add(path)
        linecache.cache[path] = (len(text), None, text.splitlines(True), path)
        names = dict(self.w.names, MISS=MISS, FORK=FORK, state=state, epoch=epoch)
        names.update(Tensor=Tensor, Storage=Storage, new=object.__new__, np=np)
        names.update(tracked=tracked, exchange=exchange, view_array=view_array)
        names.update(hold=hold, release=release)
        exec(compile(text, path, "exec"), names)
        return names["entry"], text

    # -- checks

    def _check_state(self) -> None:
        w = self.w
        w.miss(f"state.grad is not {self.entry.grad}")
        for pins in self.entry.pins:
            p = w.bind("pins", pins)
            tests = [f"epoch.value != {p}.epoch"]
            for container, key, value in pins.places:
                tests.append(_place(w, container, key, value))
            w.miss(f"({' or '.join(tests)}) and not {p}.hold()")

    def _check_slots(self) -> None:
        w = self.w
        for n, (slot, kind) in enumerate(self.slots.values()):
            owner = w.bind("owner", slot.owner)
            read = f"{owner}.get({slot.key!r})" if slot.item else f"{owner}.{slot.key}"
            w.line(f"v{n}_ = {read}")
            if kind is None:
                w.miss(f"v{n}_ is not None")
            else:
                check_tensor(w, f"v{n}_", kind, f"y{n}_")

    def _check_aliases(self) -> None:
        """Where storages are written, who shares them must be as recorded."""
        for path in self.tree.paths:
            if path.writes:
                self._check_groups(path.groups, [s for s, _ in path.writes])

    def _check_groups(self, groups: dict[Source, int], written: list) -> None:
        w, here = self.w, [s for s in groups if s.kind != "pin"]
        pins = {groups[s]: s for s in written if s.kind == "pin"}
        names = w.bind("written", frozenset(s.at._storage for s in pins.values()))
        for i, a in enumerate(here):
            if groups[a] in pins:
                pin = self.at(pins[groups[a]])
                w.miss(f"{self.at(a)}._storage is not {pin}._storage")
            elif pins:
                w.miss(f"{self.at(a)}._storage in {names}")
            for b in here[i + 1 :] if any(s in written for s in here) else ():
                sign = "is not" if groups[a] == groups[b] else "is"
                w.miss(f"{self.at(a)}._storage {sign} {self.at(b)}._storage")

    def _check_layouts_and_sizes(self) -> None:
        for path in self.tree.paths:
            for source, strides in path.layouts:
                array = f"{self.at(source)}._array"
                if strides is None:
                    self.w.miss(f"not {array}.flags.c_contiguous")
                else:
                    self.w.miss(f"{array}.strides != {strides!r}")
            for text, outcome in path.sizes:
                self.w.miss(f"({text}) != {outcome!r}")

    def at(self, source: Source) -> str:
        """The expression for a tensor."""
        if source.kind == "arg":
            return f"a{source.at}_"
        if source.kind == "slot":
            return f"v{list(self.slots).index(source.at)}_"
        return self.w.bind("t", source.at)

    # -- running

    def _name_inputs(self) -> None:
        for (kind, owner, key), value in self.tree.inputs:
            self.names[value.id] = self._input(kind, owner, key)

    def _input(self, kind: str, owner: Any, key: Any) -> str:
        if kind == "tensor":
            arg = owner.kind == "arg"
            return f"x{owner.at}_" if arg else f"{self.at(owner)}._array"
        if kind == "root":
            return f"{self.at(owner)}._storage.array"
        if kind == "number":
            return f"np.array(float({self.w.bind('group', owner)}[{key!r}]))"
        return f"{self.w.bind('generator', owner)}.words()"

    def _branch(self, here: Any) -> None:
        if isinstance(here, End):
            self._end(here)
        else:
            self._fork(here)

    def _fork(self, fork: Fork) -> None:
        w, (graph, carried) = self.w, self.pieces[id(fork)]
        names = [f"q{fork.value.id}_", *(f"c{v.id}_" for v in carried)]
        self.names.update((v.id, f"c{v.id}_") for v in carried)
        self._run(graph, (), names)
        self.names[fork.value.id] = names[0]
        w.line(f"# {fork.line}")
        w.line(f"g{fork.value.id}_ = {names[0]}.item()")
        sign = "if"
        for outcome, branch in fork.branches.items():
            w.line(f"{sign} g{fork.value.id}_ == {w.literal(outcome)}:")
            w.depth += 1
            self._branch(branch)
            w.depth -= 1
            sign = "elif"
        w.line("return FORK")

    def _run(self, graph: Any, donated: tuple, names: list[str]) -> None:
        if not names:  # it hands out views only
            return
        made = executable(graph, donated)
        self.compiled.append(made)
        args = [self.names[v.id] for v in graph.inputs]
        args += [f"spare_[{i}]" for i in range(len(donated))]
        k, w = self.w.bind("k", getattr(made, "run", made)), self.w
        w.line("try:")
        results = f"{', '.join(names)}, = " if names else ""
        w.line(f"    {results}{k}({', '.join(args)})")
        w.line("except IndexError:  # Python runs again and says where")
        w.line("    return MISS")

    def _end(self, end: End) -> None:
        path, w = end.path, self.w
        graph = self.pieces[id(end)][0]
        first = len(path.fresh)
        outputs = [f"o{i}_" for i in range(len(end.outputs))]
        donated = tuple(range(first, first + len(path.writes)))
        fixed = all(_static(graph.outputs[i].shape) for i in donated)
        donated = donated if fixed else ()
        if donated:
            self._take_spares(graph, donated)
        self._run(graph, donated, outputs)
        self._histories(path, outputs)
        tensors = self._results(path, outputs)
        self._change(path, outputs, tensors, bool(donated))
        leaves = [self._made(ref, tensors) for ref in path.result]
        w.line(f"return {_literal(w, path.result_spec, leaves)}")

    def _change(
        self, path: Path, outputs: list, tensors: dict, donated: bool
    ) -> None:
        """Everything that changes the outside, in one piece."""
        w = self.w
        if len(path.writes) + len(path.assigns) + len(path.draws) == 0:
            return
        w.line("mask_ = hold()")
        w.line("try:")
        w.depth += 1
        self._commit(path, outputs, donated)
        for slot, ref in path.assigns:
            owner, value = w.bind("owner", slot.owner), self._made(ref, tensors)
            place = f"[{slot.key!r}]" if slot.item else f".{slot.key}"
            w.line(f"{owner}{place} = {value}")
        for generator, blocks in path.draws:
            w.line(f"{w.bind('generator', generator)}.advance({blocks})")
        w.depth -= 1
        w.line("finally:")
        w.line("    release(mask_)")

    def _take_spares(self, graph: Any, donated: tuple) -> None:
        kinds = [(graph.outputs[i].shape, graph.outputs[i].dtype.np) for i in donated]
        pool = self.w.bind("pool", [])
        new = self.w.bind("spares", lambda: [np.empty(*kind) for kind in kinds])
        self.pool = pool
        self.w.line(f"spare_ = {pool}.pop() if {pool} else {new}()")

    def _histories(self, path: Path, outputs: list[str]) -> None:
        if path.border is None:
            return
        pairs = []
        for kind, owner, key in path.inputs:
            storage = f"{self.at(owner)}._storage" if kind in _TENSORS else "None"
            pairs.append(f"({self._input(kind, owner, key)}, {storage}), ")
        owners = "".join(self.at(s) + ", " for s in path.owners)
        kept = outputs[len(path.fresh) + len(path.writes) :]
        border = self.w.bind("border", path.border)
        self.w.line(
            f"h_ = {border}.histories(({''.join(pairs)}), ({owners}), "
            f"({''.join(k + ', ' for k in kept)}))"
        )

    def _results(self, path: Path, outputs: list[str]) -> dict[int, str]:
        """Wrap what is handed out; the name of each tensor made, by its id."""
        made: dict[int, str] = {}
        storages: set[int] = set()
        live = (*path.border.live, *path.border.used) if path.border else ()
        for ref in (*path.result, *(ref for _, ref in path.assigns)):
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
        known = ", ".join(f"{name!r}: {name}" for name in sorted(w.symbols))
        return f"{w.bind('resized', resized)}({bound}, {{{known}}})"

    def _commit(self, path: Path, outputs: list[str], donated: bool) -> None:
        w, first = self.w, len(path.fresh)
        live = (*path.border.live, *path.border.used) if path.border else ()
        for source, _ in path.writes:
            if source.kind == "arg":  # our own name for it would count as a holder
                w.line(f"x{source.at}_ = None")
        names = []
        for n, (source, root) in enumerate(path.writes):
            t = self.at(source)
            value = f", h_[{first + n}]" if first + n in live else ""
            names.append(f"exchange({t}, {outputs[first + n]}, {root}{value})")
        if donated:
            w.line(f"{self.pool}.append([{', '.join(names)}])")
        else:
            for name in names:
                w.line(name)

    def _made(self, ref: Ref, tensors: dict[int, str]) -> str:
        if ref.kind == "new":
            return tensors[ref.of[1]]
        if ref.kind == "same":
            return self.at(ref.of)
        if ref.kind == "view":
            steps = self._steps(ref.steps)
            return f"{self.w.bind('look', _look)}({self.at(ref.of)}, {steps})"
        if isinstance(ref.of, Dim):
            return f"({ref.of})"
        return self.w.literal(ref.of)


_TENSORS = ("tensor", "root")


def _look(t: Tensor, steps: tuple) -> Tensor:
    """A view of a tensor, further by these steps."""
    view = object.__new__(Tensor)
    base = memory_steps(t._steps)
    view._storage, view._steps = t._storage, (*base, *steps)
    view._array, view._value = view_array(t._array, steps), None
    view._seen, view._grad = -1, None
    return view


def _symbolic(attr: Any) -> bool:
    if isinstance(attr, tuple):
        return any(map(_symbolic, attr))
    return isinstance(attr, Dim)


def _static(shape: tuple) -> bool:
    return not any(isinstance(n, Dim) for n in shape)


def _place(w: Writer, container: Any, key: Any, value: Any) -> str:
    c, v = w.bind("c", container), w.bind("z", value)
    if hasattr(container, "cell_contents"):
        return f"{c}.cell_contents is not {v}"
    missing = f", {w.bind('missing', MISSING)}" if value is MISSING else ""
    return f"{c}.get({w.literal(key)}{missing}) is not {v}"


def _literal(w: Writer, spec: Any, leaves: list[str]) -> str:
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
    return f"{w.bind('rebuild', rebuild)}({w.bind('spec', spec)}, [{', '.join(leaves)}])"
