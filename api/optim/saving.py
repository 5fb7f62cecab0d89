"""State dicts of optimizers, in PyTorch's layout: parameters are numbers."""

from __future__ import annotations

import copy
from typing import Any

from ...tracer.watch import touch
from ..arrays.attributes import clone
from ..device import where
from ..math.composite import cast
from ..placing import moved_to
from ..tensor import Tensor
from .memory import Memory

__all__ = ["Saving"]


class Saving:
    """The part of an optimizer that saves and loads."""

    param_groups: list
    state: Any

    def state_dict(self) -> dict:
        """{"state": by number of the parameter, "param_groups": options and numbers}.

        The tensors in it are the optimizer's own.
        """
        numbers = {id(p): i for i, p in enumerate(self._params())}
        groups = [
            {
                k: [numbers[id(p)] for p in v] if k == "params" else v
                for k, v in g.items()
            }
            for g in self.param_groups
        ]
        state = {numbers.get(id(p), p): dict(s) for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over options and state. ValueError when the groups do not match.

        Tensors are copied to where their parameter lies, and cast to its type (`step`
        stays as it is).
        """
        saved = copy.deepcopy(state_dict["param_groups"])
        _check_groups(self.param_groups, saved)
        numbers = [i for group in saved for i in group["params"]]
        params = dict(zip(numbers, self._params()))
        state: Any = Memory()
        for key, value in state_dict["state"].items():
            p = params.get(key)
            state[key if p is None else p] = _converted(value, p, None)
        for group, new in zip(self.param_groups, saved):
            group.update({k: v for k, v in new.items() if k != "params"})
        self.state = state
        touch()

    def _params(self) -> list:
        return [p for group in self.param_groups for p in group["params"]]


def _check_groups(own: list, saved: list) -> None:
    if len(own) != len(saved):
        raise ValueError(
            "loaded state dict has a different number of parameter groups: "
            f"{len(saved)} given, {len(own)} expected"
        )
    for i, (group, other) in enumerate(zip(own, saved)):
        if len(group["params"]) != len(other["params"]):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the "
                f"size of optimizer's group: group {i} has {len(other['params'])} "
                f"parameters, {len(group['params'])} expected"
            )


def _converted(value: Any, p: Any, key: Any) -> Any:
    """A copy of what was saved, in the type of the parameter."""
    if isinstance(value, Tensor):
        if not isinstance(p, Tensor) or key == "step":
            return clone(value)
        floating = p.dtype.is_floating_point
        return clone(moved_to(cast(value, p.dtype) if floating else value, where(p)))
    if isinstance(value, dict):
        return {k: _converted(v, p, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_converted(v, p, key) for v in value)
    return value
