"""One run of a function on variables of its own: what every derivative begins with.

A transform records its function: the values are plain SSA, so differentiating them is
one pass and the result can be transformed again. Outside a jitted function the
recording is computed at once; inside it joins the program being recorded.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Union

from ...tracer.graph import Value, constant, make, replace
from ...tracer.later import Later
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import Recorder, state
from ..arrays.creation import tensor
from ..gradmode import enable_grad
from ..tensor import Tensor, wrap

__all__ = ["Run", "Argnums", "name_of", "recorded", "recorder", "result", "tensors"]

# It brings much of `jit`, which not every program wants.
recording = Later("..jit.session", __package__)

Argnums = Union[int, tuple]


def recorded(name: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call `function` in the recording that is on, or in one that is computed now."""
    if state.recorder is not None:
        return function(*args, **kwargs)
    try:
        return recording.record(name, function, args, kwargs, listen=False).result
    except recording.Rerun as failure:  # an index out of range, say
        raise failure.__cause__ from None  # type: ignore[misc]


def recorder() -> Recorder:
    """The recording that is on."""
    rec = state.recorder
    assert rec is not None
    return rec


def name_of(f: Callable) -> str:
    """What a function is called in programs and messages."""
    return getattr(f, "__name__", type(f).__name__).replace("<lambda>", "lambda")


def result(value: Value) -> Tensor:
    """A tensor of `value` as this grad mode lets gradients see it."""
    if value.live and not state.grad:
        value = make("stop_gradient", (value,))
    return wrap(recorder(), value)


def tensors(leaves: Iterable, what: str) -> list[Value]:
    """The values of the leaves. RuntimeError for anything but a tensor."""
    leaves = list(leaves)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{what} must be tensors, got type {type(x).__name__}")
    return [recorder().value_of(x) for x in leaves]


class Run:
    """`f` was run on variables in place of the arguments `argnums` (None: of all).

    `out` and `aux` are what it returned, `wrt` the variables with the leaves of `spec`.
    """

    def __init__(
        self,
        f: Callable,
        args: tuple,
        kwargs: Optional[dict] = None,
        argnums: Optional[Argnums] = None,
        has_aux: bool = False,
    ):
        chosen = _numbers(argnums, len(args))
        leaves, self.spec = flatten(tuple(args[i] for i in chosen))
        variables = [_variable(x) for x in leaves]
        # Taken before `f` can write to them.
        self.wrt: list[Value] = [v._storage.value for v in variables]  # type: ignore
        self.single = isinstance(argnums, int)
        self._closed = {v.id: v.args[0] for v in self.wrt}
        inner = dict(zip(chosen, rebuild(self.spec, variables)))
        with enable_grad():
            given = (inner.get(i, x) for i, x in enumerate(args))
            out = f(*given, **(kwargs or {}))
        self.out, self.aux = _parted(out) if has_aux else (out, None)

    def close(self, values: Iterable[Optional[Value]]) -> list[Optional[Value]]:
        """The values with those of the arguments in place of the variables."""
        values = list(values)
        new = iter(replace([v for v in values if v is not None], self._closed))
        return [None if v is None else next(new) for v in values]

    def closed(self, tree: Any) -> Any:
        """A tree of results, for outside."""
        leaves, spec = flatten(tree)
        return rebuild(spec, map(self._outside, leaves))

    def _outside(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        value = recorder().value_of(x)
        (new,) = replace([value], self._closed)
        return x if new is value else result(new)

    def gradients(self, values: Iterable[Optional[Value]]) -> Any:
        """One value for each variable, as a tree of tensors (None: zeros)."""
        pairs = zip(self.wrt, self.close(values))
        made = [constant(0, v.shape, v.dtype) if g is None else g for v, g in pairs]
        tree = rebuild(self.spec, map(result, made))
        return tree[0] if self.single else tree


def _numbers(argnums: Optional[Argnums], count: int) -> tuple:
    """The arguments meant, counted from the front; RuntimeError for bad ones."""
    if argnums is None:
        return tuple(range(count))
    wanted = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    for i in wanted:
        if not isinstance(i, int):
            raise RuntimeError(f"argnum must be int, got: {type(i)}")
        if not -count <= i < count:
            raise RuntimeError(f"Got argnum={i}, but only {count} positional inputs")
    found = tuple(i % count for i in wanted)
    if len({*found}) < len(found) or not found:
        raise RuntimeError(f"argnums must be non-empty and unique, got {argnums}")
    return found


def _variable(x: Any) -> Tensor:
    """A variable of its own with the value of `x`; writes to it stay inside."""
    if not isinstance(x, (Tensor, int, float)):
        raise TypeError(f"expected tensors to differentiate by, got {type(x).__name__}")
    t = x if isinstance(x, Tensor) else tensor(float(x))
    if not t.dtype.is_floating_point:
        raise TypeError(f"grad needs floating-point arguments, not {t.dtype}")
    rec = recorder()
    return wrap(rec, make("leaf", (rec.value_of(t),)))


def _parted(out: Any) -> tuple:
    if not (isinstance(out, tuple) and len(out) == 2):
        raise RuntimeError(
            "output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return out
