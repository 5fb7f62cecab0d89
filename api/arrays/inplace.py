"""The variants that overwrite: `x.add_(y)` is `x` after `write(x, x.add(y))`.

One rule makes them all: the result of the function of the same name is written to the
tensor if it has the tensor's shape and a type that fits. The samplers (`normal_`, ...)
draw in the tensor's shape and type and write that.
"""

from __future__ import annotations

import math
from typing import Any, Optional

from ...tracer.record import state
from ...tracer.types import DType, float32, float64
from ..dtypes import LEGACY, finfo
from ..math.composite import copy
from ..random.draws import bernoulli_mask, integers, standard_normal, uniform
from ..random.generator import Generator
from ..tensor import Tensor, is_tracked, method, pointwise, write
from ..writing import check_writable
from .attributes import become

__all__: list[str] = []  # methods only

Gen = Optional[Generator]

_NAMES = """
abs absolute acos acosh add addcdiv addcmul addmm addmv addr addbmm arccos arccosh
arcsin arcsinh arctan arctanh asin asinh atan atan2 atanh baddbmm bitwise_and
bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp
clamp_max clamp_min clip cos cosh cumprod cumsum deg2rad div divide eq
erf erfc erfinv exp exp2 expm1 fix floor floor_divide fmod frac ge greater
greater_equal gt hypot index_add index_copy index_fill le lerp less less_equal
log log10 log1p log2 logical_and logical_not logical_or logical_xor logit lt
masked_fill masked_scatter mul multiply nan_to_num ne neg negative not_equal pow rad2deg
reciprocal relu remainder round rsqrt scatter scatter_add scatter_reduce sgn sigmoid
sign sin sinc sinh sqrt square sub subtract tan tanh tril triu true_divide trunc xlogy
"""


# -- the rule


def overwrite(self: Tensor, result: Tensor) -> Tensor:
    """Write `result` to `self`; RuntimeError unless its shape and type fit."""
    if result.dtype is not self.dtype and result.dtype.category > self.dtype.category:
        raise RuntimeError(
            f"result type {LEGACY[result.dtype]} can't be cast to the desired output "
            f"type {LEGACY[self.dtype]}"
        )
    if result.shape != self.shape:
        raise RuntimeError(
            f"output with shape {list(self.shape)} doesn't match the broadcast shape "
            f"{list(result.shape)}"
        )
    return write(self, result)


def _as_it_was(self: Tensor, args: tuple) -> Tensor:
    """A copy where gradients may read the numbers after they are overwritten."""
    if state.recorder is None and state.grad and any(map(is_tracked, (self, *args))):
        return copy(self)
    return self


