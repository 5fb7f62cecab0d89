"""`vjp`, `jvp` and `linearize`: the derivative of a function as a linear map."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from ...autodiff.jvp import jvp as forward
from ...autodiff.vjp import vjp as reverse
from ...tracer.batching.batch import depends
from ...tracer.graph import Value, constant, placeholder, reachable, replace
from ...tracer.pytree import flatten, rebuild
from ..math.composite import cast
from ..tensor import Tensor, wrap
from .runs import Run, name_of, recorded, recorder, result, tensors

__all__ = ["vjp", "jvp", "linearize"]

_MOVES = frozenset(("expand", "reshape", "permute"))


class Linear:
    """A linear map recorded once, with the tensors that it reads.

    It holds no more of the function than that: what `kept` are, and what to compute
    of them and of the arguments.
    """

    def __init__(
        self, inputs: Sequence[Value], outputs: Sequence[Optional[Value]], like: Any
    ):
        made = [
            constant(0, y.shape, y.dtype) if v is None else v
            for v, y in zip(outputs, like)
        ]
        read = _read(made, inputs)
        self.kept = [wrap(recorder(), v) for v in read]
        known = {v.id: placeholder("kept", v.shape, v.dtype) for v in read}
        self.holes = [*known.values(), *inputs]
        self.outputs = replace(made, known)

    def __call__(self, given: list[Tensor]) -> list[Tensor]:
        """The map at these tensors, in the recording that is on."""
        rec = recorder()
        values = [rec.value_of(t) for t in (*self.kept, *given)]
        known = {hole.id: v for hole, v in zip(self.holes, values)}
        return [result(v) for v in replace(self.outputs, known)]


def _read(outputs: list[Value], inputs: Sequence[Value]) -> list[Value]:
    """What the linear part reads of the rest, before it is merely moved about."""
    inside = depends(outputs, inputs)
    behind = reachable(outputs, stop=lambda v: v.id not in inside)
    found: dict[int, Value] = {}
    for v in behind:
        while v.id not in inside and v.op in _MOVES:
            v = v.args[0]
        if v.id not in inside and v.op not in ("constant", "iota"):
            found[v.id] = v
    return list(found.values())


def _arguments(tree: Any, spec: Any, like: list, what: str) -> list[Tensor]:
    """The leaves of `tree`, which has to fit; RuntimeError says where it does not."""
    leaves, given = flatten(tree)
    if given != spec:
        raise RuntimeError(
            f"Expected pytree structure of {what}s to be the same as pytree structure "
            f"of what they belong to. {what}s: {given}, expected: {spec}"
        )
    numbered = enumerate(zip(leaves, like))
    return [_fitting(t, kind, f"{what} {i}") for i, (t, kind) in numbered]


def _fitting(t: Any, kind: tuple, what: str) -> Tensor:
    shape, dtype = kind
    if not isinstance(t, Tensor):
        raise RuntimeError(f"{what} must be a Tensor, got type {type(t).__name__}")
    if tuple(t.shape) != tuple(shape):
        raise RuntimeError(
            f"Mismatch in shape: {what} has a shape of {list(t.shape)}, "
            f"{list(shape)} expected"
        )
    return t if t.dtype is dtype else cast(t, dtype)


def _kinds(values: Sequence[Value]) -> list:
    return [(v.shape, v.dtype) for v in values]


def _applied(name: str, linear: Linear, arguments: Callable, spec: Any) -> Callable:
    """The function of trees that a linear map is."""

    def apply(*given: Any) -> Any:
        return rebuild(spec, linear(arguments(*given)))

    return lambda *given: recorded(name, apply, *given)


def vjp(f: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """(f(*primals), vjp_fn), or (output, vjp_fn, aux) where `f` returns (output, aux).

    `vjp_fn(cotangents)` takes the structure of the output and returns a tuple: for
    each of `primals` its vector-Jacobian product. It may be called any number of
    times; `f` does not run again. RuntimeError where a cotangent does not fit.

    >>> import tracefuse
    >>> out, vjp_fn = vjp(lambda x, y: x * y, tracefuse.ones(2), tracefuse.ones(2) * 3)
    >>> vjp_fn(tracefuse.tensor([1.0, 10.0]))
    (tensor([ 3., 30.]), tensor([ 1., 10.]))
    """
    name = f"vjp_{name_of(f)}"

    def pull(*primals: Any) -> tuple:
        run = Run(f, primals, has_aux=has_aux)
        leaves, spec = flatten(run.out)
        outputs = tensors(leaves, "vjp(f, *primals): outputs of f")
        weights = [placeholder("g", y.shape, y.dtype) for y in outputs]
        smooth = [g if g.dtype.is_floating_point else None for g in weights]
        linear = Linear(weights, run.close(reverse(outputs, smooth, run.wrt)), run.wrt)
        like = _kinds(outputs)
        fit = lambda tree: _arguments(tree, spec, like, "cotangent")  # noqa: E731
        apply = _applied(name, linear, fit, run.spec)
        return (run.closed(run.out), apply, *([run.closed(run.aux)] if has_aux else ()))

    return recorded(name, pull, *primals)


def jvp(
    f: Callable,
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple:
    """(f(*primals), the Jacobian-vector product), and aux where `f` returns it.

    `primals` and `tangents` are tuples of the same structure. With `strict`, an
    output that does not depend on the primals is a RuntimeError; its tangent is zero
    otherwise. Forward over reverse gives products with the Hessian:

    >>> import tracefuse
    >>> def hvp(f, x, v):
    ...     return jvp(tracefuse.grad(f), (x,), (v,))[1]
    >>> x, v = tracefuse.tensor([1.0, 2.0]), tracefuse.tensor([1.0, 0.0])
    >>> hvp(lambda x: (x**3).sum(), x, v)
    tensor([6., 0.])
    """
    for given, what in ((primals, "primals"), (tangents, "tangents")):
        if not isinstance(given, (tuple, list)):
            raise RuntimeError(
                f"jvp(f, primals, tangents): Expected {what} to be a tuple. "
                "E.g. it should be valid to call f(*primals)."
            )

    def push(primals: tuple, tangents: tuple) -> tuple:
        run = Run(f, primals, has_aux=has_aux)
        given = _arguments(tangents, run.spec, _kinds(run.wrt), "tangent")
        leaves, spec = flatten(run.out)
        outputs = tensors(leaves, "jvp(f, primals, tangents): outputs of f")
        found = forward(outputs, run.wrt, tensors(given, "tangents"))
        _check_strict(strict, found)
        moved = rebuild(spec, map(result, _or_zeros(run.close(found), outputs)))
        return (run.closed(run.out), moved, *([run.closed(run.aux)] if has_aux else ()))

    return recorded(f"jvp_{name_of(f)}", push, tuple(primals), tuple(tangents))


def _check_strict(strict: bool, found: list) -> None:
    if strict and None in found:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent "
            "of the inputs. This is not allowed with strict=True."
        )


def _or_zeros(found: list, like: Sequence[Value]) -> list[Value]:
    return [
        constant(0, y.shape, y.dtype) if v is None else v for v, y in zip(found, like)
    ]


def linearize(f: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """(f(*primals), jvp_fn): the derivative of `f` there, as a function of tangents.

    `jvp_fn(*tangents)` gives what `jvp` would, without running `f` again; with
    `has_aux`, where `f` returns (output, aux), the aux comes last.

    >>> import tracefuse
    >>> out, jvp_fn = linearize(lambda x: x * x, tracefuse.tensor([1.0, 2.0]))
    >>> jvp_fn(tracefuse.tensor([1.0, 1.0]))
    tensor([2., 4.])
    """
    name = f"linear_{name_of(f)}"

    def push(*primals: Any) -> tuple:
        run = Run(f, primals, has_aux=has_aux)
        leaves, spec = flatten(run.out)
        outputs = tensors(leaves, "linearize(f, *primals): outputs of f")
        moves = [placeholder("t", v.shape, v.dtype) for v in run.wrt]
        linear = Linear(moves, run.close(forward(outputs, run.wrt, moves)), outputs)
        like, within = _kinds(run.wrt), run.spec
        fit = lambda *trees: _arguments(trees, within, like, "tangent")  # noqa: E731
        apply = _applied(name, linear, fit, spec)
        return (run.closed(run.out), apply, *([run.closed(run.aux)] if has_aux else ()))

    return recorded(name, push, *primals)
