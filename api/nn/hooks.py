"""Hooks of modules: functions that run before and after `forward`."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from ..handles import RemovableHandle, register
from .backward_hooks import BackwardHooks

__all__ = ["Hooks"]


class Hook(NamedTuple):
    """A registered function: does it take kwargs, and run even after an error?"""

    function: Callable
    with_kwargs: bool = False
    always: bool = False


class Hooks:
    """The part of a module that knows about hooks."""

    _forward_pre_hooks: dict[int, Hook]
    _forward_hooks: dict[int, Hook]
    _backward_hooks: dict[int, Callable]
    _backward_pre_hooks: dict[int, Callable]
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

    def register_full_backward_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, grad_input, grad_output)` in each backward.

        Both are tuples: of the gradients of the positional arguments and of the
        results. What it returns other than None takes the place of grad_input.
        """
        return register(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, grad_output)` before the backward of the module.

        What it returns other than None takes the place of grad_output.
        """
        return register(self._backward_pre_hooks, hook, prepend)

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
        seen = _seen(module)
        args = args if seen is None else seen.enter(args)
        result = module.forward(*args, **kwargs)
    except Exception:
        for hook in list(module._forward_hooks.values()):
            if hook.always:
                _after(module, hook, args, kwargs, None)
        raise
    for hook in list(module._forward_hooks.values()):
        replaced = _after(module, hook, args, kwargs, result)
        result = result if replaced is None else replaced
    return result if seen is None else seen.leave(result)


def _seen(module: Any) -> Optional[BackwardHooks]:
    """What lets hooks see the gradients of one call, if any wait for them."""
    waiting = module._backward_hooks or module._backward_pre_hooks
    return BackwardHooks(module) if waiting else None


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
