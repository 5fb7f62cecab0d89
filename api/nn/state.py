"""State dicts: what a module remembers, by name, and how it is put back.

Loading looks at everything first and copies afterwards, so that a state dict that
does not fit leaves the module as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ..gradmode import no_grad
from ..tensor import Tensor
from .parameter import Parameter, UninitializedParameter

__all__ = ["State", "StateDict"]

_EXTRA = "_extra_state"


class StateDict(OrderedDict):
    """An ordered dict that also carries the versions of the modules in it."""

    _metadata: dict


class _IncompatibleKeys(NamedTuple):
    missing_keys: list
    unexpected_keys: list

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys!r}, "
            f"unexpected_keys={self.unexpected_keys!r})"
        )


class State:
    """The part of a module that saves and loads."""

    _version = 1
    _parameters: dict
    _buffers: dict
    _modules: dict
    _non_persistent_buffers_set: set
    _state_dict_hooks: dict[int, Callable]
    _state_dict_pre_hooks: dict[int, Callable]
    _load_state_dict_pre_hooks: dict[int, Callable]
    _load_state_dict_post_hooks: dict[int, Callable]

    def get_extra_state(self) -> Any:
        """Override to save more than parameters and buffers in `state_dict`."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be "
            "called. Override it together with set_extra_state()."
        )

    def set_extra_state(self, state: Any) -> None:
        """Override to receive what `get_extra_state` gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be "
            "called. Override it together with get_extra_state()."
        )

    def state_dict(
        self, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Parameters and persistent buffers by their dotted names.

        The tensors share memory with the module and are detached (`keep_vars=True`
        gives the parameters themselves).

        >>> from tracefuse import nn
        >>> list(nn.Sequential(nn.Linear(2, 3)).state_dict())
        ['0.weight', '0.bias']
        """
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        self._collect(destination, prefix, keep_vars)
        return destination

    def _collect(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        metadata = dict(version=self._version)
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(
                    destination=destination,
                    prefix=f"{prefix}{name}.",
                    keep_vars=keep_vars,
                )
        for hook in self._state_dict_hooks.values():
            hook(self, destination, prefix, metadata)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep: bool) -> None:
        for name, t in self._own_state().items():
            destination[prefix + name] = t if keep else t.detach()
        if self._has_extra_state():
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _own_state(self) -> dict:
        """This module's parameters and persistent buffers that are not None."""
        buffers = self._buffers.items()
        hidden = self._non_persistent_buffers_set
        kept = {name: t for name, t in buffers if name not in hidden}
        both = {**self._parameters, **kept}
        return {name: t for name, t in both.items() if t is not None}

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not State.get_extra_state

    def load_state_dict(
        self, state_dict: Any, strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy a state dict into this module and all below it.

        Returns (missing_keys, unexpected_keys); `assign=True` puts the given tensors
        in place of the module's. RuntimeError for sizes that do not fit and, if
        `strict`, for keys that are missing or unexpected; nothing is changed then.
        TypeError when `state_dict` is not a mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict)}."
            )
        loading = _Loading(state_dict, assign)
        loading.look_at(self, "")
        loading.report(type(self).__name__, strict)
        loading.apply()
        return _IncompatibleKeys(loading.missing, loading.unexpected)


class _Loading:
    """One state dict on its way into a module: first looked at, then applied."""

    def __init__(self, given: Mapping, assign: bool):
        self.given: dict = OrderedDict(given)
        self.metadata: dict = getattr(given, "_metadata", None) or {}
        self.assign = assign
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []
        self.steps: list[Callable[[], Any]] = []

    def look_at(self, module: Any, prefix: str) -> None:
        """Compare what was given below `prefix` with the module."""
        metadata = self.metadata.get(prefix[:-1], {})
        for hook in module._load_state_dict_pre_hooks.values():
            lists = (self.missing, self.unexpected, self.errors)
            hook(module, self.given, prefix, metadata, True, *lists)
        own = module._own_state()
        for name, t in own.items():
            self._match(module, name, t, prefix + name)
        self._match_extra(module, prefix)
        self._find_unexpected(module, own, prefix)
        for name, child in module._modules.items():
            if child is not None:
                self.look_at(child, f"{prefix}{name}.")
        keys = _IncompatibleKeys(self.missing, self.unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, keys) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are "
                    "not expected to return new values, if incompatible_keys need to "
                    "be modified, it should be done inplace."
                )

    def _match(self, module: Any, name: str, t: Tensor, key: str) -> None:
        if key not in self.given:
            self.missing.append(key)
            return
        new = self.given[key]
        if not isinstance(new, Tensor):
            self.errors.append(
                f'While copying the parameter named "{key}", expected Tensor or '
                f"Tensor-like object from checkpoint but received {type(new)}"
            )
            return
        lazy = isinstance(t, UninitializedParameter)
        if not lazy and len(t.shape) == 0 and tuple(new.shape) == (1,):
            new = new[0]  # type: ignore[index]
        if not lazy and tuple(new.shape) != tuple(t.shape):
            self.errors.append(
                f"size mismatch for {key}: copying a param with shape {new.shape} "
                f"from checkpoint, the shape in current model is {t.shape}."
            )
            return
        self.steps.append(lambda: self._put(module, name, t, new))

    def _put(self, module: Any, name: str, t: Tensor, new: Tensor) -> None:
        if self.assign:
            if isinstance(t, Parameter) and not isinstance(new, Parameter):
                new = Parameter(new, t.requires_grad)
            setattr(module, name, new)
            return
        if isinstance(t, UninitializedParameter):
            t.materialize(new.shape)
        with no_grad():
            t.copy_(new)  # type: ignore[attr-defined]

    def _match_extra(self, module: Any, prefix: str) -> None:
        key = prefix + _EXTRA
        if module._has_extra_state():
            if key in self.given:
                extra = self.given[key]
                self.steps.append(lambda: module.set_extra_state(extra))
            else:
                self.missing.append(key)
        elif key in self.given:
            self.unexpected.append(key)

    def _find_unexpected(self, module: Any, own: dict, prefix: str) -> None:
        for key in self.given:
            if key.startswith(prefix) and key != prefix + _EXTRA:
                name = key[len(prefix) :].split(".", 1)
                if len(name) > 1:
                    known = module._modules.get(name[0]) is not None
                else:
                    known = name[0] in own
                if not known:
                    self.unexpected.append(key)

    def report(self, name: str, strict: bool) -> None:
        """Raise what was found wrong, all of it at once."""
        lines = list(self.errors)
        if strict:
            found = (("Unexpected", self.unexpected), ("Missing", self.missing))
            for kind, keys in found:
                if keys:
                    listed = ", ".join(f'"{k}"' for k in keys)
                    lines.insert(0, f"{kind} key(s) in state_dict: {listed}. ")
        if lines:
            text = "\n\t".join(lines)
            raise RuntimeError(f"Error(s) in loading state_dict for {name}:\n\t{text}")

    def apply(self) -> None:
        """Copy, now that everything fits."""
        for step in self.steps:
            step()
