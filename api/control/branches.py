"""Branches that are part of the program: `cond` and `switch`."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from ...tracer.graph import Value, constant, make, placeholder
from ...tracer.pytree import flatten, rebuild
from ...tracer.record import state
from ...tracer.recording.closing import advanced, closed
from ...tracer.recording.inner import Inner
from ...tracer.types import bool_
from ..arrays.creation import tensor
from ..arrays.scalars import item
from ..tensor import Tensor, record_args
from .packed import Packed, check_alike
from .recorded import check_escapes, recording

__all__ = ["cond", "switch"]

_MISSING = object()


def cond(
    pred: Any,
    true_fun: Optional[Callable] = None,
    false_fun: Optional[Callable] = None,
    *args: Any,
    operand: Any = _MISSING,
    true_fn: Optional[Callable] = None,
    false_fn: Optional[Callable] = None,
    operands: Any = (),
) -> Any:
    """`true_fun(*args)` where `pred` holds, else `false_fun(*args)`: one of them runs.

    The meaning of `jax.lax.cond`. `pred` is a bool or a tensor with one element. In
    eager code the one function is called. In a jitted function, a transform or a
    program both are recorded, and each run computes one of them; so they must return
    the same structure, shapes and types. Derivatives of every order. With the
    argument names of PyTorch's (`true_fn`, `false_fn`, `operands`) as `torch.cond`.

    Raises:
        TypeError: the results differ in structure, shape or element type.
        TraceError: a function writes to a tensor from outside, or asks for a number.

    >>> import tracefuse
    >>> x = tracefuse.tensor(-2.0)
    >>> cond(x > 0, lambda x: x, lambda x: -x, x)
    tensor(2.)
    """
    if true_fn is not None and false_fn is not None:
        true_fun, false_fun, args = true_fn, false_fn, tuple(operands)
    if true_fun is None or false_fun is None:
        raise TypeError("cond takes a predicate and two functions")
    args = args if operand is _MISSING else (operand,)
    if state.recorder is None or not isinstance(pred, Tensor):
        return _taken(true_fun if _decided(pred) else false_fun, args)
    then, other = _record_both(true_fun, false_fun, args)
    drawn = _draws(then.inner, other.inner)
    if any(a != b for *_, a, b in drawn) and not isinstance(state.recorder, Inner):
        # How far a generator moves depends on the branch: Python has to know it.
        return _taken(true_fun if _decided(pred) else false_fun, args)
    return _cond(_predicate(pred), then, other, drawn)


def _taken(branch: Callable, args: tuple) -> Any:
    """The branch that Python chose. Numbers become tensors, as they do recorded."""
    leaves, spec = flatten(branch(*args))
    numbers = (bool, int, float)
    return rebuild(spec, [tensor(x) if isinstance(x, numbers) else x for x in leaves])


def _decided(pred: Any) -> bool:
    return bool(item(pred)) if isinstance(pred, Tensor) else bool(pred)


def _predicate(pred: Tensor) -> Value:
    (v,) = record_args(state.recorder, (pred,))  # type: ignore[arg-type]
    if v.shape and any(n != 1 for n in v.shape):
        raise TypeError(f"the predicate of cond has one element, not {list(v.shape)}")
    v = v.reshape(())
    return v if v.dtype is bool_ else make("ne", (v, constant(0, (), v.dtype)))


class _Branch:
    """A branch, recorded: what it is given, its holes, and what it makes of them."""

    def __init__(self, what: str, f: Callable, given: Packed, holes: Sequence[Value]):
        self.given, self.holes, self.f = given, holes, f
        self.since = placeholder("now", (), bool_).id  # what is older is outside
        self.inner = Inner(state.recorder, what)  # type: ignore[arg-type]
        self.inner.holes = {v.id: v for v in holes}

    def run(self) -> None:
        """Record it."""
        with recording(self.inner):
            self.made = Packed(self.f(*self.given.around(self.holes)))
        check_escapes(self.inner)


def _record_both(true_fun: Callable, false_fun: Callable, args: tuple) -> tuple:
    given = Packed(args)
    model = Inner(state.recorder, "")  # type: ignore[arg-type]
    holes = [model.hole(f"x{i}", v) for i, v in enumerate(given.values)]
    then = _Branch("the true branch of cond", true_fun, given, holes)
    other = _Branch("the false branch of cond", false_fun, given, holes)
    then.run()
    known = then.inner.generators.items()
    other.inner.generators = {g: (hole, 0) for g, (hole, _) in known}
    other.inner.holes.update(then.inner.holes)
    other.run()
    return then, other


def _draws(then: Inner, other: Inner) -> list[tuple]:
    """Generators that the branches draw from: (it, its state, blocks in each)."""
    found = []
    for g, (hole, blocks) in other.generators.items():
        found.append((g, hole, then.generators.get(g, (hole, 0))[1], blocks))
    return found


def _cond(pred: Value, then: _Branch, other: _Branch, drawn: list) -> Any:
    rec: Any = state.recorder
    then.made.take_types(other.made)
    other.made.take_types(then.made)
    whole = "what the branches of cond return"
    check_alike(then.made, other.made, "the first", "the other", whole)
    functions = {"then": then.made.values, "other": other.made.values}
    holes = [*then.holes, *(hole for _, hole, *_ in drawn)]
    graphs, outside = closed(rec, functions, holes, then.since)
    states = [advanced(*rec.draw(g, max(a, b))) for g, _, a, b in drawn]
    args = (pred, *then.given.values, *states, *outside)
    node = make("cond", args, **dict(zip(functions, graphs)))
    made = then.made.values
    return then.made.around([make("item", (node,), index=i) for i in range(len(made))])


def switch(
    index: Any, branches: Sequence[Callable], *args: Any, operand: Any = _MISSING
) -> Any:
    """`branches[index](*args)`: one of several functions runs.

    The meaning of `jax.lax.switch`: an index below 0 is taken for 0, one too large for
    the last. In recorded code the branches must return the same structure and types.
    ValueError without branches.

    >>> import tracefuse
    >>> double, square = lambda x: x * 2, lambda x: x * x
    >>> switch(tracefuse.tensor(1), [double, square], tracefuse.tensor(5))
    tensor(25)
    """
    args = args if operand is _MISSING else (operand,)
    branches = list(branches)
    if not branches:
        raise ValueError("switch takes at least one branch")
    if state.recorder is None or not isinstance(index, Tensor):
        at = item(index) if isinstance(index, Tensor) else index
        return _taken(branches[min(max(at, 0), len(branches) - 1)], args)
    return _switch(index, 0, branches, args)


def _switch(index: Tensor, first: int, branches: list, args: tuple) -> Any:
    """Halves are told apart until one branch is left."""
    if len(branches) == 1:
        return branches[0](*args)
    half = len(branches) // 2
    low, high = branches[:half], branches[half:]
    return cond(
        index < first + half,
        lambda *args: _switch(index, first, low, args),
        lambda *args: _switch(index, first + half, high, args),
        *args,
    )
