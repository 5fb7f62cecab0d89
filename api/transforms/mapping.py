"""`vmap`: a function of one example becomes a function of many.

The function runs once, on placeholders of one example's shape; what it recorded is
then batched (`tracer/batching/batch.py`) and joins the program. Everything else that it
reads is shared by all examples.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, ParamSpec, TypeVar

from ...tracer.pytree import flatten, rebuild
from ..tensor import Tensor
from .axes import Axes, common_size
from .runs import name_of, recorded, result
from .scope import Scope

__all__ = ["vmap"]

P = ParamSpec("P")
R = TypeVar("R")

_GIVEN = object()  # stands for an argument that was not given


def vmap(
    f: Callable[P, R],
    in_axes: Any = 0,
    out_axes: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: Optional[int] = None,
    axis_size: Optional[int] = None,
    in_dims: Any = _GIVEN,
    out_dims: Any = _GIVEN,
) -> Callable[P, R]:
    """`f` of one example as a function of many: mapped over an axis of its arguments.

    `in_axes` names the axis of each argument: an int, None (shared by all examples),
    or a nested container that follows the arguments from the top; `out_axes` says in
    the same way where the results have theirs (None: a result that is the same for
    all). Tensors in keyword arguments are mapped over axis 0, as in JAX; with
    PyTorch's names `in_dims` and `out_dims` they are shared, as in PyTorch.

    Random numbers in `f` are an error unless `randomness` is "different" (for each
    example) or "same". `chunk_size` examples are computed at once (default: all).
    `axis_size` is needed where no argument is mapped.

    In `f` a mapped tensor has the shape of one example. It may be written to, and the
    caller sees that. Python cannot ask for its numbers (TraceError): use `where` or
    `cond` instead of `if`. ValueError where axes, sizes or results do not fit.

    >>> import tracefuse
    >>> x, w = tracefuse.tensor([[1.0, 2.0], [3.0, 4.0]]), tracefuse.tensor([1.0, 10.0])
    >>> vmap(tracefuse.dot, in_axes=(0, None))(x, w)
    tensor([21., 43.])
    """
    _check_options(randomness, chunk_size)
    as_torch = in_dims is not _GIVEN or out_dims is not _GIVEN
    mapped = _Mapped(
        f,
        in_axes if in_dims is _GIVEN else in_dims,
        out_axes if out_dims is _GIVEN else out_dims,
        functools.partial(Scope, randomness=randomness, chunk=chunk_size),
        axis_size,
        None if as_torch else 0,
    )

    @functools.wraps(f)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return recorded(f"vmap_{name_of(f)}", mapped, *args, **kwargs)

    return outer


def _check_options(randomness: str, chunk_size: Optional[int]) -> None:
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. "
            f"Got {randomness}"
        )
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(
            f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})"
        )


class _Mapped:
    """The function of many examples, in the recording that is on."""

    def __init__(
        self,
        f: Callable,
        in_axes: Any,
        out_axes: Any,
        scope: Callable,
        size: Optional[int],
        named: Optional[int],
    ):
        where = f"vmap({name_of(f)}"
        self.word = "dims" if named is None else "axes"  # PyTorch's, or JAX's
        ins, outs = f"in_{self.word}={in_axes}", f"out_{self.word}={out_axes}"
        self.ins = Axes(in_axes, f"{where}, {ins})", "inputs")
        self.outs = Axes(out_axes, f"{where}, {outs})", "outputs")
        self.f, self.scope, self.size, self.named = f, scope, size, named

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        pairs = self._pairs(args, kwargs)
        scope = self.scope(common_size(pairs, self.size, self.ins.where))
        inner = (t if axis is None else scope.example(t, axis) for t, axis in pairs)
        given, named = rebuild(flatten((args, kwargs))[1], inner)
        with scope:
            out = self.f(*given, **named)
            return self._results(scope, out)

    def _pairs(self, args: tuple, kwargs: dict) -> list:
        """(leaf, its axis or None) of all arguments, one after the other."""
        tree = self.ins.tree
        tree = tuple(tree) if isinstance(tree, list) else tree
        pairs = self.ins._replace(tree=tree).spread(args)
        found = [(x, self.ins.number(axis, x)) for x, axis in pairs]
        for x in flatten(kwargs)[0]:
            mapped = self.named if isinstance(x, Tensor) else None
            found.append((x, self.ins.number(mapped, x)))
        return found

    def _results(self, scope: Scope, out: Any) -> Any:
        pairs = self.outs.spread(out)
        for x, axis in pairs:
            if not isinstance(x, Tensor) and axis is not None:
                raise ValueError(
                    f"{self.outs.where}: `{name_of(self.f)}` must only return Tensors, "
                    f"got type {type(x)}. Did you mean to set out_{self.word} to None "
                    "for it?"
                )
        made = scope.close([x for x, _ in pairs if isinstance(x, Tensor)])
        leaves = [
            self._placed(x, axis, made) if isinstance(x, Tensor) else x
            for x, axis in pairs
        ]
        return rebuild(flatten(out)[1], leaves)

    def _placed(self, x: Tensor, axis: Optional[int], made: Any) -> Tensor:
        """A result with its axis of examples where the caller wants it."""
        if axis is None:
            if made.differs(x):
                raise ValueError(
                    f"{self.outs.where}: `{name_of(self.f)}` can not return a tensor "
                    f"that differs by example when its out_{self.word} is None"
                )
            return x
        value = made.of(x)
        to = self.outs.inside(axis, value.ndim)
        rest = list(range(1 - value.ndim, 0))
        return result(value.permute((*rest[:to], -value.ndim, *rest[to:])))
