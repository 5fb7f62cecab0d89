"""Hooks of modules: functions that run before and after `forward`."""

from __future__ import annotations

import itertools
from typing import Any, Callable, NamedTuple, Optional

from ...tracer.watch import touch

__all__ = ["RemovableHandle", "Hooks"]

_numbers = itertools.count()


class Hook(NamedTuple):
    """A registered function: does it take kwargs, and run even after an error?"""

    function: Callable
    with_kwargs: bool = False
    always: bool = False


class RemovableHandle:
    """What registering gives back: `remove()` undoes it; also a context manager."""

    def __init__(self, hooks: dict):
        self.hooks, self.id = hooks, next(_numbers)

    def remove(self) -> None:
        """Take the hook out again (twice does no harm)."""
        if self.hooks.pop(self.id, None) is not None:
            touch()

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.remove()


def register(hooks: dict, hook: Any, prepend: bool = False) -> RemovableHandle:
    """Add to an ordered dict of hooks; the handle takes it out."""
    handle = RemovableHandle(hooks)
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[handle.id] = hook
    hooks.update(others)
    touch()
    return handle


class Hooks:
    """The part of a module that knows about hooks."""

    _forward_pre_hooks: dict[int, Hook]
    _forward_hooks: dict[int, Hook]
    _state_dict_hooks: dict[int, Callable]
    _state_dict_pre_hooks: dict[int, Callable]
    _load_state_dict_pre_hooks: dict[int, Callable]
    _load_state_dict_post_hooks: dict[int, Callable]
    forward: Callable

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, args)` before each `forward`.

        What it returns other than None replaces the arguments. With `with_kwargs` it
        is called as `hook(module, args, kwargs)` and may return both as a pair.
        """
        return register(self._forward_pre_hooks, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Run `hook(module, args, output)` after each `forward`.

        What it returns other than None replaces the output. With `with_kwargs` it is
        called as `hook(module, args, kwargs, output)`; with `always_call` also when
        `forward` raised (output None then).
        """
        entry = Hook(hook, with_kwargs, always_call)
        return register(self._forward_hooks, entry, prepend)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, prefix, keep_vars)` before `state_dict` collects."""
        return register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, state_dict, prefix, metadata)` after collecting."""
        return register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, state_dict, prefix, metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before a state dict is looked at."""
        return register(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, incompatible_keys)` after a state dict was looked at."""
        return register(self._load_state_dict_post_hooks, hook)


def call_hooked(module: Any, args: tuple, kwargs: dict) -> Any:
    """`module.forward` between its hooks."""
    try:
        for hook in list(module._forward_pre_hooks.values()):
            args, kwargs = _before(module, hook, args, kwargs)
        result = module.forward(*args, **kwargs)
    except Exception:
        for hook in list(module._forward_hooks.values()):
            if hook.always:
                _after(module, hook, args, kwargs, None)
        raise
    for hook in list(module._forward_hooks.values()):
        replaced = _after(module, hook, args, kwargs, result)
        result = result if replaced is None else replaced
    return result


def _before(module: Any, hook: Hook, args: tuple, kwargs: dict) -> tuple:
    if not hook.with_kwargs:
        new = hook.function(module, args)
        if new is None:
            return args, kwargs
        return (new if isinstance(new, tuple) else (new,)), kwargs
    new = hook.function(module, args, kwargs)
    if new is None:
        return args, kwargs
    if isinstance(new, tuple) and len(new) == 2:
        return new
    raise RuntimeError(
        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
        f"but got {new}."
    )


def _after(
    module: Any, hook: Hook, args: tuple, kwargs: dict, result: Optional[Any]
) -> Any:
    if hook.with_kwargs:
        return hook.function(module, args, kwargs, result)
    return hook.function(module, args, result)