def _variant(name: str) -> None:
    def inplace(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        before = _as_it_was(self, args)
        return overwrite(self, getattr(before, name)(*args, **kwargs))

    inplace.__name__ = inplace.__qualname__ = f"{name}_"
    inplace.__doc__ = f"`{name}`, written to this tensor; returns it."
    method(inplace)


for _name in _NAMES.split():
    _variant(_name)


def _operator(sign: str, name: str) -> None:
    def operate(self: Tensor, other: Any) -> Any:
        result = getattr(_as_it_was(self, (other,)), f"__{name}__")(other)
        return result if result is NotImplemented else overwrite(self, result)

    operate.__name__ = operate.__qualname__ = f"__i{name}__"
    operate.__doc__ = f"`self {sign}= other`: the same tensor, overwritten."
    method(operate)


_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv"}
_OPERATORS |= {"%": "mod", "**": "pow", "&": "and", "|": "or", "^": "xor"}
_OPERATORS |= {"<<": "lshift", ">>": "rshift"}
for _sign, _name in _OPERATORS.items():
    _operator(_sign, _name)


# -- new contents


@method
def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Overwritten with `src` (broadcast, cast); returns itself."""
    if not isinstance(src, Tensor):
        raise TypeError(
            "copy_(): argument 'other' (position 1) must be Tensor, not "
            f"{type(src).__name__}"
        )
    return write(self, src)


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """`value` everywhere; returns itself."""
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{value.ndim} dimensions."
        )
    return write(self, value)


@method
def zero_(self: Tensor) -> Tensor:
    """Zero everywhere; returns itself."""
    return write(self, 0)


@method
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """`fill_value` where all indices agree; returns itself."""
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if wrap or self.ndim > 2:
        raise RuntimeError("fill_diagonal_ is for matrices, without wrap")
    write(self.diagonal(), fill_value)  # type: ignore[attr-defined]
    return self


# -- the same memory under another shape


def _reviewed(name: str) -> None:
    def inplace(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        new = getattr(self, name)(*args, **kwargs)
        check_writable(self)
        return become(self, new, new._steps)

    inplace.__name__ = inplace.__qualname__ = f"{name}_"
    inplace.__doc__ = f"This tensor itself becomes its `{name}` view; returns it."
    method(inplace)


for _name in ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims"):
    _reviewed(_name)


# -- samplers


def _wide(t: Tensor) -> DType:
    return float64 if t.dtype is float64 else float32


def _float_only(name: str, t: Tensor) -> None:
    if not t.dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}\" not implemented for '{LEGACY[t.dtype]}'")


def _fraction(t: Tensor, generator: Gen) -> Tensor:
    return uniform(tuple(t.shape), _wide(t), generator)


@method
def uniform_(
    self: Tensor,
    from_: Any = 0.0,
    to: Any = 1.0,
    *,
    generator: Gen = None,
    **start: Any,
) -> Tensor:
    """Uniform random numbers in [from, to); returns itself."""
    _float_only("uniform_", self)
    low = start.pop("from", from_)
    if start:
        raise TypeError(f"uniform_() got an unexpected keyword argument {start}")
    if low > to:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > "
            f"to={to:g}"
        )
    drawn = uniform(tuple(self.shape), self.dtype, generator)
    return write(self, drawn * (to - low) + low)


@method
def normal_(
    self: Tensor, mean: Any = 0.0, std: Any = 1.0, *, generator: Gen = None
) -> Tensor:
    """Normal random numbers; returns itself."""
    _float_only("normal_", self)
    if not isinstance(std, Tensor) and std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    drawn = standard_normal(tuple(self.shape), _wide(self), generator)
    return write(self, drawn * std + mean)


@method
def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Gen = None
) -> Tensor:
    """exp of normal random numbers; returns itself."""
    _float_only("log_normal_", self)
    drawn = standard_normal(tuple(self.shape), _wide(self), generator)
    return write(self, pointwise("exp", drawn * std + mean))


@method
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Gen = None) -> Tensor:
    """Exponential random numbers of rate `lambd`, above zero; returns itself."""
    _float_only("exponential_", self)
    if lambd <= 0:
        raise RuntimeError(
            f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}"
        )
    u = _fraction(self, generator)  # [0, 1): the middle of the cell is never 0 or 1
    half = finfo(_wide(self)).eps / 4
    return write(self, -pointwise("log", u + half) / lambd)


@method
def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Gen = None
) -> Tensor:
    """Cauchy random numbers; returns itself."""
    _float_only("cauchy_", self)
    angle = (_fraction(self, generator) - 0.5) * math.pi
    ratio = pointwise("sin", angle) / pointwise("cos", angle)
    return write(self, ratio * sigma + median)


@method
def geometric_(self: Tensor, p: float, *, generator: Gen = None) -> Tensor:
    """How many trials of probability `p` until the first success; returns itself."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    tail = pointwise("log", 1 - _fraction(self, generator)) / math.log1p(-p)
    trials = pointwise("floor", tail) + 1
    return write(self, trials)


@method
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Gen = None) -> Tensor:
    """1 with probability `p` (a number or tensor), else 0; returns itself."""
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    return write(self, bernoulli_mask(tuple(self.shape), p, generator))


@method
def random_(
    self: Tensor, from_: Any = None, to: Any = None, *, generator: Gen = None
) -> Tensor:
    """Random integers in [from, to), in [0, from) or all that fit; returns itself."""
    low, high = (0, from_) if to is None else (from_, to)
    if high is None:
        high = _largest(self.dtype) + 1
    return write(self, integers(int(low), int(high), tuple(self.shape), generator))


def _largest(dtype: DType) -> int:
    """Up to where a type holds every integer."""
    if dtype.is_floating_point:
        return round(2 / finfo(dtype).eps)
    return 2 ** (dtype.itemsize * 8 - dtype.is_signed) - 1 if dtype.category else 1
