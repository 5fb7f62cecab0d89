"""`ctx`: what the forward of a Function leaves for its backward."""

from __future__ import annotations

import weakref
from typing import Any, Optional, Sequence

from ...tracer.graph import Value
from ...tracer.record import state
from ..engine import check_version, unpacked
from ..history import FREED, saving, tape
from ..tensor import Tensor, fresh, value_of, wrap
from .custom import Rule
from .python import Symbols, World

__all__ = ["Context", "Kept", "Saved"]


class Saved:
    """The tensors that an eager call keeps; a backward empties it."""

    def __init__(self, entries: list):
        self.entries = entries


class Context:
    """The first argument of `forward` and `backward`; any attribute may be set."""

    needs_input_grad: tuple = ()
    _save: tuple = ()
    _dirty: tuple = ()
    _flat: tuple = ()
    _materialize = True
    _open: Optional[tuple] = None  # (rule, call, world) while the backward runs

    def save_for_backward(self, *tensors: Optional[Tensor]) -> None:
        """Keep tensors (or None) for the backward, which finds them, checked for later
        writes, in `saved_tensors`. TypeError for anything else."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument "
                    f"{i} is of type {type(t).__name__}"
                )
        self._save = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs the forward writes in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results no gradient flows to."""
        self._flat = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether absent gradients are zeros in the backward (True) or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple:
        """What was saved. RuntimeError once a backward has used it up, and when it was
        written in place since."""
        if self._open is None:
            return self._save
        return _restore(*self._open)

    saved_variables = saved_tensors


def _restore(rule: Rule, v: Value, world: World) -> tuple:
    if isinstance(world, Symbols):
        given = rule.saved(v)
        return tuple(
            None if at is None else wrap(world.rec, _recorded(rule, v, at, given))
            for at in rule.places  # type: ignore[attr-defined]
        )
    if v.data is FREED:
        raise RuntimeError(
            "Trying to backward through the graph a second time (or directly access "
            "saved tensors after they have already been freed)."
        )
    entries = v.data.entries if v.data is not None else ()
    return tuple(None if e is None else e(v) for e in entries)


def _recorded(rule: Rule, v: Value, at: tuple, given: tuple) -> Value:
    kind, index = at
    return given[index] if kind == "saved" else rule.item(v, index)


# -- saving: (where each tensor is found, the values to save), or entries


def places(tensors: tuple, results: Sequence[Tensor]) -> tuple[tuple, list[Value]]:
    """For a recording: where the backward finds what was saved, and further values."""
    found: list = []
    values: list[Value] = []
    for t in tensors:
        index = _index(t, results)
        if t is None:
            found.append(None)
        elif index is not None:
            found.append(("result", index))
        else:
            found.append(("saved", len(values)))
            values.append(value_of(t))
    return tuple(found), values


def _index(t: Optional[Tensor], among: Sequence[Tensor]) -> Optional[int]:
    return next((i for i, r in enumerate(among) if r is t), None)


def entries(tensors: tuple, results: Sequence[Tensor]) -> Optional[Saved]:
    """For an eager call: what restores each tensor that was saved."""
    if not tensors or state.recorder is not None:
        return None
    return Saved([None if t is None else _entry(t, results) for t in tensors])


def _entry(t: Tensor, results: Sequence[Tensor]) -> Any:
    index = _index(t, results)
    if index is not None:
        return _Result(t, index)
    return _Packed(t) if saving.pack is not None else Kept(t)


class Kept:
    """A tensor that went in, or was made on the way: itself."""

    def __init__(self, t: Tensor):
        self.tensor, self.value, self.version = t, tape(t), t._storage.version

    def __call__(self, call: Value) -> Tensor:
        check_version(self.value, self.tensor._storage, self.version)
        return self.tensor


class _Packed:
    """The same in a form that the user's hook chose."""

    def __init__(self, t: Tensor):
        self.value, self.packed = tape(t), saving.pack(t)  # type: ignore[misc]

    def __call__(self, call: Value) -> Tensor:
        return _with_history(unpacked(self.packed), self.value)


class _Result:
    """A result; only its numbers are held, for it holds the call."""

    def __init__(self, t: Tensor, index: int):
        self.packed = t._array if saving.pack is None else saving.pack(t)
        self.storage, self.index = weakref.ref(t._storage), index
        self.version = t._storage.version

    def __call__(self, call: Value) -> Tensor:
        rule = call.attrs["graph"].memo["rule"]
        value, storage = rule.item(call, self.index), self.storage()
        if storage is not None:
            check_version(value, storage, self.version)
        return _with_history(unpacked(self.packed), value)


def _with_history(array: Any, value: Value) -> Tensor:
    t = fresh(array)
    if value.live:
        t._storage.value, t._value, t._seen = value, value, 0
    return t
