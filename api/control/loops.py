"""Loops that are part of the program: `scan`, `while_loop`, `fori_loop`."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ...tracer.errors import TraceError
from ...tracer.graph import Value, constant, here, make
from ...tracer.record import state
from ...tracer.recording.closing import advanced, closed
from ...tracer.recording.inner import Inner
from ...tracer.sizes import Dim, Int, same_size
from ...tracer.types import bool_, int64
from ...tracer.where import user_line
from ..arrays.scalars import item
from ..tensor import Tensor, wrap
from ..transforms.runs import recorded
from .packed import Packed, check_alike
from .recorded import check_escapes, recording

__all__ = ["fori_loop", "scan", "while_loop"]

# What a loop of unknown length may draw at most before it meets later draws.
MANY_BLOCKS = 1 << 32


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: Optional[Int] = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> tuple:
    """Fold `f` over the rows of `xs`: the last carry, and what each step gave, stacked.

    The meaning of `jax.lax.scan`:

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, stack(ys)

    `init`, `xs` and what `f` returns may be nested containers of tensors. `f` is
    recorded once and runs `length` times (default: the length of the first axis of
    the tensors in `xs`, which may be None); with `reverse` from the last row to the
    first. It has derivatives of every order. `unroll` is accepted; it changes nothing.

    Raises:
        TypeError: `f` returns no pair, or a carry of another structure, shape or type.
        ValueError: lengths that differ, or none at all.
        TraceError: `f` writes to a tensor from outside, or asks for a number.

    >>> import tracefuse
    >>> scan(lambda total, x: (total + x, total * x), 0.0, tracefuse.arange(1.0, 4.0))
    (tensor(6.), tensor([0., 2., 9.]))
    """
    return recorded("scan", _scan, f, init, xs, length, reverse)


def _scan(f: Callable, init: Any, xs: Any, length: Any, reverse: bool) -> tuple:
    carry, rows = Packed(init), Packed(xs)
    n = _length(rows, length)
    step = _Step("the body of scan", f, carry, rows)
    while carry.take_types(step.after):
        step = _Step("the body of scan", f, carry, rows)
    step.after.take_types(carry)
    check_alike(carry, step.after, "the carry", "the new carry", _CARRY.format("scan"))
    states = _States(step.inner)
    (body,), operands = closed(
        state.recorder,  # type: ignore[arg-type]
        {"body": [*step.after.values, *states.after, *step.made.values]},
        [*step.carry, *states.holes, *step.rows],
    )
    before = [*carry.values, *states.before(n)]
    node = make(
        "scan",
        (*before, *rows.values, *operands),
        **{"body": body, "length": n, "reverse": bool(reverse)},
        **{"carry": len(before), "rows": len(rows.values)},
    )
    items = [make("item", (node,), index=i) for i in range(len(body.outputs))]
    return carry.around(items), step.made.around(items[len(before) :])


_CARRY = "what the body of {} is given as carry and what it returns"


def _length(rows: Packed, length: Optional[Int]) -> Int:
    """The number of steps; ValueError where there is no one answer."""
    for name, v in zip(rows.names(), rows.values):
        if not v.shape:
            raise ValueError(f"scan: xs{name} is a scalar: it has no rows")
    sizes = [v.shape[0] for v in rows.values]
    if not sizes and length is None:
        raise ValueError("scan got no values to scan over, and no length")
    first = sizes[0] if length is None else length
    if any(not same_size(n, first) and n != first for n in sizes):
        wanted = "" if length is None else f" and length={length}"
        raise ValueError(f"scan got rows of different lengths: {sizes}{wanted}")
    return max(first, 0) if type(first) is int else first


class _Step:
    """The body of a scan, recorded: its holes and what it makes of them."""

    def __init__(self, what: str, f: Callable, carry: Packed, rows: Packed):
        self.inner = inner = Inner(state.recorder, what)  # type: ignore[arg-type]
        self.carry = [inner.hole(f"c{i}", v) for i, v in enumerate(carry.values)]
        self.rows = [inner.hole(f"x{i}", v, 1) for i, v in enumerate(rows.values)]
        with recording(inner):
            made = _pair(what, f, carry.around(self.carry), rows.around(self.rows))
        self.after, self.made = made
        check_escapes(inner)


def _pair(what: str, f: Callable, carry: Any, row: Any) -> tuple[Packed, Packed]:
    """What a step returns; its tensors are not held when this is done."""
    result = f(carry, row)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        kind = type(result).__name__
        raise TypeError(f"{what} must return a pair (carry, y), not a {kind}")
    return Packed(result[0]), Packed(result[1])


class _States:
    """The random states that a loop carries, and how far each step moves them."""

    def __init__(self, inner: Inner):
        self.drawn = list(inner.generators.items())
        self.holes = [hole for _, (hole, _) in self.drawn]
        self.after = [advanced(hole, blocks) for _, (hole, blocks) in self.drawn]

    def before(self, steps: Int) -> list[Value]:
        """The states at the start of a loop of so many steps; it draws them all."""
        return [_drawn(g, blocks * steps) for g, (_, blocks) in self.drawn]


def _drawn(generator: Any, blocks: Int) -> Value:
    rec: Any = state.recorder
    value, skip = rec.draw(generator, blocks)
    return advanced(value, skip)


def while_loop(
    cond_fun: Optional[Callable] = None,
    body_fun: Optional[Callable] = None,
    init_val: Any = None,
    *,
    cond_fn: Optional[Callable] = None,
    body_fn: Optional[Callable] = None,
    carried_inputs: Any = None,
) -> Any:
    """Repeat `val = body_fun(val)` while `cond_fun(val)`; the last `val`.

    The meaning of `jax.lax.while_loop`: both functions are recorded once, so the
    number of steps may depend on the numbers, also in a jitted function or a saved
    program. `val` may be a nested container; its structure, shapes and element types
    stay. With the argument names of PyTorch's (`cond_fn`, `body_fn`,
    `carried_inputs`), functions take the carried tensors one by one.

    It has derivatives in forward mode only: what a backward would need of a loop of
    unknown length has no bound. `backward()` raises TraceError; use `scan`, or
    `fori_loop` with bounds that are known.

    Raises:
        TypeError: a body that changes structure, shape or type; a test that is no bool.
        TraceError: a function writes to a tensor from outside, or asks for a number.

    >>> import tracefuse
    >>> while_loop(lambda x: x < 100, lambda x: x * 2, tracefuse.tensor(3))
    tensor(192)
    """
    if cond_fn is not None and body_fn is not None:
        test, body, init = _spread(cond_fn), _spread(body_fn), tuple(carried_inputs)
        return recorded("while_loop", _while, test, lambda val: tuple(body(val)), init)
    if cond_fun is None or body_fun is None:
        raise TypeError("while_loop takes cond_fun, body_fun and init_val")
    return recorded("while_loop", _while, cond_fun, body_fun, init_val)


def _spread(f: Callable) -> Callable:
    return lambda args: f(*args)


def _while(cond_fun: Callable, body_fun: Callable, init_val: Any) -> Any:
    carry = Packed(init_val)
    step = _Turn(cond_fun, body_fun, carry)
    while carry.take_types(step.after):
        step = _Turn(cond_fun, body_fun, carry)
    step.after.take_types(carry)
    whole = _CARRY.format("while_loop")
    check_alike(carry, step.after, "the carry", "the new carry", whole)
    states = _States(step.inner)
    (test, body), operands = closed(
        state.recorder,  # type: ignore[arg-type]
        {"test": [step.goes_on], "body": [*step.after.values, *states.after]},
        [*step.carry, *states.holes],
    )
    before = [*carry.values, *(_drawn(g, MANY_BLOCKS) for g, _ in states.drawn)]
    node = make("while", (*before, *operands), test=test, body=body)
    items = [make("item", (node,), index=i) for i in range(len(carry.values))]
    return carry.around(items)


class _Turn:
    """The two functions of a while loop, recorded on the same holes."""

    def __init__(self, cond_fun: Callable, body_fun: Callable, carry: Packed):
        rec: Any = state.recorder
        self.inner = inner = Inner(rec, "the body of while_loop")
        test = Inner(rec, "the test of while_loop")
        self.carry = [inner.hole(f"c{i}", v) for i, v in enumerate(carry.values)]
        test.holes = inner.holes
        with recording(test):
            self.goes_on = _truth(cond_fun(carry.around(self.carry)))
        if test.generators:
            raise TraceError("the test of while_loop draws random numbers")
        with recording(inner):
            self.after = Packed(body_fun(carry.around(self.carry)))
        check_escapes(test)
        check_escapes(inner)


def _truth(answer: Any) -> Value:
    packed = Packed(answer)
    values = packed.values if packed.spec is None else ()
    if len(values) != 1 or values[0].dtype is not bool_ or values[0].shape:
        raise TypeError(
            "the test of while_loop must return one bool without axes, not "
            f"{packed.shown()}"
        )
    return values[0]


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable, init_val: Any, *, unroll: Any = None
) -> Any:
    """Repeat `val = body_fun(i, val)` for i from `lower` up to `upper`; the last `val`.

    The meaning of `jax.lax.fori_loop`; i is an int64 tensor. Where both bounds are
    known when it is recorded (integers, symbolic sizes; any tensors in eager code) it
    is a `scan` and has derivatives of every order, otherwise a `while_loop`.

    >>> import tracefuse
    >>> fori_loop(1, 6, lambda i, product: product * i, 1)
    tensor(120)
    """
    if state.recorder is None:
        lower, upper = (item(n) if isinstance(n, Tensor) else n for n in (lower, upper))
    return recorded("fori_loop", _fori, lower, upper, body_fun, init_val)


def _fori(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    if isinstance(lower, (int, Dim)) and isinstance(upper, (int, Dim)):
        return _fori_scan(lower, upper, body_fun, init_val)
    rec: Any = state.recorder
    bounds = Packed((lower, upper))
    i, end = (wrap(rec, v.cast(int64)) for v in bounds.values)
    test = lambda val: val[0] < end  # noqa: E731
    body = lambda val: (val[0] + 1, body_fun(*val))  # noqa: E731
    return _while(test, body, (i, init_val))[1]


def _fori_scan(lower: Int, upper: Int, body_fun: Callable, init_val: Any) -> Any:
    here.line = user_line()
    n = upper - lower
    n = max(n, 0) if type(n) is int else n
    steps = make("iota", (), axis=-1, shape=(n,), dtype=int64)
    if not same_size(lower, 0):
        first = (
            constant(1, (lower,), int64).sum((-1,)) if isinstance(lower, Dim) else lower
        )
        steps = steps + (first if isinstance(first, int) else first.expand((n,)))
    xs = wrap(state.recorder, steps)  # type: ignore[arg-type]
    return _scan(lambda val, i: (body_fun(i, val), None), init_val, xs, n, False)[0]
