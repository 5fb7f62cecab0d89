"""Optimizer: parameters in groups, their options, and what is remembered of each.

A recording of a jitted step relies on what it read of an optimizer. So every change of
an option is reported (`touch`), but for the learning rate: recorded, that is a number
which the program reads anew at every call, so a schedule costs no new recording.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, Iterable, Optional

from ...tracer.record import state as recording
from ...tracer.watch import Watched, touch
from ...tracer.watching.hearing import hearing, unheard
from ...tracer.where import is_library, user_level
from ..gradmode import enable_grad, no_grad
from ..tensor import Tensor, wrap
from .memory import Memory
from .saving import Saving

__all__ = ["Optimizer"]

_MISSING = object()


class Group(Watched, dict):
    """Parameters and their options; tells when an option changes.

    Our optimizers take the learning rate as an input of the program, so that another
    one is no news, unless `plain`: a recorded program has asked for the number.
    """

    __slots__ = ("plain",)

    def __getitem__(self, key: str) -> Any:
        if key == "lr" and recording.recorder is not None:
            self.plain = True
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As `dict.get`."""
        return self[key] if key in self else default

    def items(self) -> Any:
        """As `dict.items`."""
        self.get("lr")
        return super().items()

    def values(self) -> Any:
        """As `dict.values`."""
        self.get("lr")
        return super().values()

    def __setitem__(self, key: str, value: Any) -> None:
        old = dict.get(self, key, _MISSING)
        super().__setitem__(key, value)
        same = type(old) is type(value) and isinstance(value, _PLAIN) and old == value
        if not (old is value or same or self._is_rate(key, old, value)):
            touch()

    def _is_rate(self, key: str, old: Any, new: Any) -> bool:
        """A learning rate after another, outside of a recording, that is no news."""
        numbers = isinstance(old, float) and isinstance(new, float)
        news = getattr(self, "plain", False) or recording.recorder is not None
        return key == "lr" and numbers and not news

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        touch()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As `dict.update`."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As `dict.setdefault`."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """As `dict.pop`."""
        touch()
        return super().pop(key, *default)


_PLAIN = (int, float, str, tuple)


def rate(group: dict) -> Any:
    """The learning rate: a float, recorded an input of the program."""
    rec, lr = recording.recorder, dict.__getitem__(group, "lr")
    if rec is None or isinstance(lr, Tensor):
        return lr
    return wrap(rec, rec.number(group, "lr"))


class Optimizer(Watched, Saving):
    """The base of all optimizers.

    `params` are tensors, (name, tensor) pairs, or dicts with a "params" entry and
    options of their own; `defaults` are the options of the others. `param_groups` and
    `state` (by parameter) have PyTorch's layout. TypeError for what is no parameter,
    ValueError for an empty list or a parameter that occurs twice.
    """

    def __init__(self, params: Any, defaults: dict):
        self.defaults = defaults
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of "
                f"Tensors or dicts, but got {type(params).__name__}"
            )
        self.state: Any = Memory()
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __setattr__(self, name: str, value: Any) -> None:
        changed = self.__dict__.get(name, _MISSING) is not value
        self.__dict__[name] = value
        if changed:
            touch()

    def add_param_group(self, param_group: dict) -> None:
        """Optimise more parameters: a dict with "params" and options."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = Group(param_group)
        group["params"], names = _listed(param_group["params"])
        if names:
            group["param_names"] = names
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self._check_params(group["params"])
        self.param_groups.append(group)
        touch()

    def _check_params(self, params: list) -> None:
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(p).__name__}"
                )
            if not p.is_leaf:  # type: ignore[attr-defined]
                raise ValueError("can't optimize a non-leaf Tensor")
        known = {id(p) for group in self.param_groups for p in group["params"]}
        new = {id(p) for p in params}
        if known & new:
            raise ValueError("some parameters appear in more than one parameter group")
        if len(new) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each "
                "of them moves once for each time it is listed",
                stacklevel=user_level(),
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            unheard(_forget, group["params"], set_to_none)

    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """Change every parameter that has a gradient.

        `closure` computes the loss anew (gradients included); its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        ours = hearing.on and is_library(type(self)._update.__code__)
        with no_grad():
            for group in self.param_groups:
                unheard(self._move, group) if ours else self._move(group)
        return loss

    def _move(self, group: Group) -> None:
        """Change the parameters of one group."""
        lr = rate(group)
        for p in group["params"]:
            if (grad := p.grad) is not None:
                self._update(p, -grad if group["maximize"] else grad, group, lr)

    def _update(self, p: Tensor, grad: Tensor, group: dict, lr: Any) -> None:
        raise NotImplementedError

    def _state_of(self, p: Tensor, make: Callable[[], dict]) -> dict:
        """What is remembered of a parameter, made at its first step."""
        known = self.state[p]
        if not known:
            known.update(make())
            touch()
        return known

    def __repr__(self) -> str:
        lines: list[str] = []
        for i, group in enumerate(self.param_groups):
            lines += [""] * bool(i) + [f"Parameter Group {i}"]
            shown = sorted(key for key in group if key not in ("params", "param_names"))
            lines += [f"    {key}: {group[key]}" for key in shown]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def _forget(params: list, set_to_none: bool) -> None:
    for p in params:
        if set_to_none:
            p.grad = None
        elif (grad := p.grad) is not None:
            grad.detach_().zero_()


def _listed(params: Any) -> tuple[list, list]:
    """(parameters, their names if given)."""
    if isinstance(params, Tensor):
        return [params], []
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the "
            "ordering of tensors in sets will change between runs. Please use a list "
            "instead."
        )
    each = list(params)
    if each and isinstance(each[0], tuple):
        return [p for _, p in each], [name for name, _ in each]
    return each, []


def check_options(**options: tuple) -> None:
    """ValueError that names the first option that does not hold.

    Each option is (its value, whether that is valid).
    """
    for what, (value, valid) in options.items():
        if not valid:
            raise ValueError(f"Invalid {what} value: {value}")


def check_rate(lr: Any) -> None:
    """ValueError for a negative learning rate."""
    if isinstance(lr, Tensor):
        if lr.shape.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    elif not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")
