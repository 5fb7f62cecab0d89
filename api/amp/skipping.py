"""A step of an optimizer that is not taken where a tensor says so.

Eager Python asks the tensor. Recorded, that would be a guard at every step; so the
step is taken, and each tensor that it wrote becomes `where(skip, old, new)`.
"""

from __future__ import annotations

from typing import Any

from ...tracer.record import state
from ..arrays.attributes import clone
from ..gradmode import no_grad
from ..tensor import Tensor, pointwise, value_of, write

__all__ = ["step_unless"]

_OURS = __package__.rpartition(".")[0] + ".optim."


def step_unless(skip: Tensor, optimizer: Any, args: tuple, kwargs: dict) -> Any:
    """`optimizer.step(...)`, unless the 0-d bool `skip` is true (then None).

    An optimizer that is not of this library may do anything in its step: for those a
    recording, too, asks the tensor.
    """
    known: Any = skip
    if state.recorder is None or not type(optimizer).__module__.startswith(_OURS):
        return None if known.item() else optimizer.step(*args, **kwargs)
    with no_grad():
        before = [(t, value_of(t), clone(t)) for t in _tensors(optimizer)]
        memory = {id(p): dict(d) for p, d in optimizer.state.items()}
    result = optimizer.step(*args, **kwargs)
    with no_grad():
        if _is_new(optimizer, memory):  # it remembers more: that cannot be half there
            if known.item():
                _restore(before, optimizer, memory)
                return None
        else:
            _choose(skip, before)
    return result


def _tensors(optimizer: Any) -> list[Tensor]:
    """All that a step may write: parameters, and what is remembered of them."""
    found = [p for group in optimizer.param_groups for p in group["params"]]
    found += [t for d in optimizer.state.values() for t in d.values()]
    return [t for t in found if isinstance(t, Tensor)]


def _is_new(optimizer: Any, memory: dict) -> bool:
    """Whether it remembers other objects: a tensor more, another Python number."""
    return any(
        d.keys() != memory.get(id(p), {}).keys()
        or any(value is not memory[id(p)][name] for name, value in d.items())
        for p, d in optimizer.state.items()
    )


def _choose(skip: Tensor, before: list) -> None:
    for t, value, old in before:
        if value_of(t) is not value:
            write(t, pointwise("where", skip, old, t))


def _restore(before: list, optimizer: Any, memory: dict) -> None:
    for t, value, old in before:
        if value_of(t) is not value:
            write(t, old)
    for p, remembered in list(optimizer.state.items()):
        for name in remembered.keys() - memory.get(id(p), {}).keys():
            del remembered[name]
        if id(p) in memory:
            remembered.update(memory[id(p)])
        else:
            del optimizer.state[p]
