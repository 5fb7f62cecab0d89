"""Triton's interpreter, put right: what its private names are needed for stays here.

Works with triton 3.6 to 3.9. Against the stock interpreter: bf16 computes and compares
as numbers and rounds to nearest even, a float32 dot in tf32 rounds its operands,
reductions and scans with combine functions of one's own run on whole arrays, addresses
are checked, and while a kernel runs here other threads may compile.
"""

from __future__ import annotations

import ast
import inspect
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, Callable, Iterator, Sequence

import triton.language as tl
from triton.language.semantic import TritonSemantic
from triton.runtime import interpreter as stock
from triton.runtime.interpreter import TensorHandle as Handle
from triton.runtime.jit import JITFunction

from . import folds
from .machine import Machine, numpy_type

__all__ = ["launch", "rewritten"]

# -- functions: a kernel and what it calls, rewritten for Python


def rewritten(fn: Any) -> Callable:
    """The Python function of a `@triton.jit` function, made fit for interpretation."""
    known = vars(fn).get("_tracefuse_rewritten")
    if known is None:
        known = vars(fn)["_tracefuse_rewritten"] = _rewrite(fn)
    return known


def _rewrite(fn: Any) -> Callable:
    tree = stock.FunctionRewriter.ast_transformer.visit(ast.parse(fn.src))
    ast.fix_missing_locations(tree)
    first = getattr(fn, "def_file_line_number", fn.starting_line_number + 1)
    ast.increment_lineno(tree, first - 1)
    scope = {**vars(stock), **fn.fn.__globals__, "interpreter_semantic": SEMANTIC}
    exec(compile(tree, inspect.getsourcefile(fn.fn) or "<kernel>", "exec"), scope)
    return scope[fn.fn.__name__]


# -- the language, as it is while a kernel runs


class _Current:
    """Stands for the machine of the launch that runs now."""

    machine: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(_Current.machine, name)


class _Semantic(TritonSemantic):
    """Triton's rules of types, with a short way for operands that are alike."""

    def broadcast_impl_value(self, lhs: Any, rhs: Any) -> tuple:
        a, b = lhs.type, rhs.type
        if a.is_block() and b.is_block() and a.shape == b.shape:
            return lhs, rhs
        return super().broadcast_impl_value(lhs, rhs)


SEMANTIC = _Semantic(_Current())  # type: ignore[arg-type]


@contextmanager
def launch(grid: Sequence[int]) -> Iterator[Machine]:
    """The machine of one launch, with the language patched as long as it lasts."""
    before = _Current.machine
    _Current.machine = Machine(grid)
    if before is None:
        _swap(1)
    try:
        yield _Current.machine
    finally:
        _Current.machine = before
        if before is None:
            _swap(0)


def _swap(side: int) -> None:
    for owner, name, *both in _patches():
        if both[side] is None:
            delattr(owner, name)
        else:
            setattr(owner, name, both[side])


def _patches() -> list[tuple]:
    """(owner, name, what is there, what we want there), made once."""
    if not PATCHES:
        owners = (tl, tl.core, tl.tensor, tl.math, tl.core.tensor_descriptor_base)
        for owner in owners:
            for name, member in inspect.getmembers(owner, tl.core.is_builtin):
                PATCHES.append((owner, name, member, _bound(name, member)))
        for owner, name, new in _others():
            PATCHES.append((owner, name, vars(owner).get(name), new))
    return PATCHES


PATCHES: list[tuple] = []
OWN: dict[str, Callable] = {}  # builtins that the machine has no words for


def _bound(name: str, member: Callable) -> Callable:
    """A builtin that uses our machine, unless a compiler in another thread calls it."""
    own = OWN.get(name, partial(member, _semantic=SEMANTIC))

    @wraps(member)
    def call(*args: Any, _semantic: Any = None, **named: Any) -> Any:
        if _semantic is None or _semantic is SEMANTIC:
            return own(*args, **named)
        return member(*args, _semantic=_semantic, **named)

    return call


def _others() -> list[tuple]:
    tensor = tl.tensor
    return [
        (tensor, "__index__", lambda self: int(self.handle.data.item())),
        (tensor, "__bool__", _truth),
        (tensor, "__repr__", lambda self: repr(self.handle.data)),
        (tensor, "__str__", lambda self: str(self.handle.data)),
        (tensor, "T", property(_transposed)),
        (tl.dtype, "to_ir", _to_ir),
        (stock, "_get_np_dtype", numpy_type),
        (tl.range, "__init__", _range_init(tl.range)),
        (tl.range, "__iter__", _counted),
        (tl.static_range, "__init__", _range_init(tl.static_range)),
        (tl.static_range, "__iter__", _counted),
        (JITFunction, "__call__", _call),
    ]


def _truth(self: Any) -> bool:
    """A compiler in another thread asks only whether there is a tensor."""
    return bool(self.handle.data.all()) if isinstance(self.handle, Handle) else True


def _call(self: Any, *args: Any, **named: Any) -> Any:
    """A kernel calls another `@triton.jit` function."""
    plain = {name: _plain(a) for name, a in named.items()}
    return rewritten(self)(*map(_plain, args), **plain)


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, tl.constexpr) else x


def _transposed(self: Any) -> Any:
    axes = [*range(len(self.shape) - 2), len(self.shape) - 1, len(self.shape) - 2]
    return SEMANTIC.permute(self, axes)


def _to_ir(self: Any, builder: Any) -> Any:
    return self if isinstance(builder, _Current) else TO_IR(self, builder)


TO_IR = tl.dtype.to_ir


def _range_init(owner: Any) -> Callable:
    """`tl.range` and `tl.static_range` of plain numbers."""
    original = owner.__init__

    def init(self: Any, *args: Any, **named: Any) -> None:
        wrap = [tl.constexpr(a) if isinstance(a, int) else a for a in args]
        if isinstance(named.get("step"), int):
            named["step"] = tl.constexpr(named["step"])
        original(self, *wrap, **named)

    return init


def _counted(self: Any) -> Iterator[int]:
    return iter(range(*(int(_plain(n)) for n in (self.start, self.end, self.step))))


def _same(x: Any, values: Any) -> Any:
    return x


OWN.update(
    reduce=folds.reduce,
    associative_scan=folds.scan,
    multiple_of=_same,
    max_contiguous=_same,
    max_constancy=_same,
)
