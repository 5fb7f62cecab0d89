"""The history of eager tensors: the SSA they came from, and what it kept.

An eager result that gradients flow into holds its Value. The Value keeps just those
arrays that its derivative reads, each with the version of the storage it was read
from, so that a later write is noticed. (Tensors are told by their `_storage`: this
file stands below the class.)
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Callable, Optional

import numpy as np

from ..autodiff.derivatives import reads
from ..tracer.graph import Value, make, placeholder
from ..tracer.record import state
from ..tracer.storage import Leaf, Storage, derive, tracked
from ..tracer.types import BY_NUMPY
from ..tracer.watch import touch
from ..tracer.where import user_line

__all__ = ["FREED", "Kept", "tape", "keep", "remember", "require_grad", "root_of"]
__all__ += ["exchange", "saving", "still"]

FREED = "freed"  # stands where a history kept arrays, once a backward has used them


class Saving(threading.local):
    """How this thread keeps histories.

    `pack` makes of a tensor what is kept in place of its array (`autograd.graph`);
    `lines` says whether each value remembers the user's line (anomaly mode).
    """

    pack: Optional[Callable[[Any], Any]] = None
    lines = False


saving = Saving()


class OwnStorage:
    """The storage of a result, as its own history sees it: the history must not hold
    it, since it holds the history."""

    __slots__ = ("ref",)

    def __init__(self, storage: Storage):
        self.ref = weakref.ref(storage)

    @property
    def version(self) -> int:
        """Its version; where it is gone, nobody has written it."""
        storage = self.ref()
        return 0 if storage is None else storage.version


# The storage of arrays that the history alone holds: nobody writes there.
still = Storage()


class Kept(list):
    """What a jitted call keeps for its backward; which `groups` are `used` up."""

    groups: Any
    used = 0


def tape(t: Any) -> Value:
    """The Value of an eager tensor: its history, or an input without one."""
    storage = t._storage
    if t._seen != storage.version or t._value is None:
        if tracked(storage, t._steps):
            t._value = derive(root_of(storage), t._steps, _leaf_finder(storage.version))
        else:
            t._value = _untracked(t._array)
        t._seen = storage.version
    return t._value


def root_of(storage: Storage) -> Value:
    return _untracked(storage.array) if storage.value is None else storage.value


def _untracked(array: np.ndarray) -> Value:
    return placeholder("t", array.shape, BY_NUMPY[array.dtype])


def _leaf_finder(version: int) -> Callable[[Leaf, Value], Value]:
    def find(of: Leaf, value: Value) -> Value:
        if of.version != version or of.value is None:
            of.value, of.version = make("leaf", (value,)), version
            of.value.data = of
        return of.value

    return find


def remember(t: Any, value: Value, operands: tuple) -> None:
    """Give an eager result its history, with the arrays its derivative will read."""
    if not value.live:
        return
    t._storage.value = t._value = value
    t._seen = 0
    live = tuple([arg.live for arg in value.args])
    mode = value.attrs.get("mode")
    reads_result, reads_args = reads(value.op, len(operands), mode, live)
    value.data = kept = []
    if reads_result:  # None stands for `value` itself
        kept.append((None, keep(t)[1], OwnStorage(t._storage), 0))
    if saving.lines:
        value.line = user_line()
    for o, wanted in zip(operands, reads_args):
        if wanted and hasattr(o, "_storage"):
            kept.append(keep(o))


def keep(t: Any) -> tuple:
    """What a history keeps of a tensor: its Value, its numbers, and as of when."""
    if saving.pack is not None:
        return tape(t), saving.pack(t), still, 0
    return tape(t), t._array, t._storage, t._storage.version


def require_grad(t: Any, wanted: bool = True) -> Any:
    """Turn a tensor into a variable of differentiation (or back)."""
    if wanted and not t.dtype.is_floating_point:
        raise RuntimeError(
            f"only Tensors of floating point dtype can require gradients, not {t.dtype}"
        )
    if wanted == t.requires_grad:
        return t
    before = t._steps
    require_grad_here(t, wanted)
    rec = state.recorder
    if rec is None:
        touch()
    else:
        rec.seen.pop(id(t), None)
        if t._array is not None:
            rec.root.flag(t, before)
    return t


def require_grad_here(t: Any, wanted: bool) -> None:
    """The same, of a tensor of which it was not true; nobody is told."""
    if wanted:
        t._steps = (*t._steps, ("leaf", {"of": Leaf(weakref.ref(t))}))
    elif t._steps and t._steps[-1][0] == "leaf":
        t._steps = t._steps[:-1]
    else:
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want "
            "to use a computed variable in a subgraph that doesn't require "
            "differentiation use var_no_grad = var.detach()."
        )
    t._seen = -1


def exchange(t: Any, new: Any, steps: tuple) -> None:
    """Let `t` look at the memory of `new`, by these steps."""
    if new.dtype is not t.dtype or tuple(new.shape) != tuple(t.shape):
        for op, attrs in steps:
            if op == "leaf":
                _renew(attrs["of"])
    if state.recorder is not None:
        t._steps = steps
    else:
        touch()
        if steps != t._steps:  # recordings know the view by these very steps
            t._steps = steps
    t._storage, t._array, t._value = new._storage, new._array, None


def _renew(leaf: Leaf) -> None:
    """From here on a variable of another shape or type: its Value is made anew."""
    leaf.value = None
    if state.recorder is not None:
        state.recorder.leaf_values.pop(leaf, None)
