"""Modules as functions of their parameters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from ..arrays.joining import stack
from ..tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call `module` with other tensors in place of some parameters and buffers.

    `parameter_and_buffer_dicts` is a dict by dotted name, or several with different
    names. `args` is a tuple, or the one argument. The module is as before afterwards;
    what its forward writes in place goes into the tensors given. Tied parameters
    follow the one that is given (`tie_weights`). With `strict`, RuntimeError when
    names are missing or unknown. ValueError for dicts that overlap.

    >>> import tracefuse
    >>> layer = tracefuse.nn.Linear(2, 1)
    >>> given = {"weight": tracefuse.ones(1, 2), "bias": tracefuse.zeros(1)}
    >>> functional_call(layer, given, tracefuse.ones(3, 2))
    tensor([[2.],
            [2.],
            [2.]])
    """
    given = _one_dict(parameter_and_buffer_dicts)
    names = _names(module)
    if strict:
        _check_strict(given, names)
    if tie_weights:
        given = _with_tied(given, names)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _exchanged(module, given):
        return module(*args, **(kwargs or {}))


def _one_dict(dicts: Any) -> dict:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, (tuple, list)):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of "
            f"dicts, but got {type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError(
            "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
        )
    names = [name for d in dicts for name in d]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{twice} appeared in multiple dictionaries; behavior of functional call "
            "is ambiguous"
        )
    return {name: t for d in dicts for name, t in d.items()}


def _names(module: Any) -> dict[str, Tensor]:
    """Every parameter and buffer by each of its names."""
    found = dict(module.named_parameters(remove_duplicate=False))
    found.update(module.named_buffers(remove_duplicate=False))
    return found


def _check_strict(given: dict, names: dict) -> None:
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if missing or unknown:
        raise RuntimeError(
            "Error in reparametrizing: Missing key(s): "
            f"{missing}. Unexpected key(s): {unknown}."
        )


def _with_tied(given: dict, names: dict[str, Tensor]) -> dict:
    """The dict with the other names of tied tensors; ValueError if they disagree."""
    meant: dict[int, Tensor] = {}
    for name, t in given.items():
        if name in names and meant.setdefault(id(names[name]), t) is not t:
            raise ValueError(
                f"functional_call got multiple values for keys tied to {name!r}. "
                "Consider using tie_weights=False"
            )
    tied = {name: meant[id(t)] for name, t in names.items() if id(t) in meant}
    return {**given, **tied}


@contextmanager
def _exchanged(module: Any, given: dict) -> Iterator[None]:
    """The tensors in the module's own dicts, while the body runs.

    Nobody who watches the module is told, since it ends as it began.
    """
    before: list[tuple[dict, str, Any]] = []
    try:
        for name, t in given.items():
            owner, key = _place(module, name)
            before.append((owner, key, owner.get(key, before)))
            owner[key] = t
        yield
    finally:
        for owner, key, old in reversed(before):
            if old is before:
                owner.pop(key, None)
            else:
                owner[key] = old


def _place(module: Any, name: str) -> tuple[dict, str]:
    """The dict of the submodule that holds (or would hold) what has this name."""
    *above, key = name.split(".")
    for part in above:
        module = getattr(module, part)
    is_buffer = key in module._buffers
    return (module._buffers if is_buffer else module._parameters), key


def stack_module_state(models: Sequence[Any]) -> tuple[dict, dict]:
    """(parameters, buffers) of alike models by name, stacked along a new first axis.

    For ensembles: `vmap(functional_call)` over them runs all models at once.
    RuntimeError for no models, or for models of different classes or modes.

    >>> from tracefuse import nn
    >>> params, buffers = stack_module_state([nn.Linear(2, 3) for _ in range(4)])
    >>> {name: p.shape for name, p in params.items()}
    {'weight': tracefuse.Size([4, 3, 2]), 'bias': tracefuse.Size([4, 3])}
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval "
            "mode."
        )
    if len({type(m) for m in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to be of the same class."
        )
    params = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return _stacked(params), _stacked(buffers)


def _stacked(dicts: list[dict]) -> dict:
    return {name: _stack(name, [d[name] for d in dicts]) for name in dicts[0]}


def _stack(name: str, tensors: list[Tensor]) -> Tensor:
    wanted = {t.requires_grad for t in tensors}
    if len(wanted) > 1:
        raise RuntimeError(
            f"Expected {name} from each model to have the same .requires_grad"
        )
    stacked = stack(tensors).detach()  # type: ignore[attr-defined]
    return stacked.requires_grad_() if wanted.pop() else stacked
