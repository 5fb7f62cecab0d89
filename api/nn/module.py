"""Module: the base of every layer and model.

A recording of a jitted program relies on what it read of a module. So every change of
an attribute, parameter or hook is reported (`touch`), and a tensor that replaces a
tensor while recording is a replayable assignment (`write_slot`).
"""

from __future__ import annotations

import weakref
from typing import Any, Callable, Optional

from ...tracer.record import state
from ...tracer.recording.numbers import is_traced
from ...tracer.watch import Watched, touch
from ...tracer.watching.bundles import alike
from ..tensor import Tensor
from .hooks import Hooks, call_hooked
from .members import Members
from .moving import Moving
from .parameter import Parameter
from .state import State

__all__ = ["Module"]

_PLAIN = (int, float, str, bytes)


class Module(Watched, Hooks, Members, Moving, State):
    """The base class of all modules: subclass it and write `__init__` and `forward`.

    Parameters and modules assigned as attributes are found by `parameters()`,
    `modules()`, `state_dict()` and their kin.

    >>> from tracefuse import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(2, 3)
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    >>> Net()
    Net(
      (fc): Linear(in_features=2, out_features=3, bias=True)
    )
    """

    training: bool
    _maker: Any = None  # the recording in which it was made, if it was

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            given = [*map(repr, args), *kwargs]
            raise TypeError(
                f"{type(self).__name__}.__init__() takes no arguments, but got "
                f"{', '.join(given)}"
            )
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={})
        self.__dict__.update(
            _non_persistent_buffers_set=set(),
            _forward_pre_hooks={},
            _forward_hooks={},
            _backward_hooks={},
            _backward_pre_hooks={},
            _state_dict_hooks={},
            _state_dict_pre_hooks={},
            _load_state_dict_pre_hooks={},
            _load_state_dict_post_hooks={},
        )
        if state.recorder is not None:
            self.__dict__["_maker"] = weakref.ref(state.recorder)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes: to be written by every subclass."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks:
            return call_hooked(self, args, kwargs)
        if self._backward_hooks or self._backward_pre_hooks:
            return call_hooked(self, args, kwargs)
        return self.forward(*args, **kwargs)

    # -- attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for place in ("_parameters", "_buffers", "_modules"):
            if place in own and name in own[place]:
                return own[place][name]
        raise AttributeError(
            f"'{type(self).__name__}' object has no attribute '{name}'"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        for place, kind, what in _PLACES:
            if isinstance(value, kind):
                self._check_ready(what)
                self._remove_elsewhere(name, place)
                return self._add(place, name, value)
            if place in own and name in own[place]:
                allowed = (Tensor,) if place == "_buffers" else ()
                if value is not None and not isinstance(value, allowed):
                    raise TypeError(_wrong_kind(name, value, what))
                return self._put(own[place], name, value)
        if hasattr(getattr(type(self), name, None), "__set__"):
            object.__setattr__(self, name, value)
        else:
            self._put(own, name, value)

    def __delattr__(self, name: str) -> None:
        for place in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(place, ()):
                del self.__dict__[place][name]
                self._non_persistent_buffers_set.discard(name)
                break
        else:
            object.__delattr__(self, name)
        touch()

    def __dir__(self) -> list:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._buffers, self._modules)
        return sorted(name for name in names if not name[0].isdigit())

    def _check_ready(self, what: str) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _remove_elsewhere(self, name: str, kept: str) -> None:
        own = self.__dict__
        own.pop(name, None)
        for place in ("_parameters", "_buffers", "_modules"):
            if place != kept:
                own[place].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _put(self, owner: dict, name: str, new: Any) -> None:
        """Change one entry of one of this module's dicts, and tell who relies on it."""
        rec = state.recorder
        traced = rec is not None and is_traced(new)  # told when the call has ended
        if not traced and (self._maker is None or self._maker() is not rec):
            old = owner.get(name, state)
            if rec is not None and _moves(owner.get(name), new):
                return rec.write_slot(owner, name, new, item=True)
            if old is not new and not (
                type(old) is type(new) and isinstance(new, _PLAIN) and old == new
            ):
                touch()
        owner[name] = new

    # -- registering

    def register_parameter(self, name: str, param: Optional[Parameter]) -> None:
        """Add a parameter (or None, to keep the name). KeyError for a bad name."""
        self._check_ready("parameters")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' "
                "(nn.Parameter or None required)"
            )
        if param is not None and not param.is_leaf:  # type: ignore[attr-defined]
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model "
                f"parameters must be created explicitly. To express '{name}' as a "
                "function of another Tensor, compute the value in the forward() method."
            )
        self._put(self._parameters, name, param)

    def register_buffer(
        self, name: str, tensor: Optional[Tensor], persistent: bool = True
    ) -> None:
        """Add a tensor that is state but no parameter (batch norm's running mean).

        Only persistent buffers are part of `state_dict()`.
        """
        self._check_ready("buffers")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' "
                "(Tensor or None required)"
            )
        hidden = self._non_persistent_buffers_set
        (hidden.discard if persistent else hidden.add)(name)
        self._put(self._buffers, name, tensor)

    def add_module(self, name: str, module: Optional["Module"]) -> None:
        """Add a child module under a name. KeyError for a bad name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._put(self._modules, name, module)

    register_module = add_module

    def _check_name(self, what: str, name: Any, place: dict) -> None:
        if not isinstance(name, str):
            raise TypeError(
                f"{what} name should be a string. Got {type(name).__name__}"
            )
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: "{name}"')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in place:
            raise KeyError(f"attribute '{name}' already exists")

    def _add(self, place: str, name: str, value: Any) -> None:
        if place == "_parameters":
            self.register_parameter(name, value)
        else:
            self._put(self.__dict__[place], name, value)

    # -- modes

    def train(self, mode: bool = True) -> "Module":
        """Training behaviour (dropout, batch statistics) on or off, all below too."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> "Module":
        """The same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Switch gradients of all parameters (False freezes the module)."""
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros."""
        for p in self.parameters():
            if set_to_none:
                p.grad = None  # type: ignore[attr-defined]
            elif (grad := p.grad) is not None:  # type: ignore[attr-defined]
                grad.detach_().zero_()

    def apply(self, fn: Callable[["Module"], Any]) -> "Module":
        """Call `fn` on every module below, then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # -- printing

    def extra_repr(self) -> str:
        """Override to say more in `repr` (options, sizes)."""
        return ""

    def _get_name(self) -> str:
        return self.__class__.__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): {_indent(repr(child))}" for name, child in self._modules.items()
        ]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        body = "\n  ".join(lines + children)
        return f"{self._get_name()}(" + (f"\n  {body}\n" if body else "") + ")"


_PLACES = (
    ("_parameters", Parameter, "parameters"),
    ("_modules", Module, "module"),
    ("_buffers", (), "buffers"),
)
_EXPECTED = {
    "parameters": "as parameter '{}' (nn.Parameter or None expected)",
    "module": "as child module '{}' (nn.Module or None expected)",
    "buffers": "as buffer '{}' (nn.Buffer, Tensor or None expected)",
}


def _wrong_kind(name: str, value: Any, what: str) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    kind = kind.removeprefix("builtins.")
    return f"cannot assign '{kind}' {_EXPECTED[what].format(name)}"


def _moves(old: Any, new: Any) -> bool:
    """Whether tensors take the place of others: that is done at every call."""
    return (_movable(new) and _movable(old)) or alike(old, new)


def _movable(value: Any) -> bool:
    return value is None or (
        isinstance(value, Tensor) and not isinstance(value, Parameter)
    )


def _indent(text: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in rest)])
