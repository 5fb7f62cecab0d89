"""Random tensors.

Every number comes from Philox words (see `generator.py`) by pure arithmetic on
primitives, so that eager and jitted draws agree bit for bit:

    uniform     the top 24 (float32) or 53 (float64) bits over 2**24 or 2**53
    normal      sqrt(2) erfinv(u), u the middles of 2**24 (2**53) equal cells of (-1, 1)

Half types are drawn with as many bits as they hold: 1.0 never appears. A float32
normal has an error of a few ulp and reaches 5.4 standard deviations.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

from ...tracer.record import state
from ...tracer.sizes import Int
from ...tracer.types import (
    DType,
    bfloat16,
    float16,
    float32,
    float64,
    int64,
    uint64,
)
from ..arrays.fill import chosen, finish
from ..arrays.parts import dropped
from ..dtypes import LEGACY
from ..math.axes import as_size, sizes
from ..math.composite import cast
from ..placing import beside, placed, placed_like
from ..tensor import Tensor, apply, pointwise
from .generator import Generator, draw_bits

__all__ = ["rand", "randn", "randint", "randperm", "normal", "bernoulli", "rand_like"]
__all__ += ["randn_like", "randint_like"]

Gen = Optional[Generator]
# Bits of a fraction: as many as the type holds exactly.
_DIGITS = {float32: 24, float16: 11, bfloat16: 8}


# -- the two distributions that everything is made of


def uniform(shape: tuple, dtype: DType, generator: Gen = None) -> Tensor:
    """Numbers in [0, 1), equally far apart and equally likely."""
    if dtype is float64:
        return cast(_words64(shape, generator, 53), float64) * 2.0**-53
    digits = _DIGITS[dtype]
    bits = draw_bits(shape, generator) >> (32 - digits)
    return cast(cast(bits, float32) * 2.0**-digits, dtype)


def standard_normal(shape: tuple, dtype: DType, generator: Gen = None) -> Tensor:
    """Numbers of the normal distribution with mean 0 and variance 1."""
    if dtype is float64:
        odd = cast(_words64(shape, generator, 53), int64) * 2 + (1 - 2**53)
        return _normal(cast(odd, float64) * 2.0**-53)
    bits = cast(draw_bits(shape, generator) >> 8, int64)
    odd = bits * 2 + (1 - 2**24)
    return cast(_normal(cast(odd, float32) * 2.0**-24), dtype)


def _normal(u: Tensor) -> Tensor:
    return pointwise("erfinv", u) * math.sqrt(2.0)


def _words64(shape: tuple, generator: Gen, digits: int) -> Tensor:
    """The top `digits` of 64 random bits, as uint64."""
    words = cast(draw_bits((*shape, 2), generator), uint64)
    both = (dropped(words, -1, 0) << 32) | dropped(words, -1, 1)
    return both >> (64 - digits) if digits < 64 else both


def _float_type(name: str, dtype: Optional[DType]) -> DType:
    kind = chosen(dtype)
    if not kind.is_floating_point:
        raise NotImplementedError(f"\"{name}\" not implemented for '{LEGACY[kind]}'")
    return kind


def _sampler(draw: Callable, name: str, text: str) -> Callable[..., Tensor]:
    @placed
    def sample(
        *shape: Any,
        size: Any = None,
        generator: Gen = None,
        dtype: Optional[DType] = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Optional[Tensor] = None,
        pin_memory: bool = False,
    ) -> Tensor:
        kind = _float_type(name, dtype)
        wanted = sizes(shape, keyword=size)
        return finish(draw(wanted, kind, generator), requires_grad, out)

    sample.__name__ = sample.__qualname__ = name
    sample.__doc__ = f"""{text}, in shape `size`.

    NotImplementedError for a type that is not floating-point.

    >>> {name}(2, 3).shape
    tracefuse.Size([2, 3])
    """
    return sample


rand = _sampler(uniform, "rand", "Uniform random numbers in [0, 1)")
randn = _sampler(standard_normal, "randn", "Normal random numbers (mean 0, variance 1)")


def _sampler_like(like: Callable, name: str) -> Callable[..., Tensor]:
    @placed_like
    def sample_like(
        input: Tensor, *, dtype: Optional[DType] = None, **options: Any
    ) -> Tensor:
        options.pop("memory_format", None)
        return like(input.shape, dtype=chosen(dtype, input.dtype), **options)

    sample_like.__name__ = sample_like.__qualname__ = f"{name}_like"
    sample_like.__doc__ = f"As `{name}`, in the shape and type of `input`."
    return sample_like


rand_like, randn_like = _sampler_like(rand, "rand"), _sampler_like(randn, "randn")


# -- integers


def integers(low: int, high: int, shape: tuple, generator: Gen = None) -> Tensor:
    """int64 numbers in [low, high), by multiplying a random word with their count.

    No number is more likely than another by more than count / 2**32 (relatively).
    """
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= "
            f"to={high}"
        )
    count = high - low
    if count <= 2**32:
        words = cast(draw_bits(shape, generator), uint64)
        return cast(words * count >> 32, int64) + low
    words = _words64(shape, generator, 64)
    return cast(words if count >= 2**64 else words % count, int64) + low


@placed
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Gen = None,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """Integers in [low, high), or in [0, low): `randint(high, size)`.

    RuntimeError when there is no integer in between.

    >>> randint(3, 5, (2, 2)).shape
    tracefuse.Size([2, 2])
    """
    if size is None and isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None and size is not None:
        low, high = 0, low
    if size is None or high is None:
        raise TypeError("randint() needs a range and a size: randint(low, high, size)")
    low, high = as_size(low, "low"), as_size(high, "high")  # type: ignore
    drawn = integers(int(low), int(high), sizes((size,)), generator)
    return finish(cast(drawn, chosen(dtype, int64)), requires_grad, out)


@placed_like
def randint_like(input: Tensor, low: int, high: Any = None, **options: Any) -> Tensor:
    """As `randint`, in the shape and type of `input`."""
    if high is None:
        low, high = 0, low
    options["dtype"] = chosen(options.get("dtype"), input.dtype)
    return randint(low, high, tuple(input.shape), **options)


@placed
def randperm(
    n: Int,
    *,
    generator: Gen = None,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """The integers below `n` in random order: the order that sorts random words.

    >>> sorted(randperm(4).tolist())
    [0, 1, 2, 3]
    """
    if as_size(n, "n") < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    order = apply("argsort", draw_bits((n,), generator), axis=-1, descending=False)
    return finish(cast(order, chosen(dtype, int64)), requires_grad, out)


# -- other distributions


@placed
@beside
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Gen = None,
    dtype: Optional[DType] = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Optional[Tensor] = None,
) -> Tensor:
    """Normal random numbers with these means and standard deviations.

    Both may be tensors, which then give the shape; else `size` does. RuntimeError for
    a negative deviation.
    """
    if not isinstance(std, Tensor) and std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    given = [t for t in (mean, std) if isinstance(t, Tensor)]
    if given:
        shape, kind = tuple((mean + std).shape), chosen(dtype, given[0].dtype)
    else:
        shape, kind = sizes((size,)), _float_type("normal", dtype)
    drawn = standard_normal(shape, kind, generator) * std + mean
    return finish(drawn, requires_grad, out)


def bernoulli_mask(shape: tuple, p: Any, generator: Gen = None) -> Tensor:
    """bool: true with probability `p` (a number or a tensor that broadcasts)."""
    kind = p.dtype if isinstance(p, Tensor) and p.dtype is float64 else float32
    return uniform(shape, kind, generator) < p


@beside
def bernoulli(
    input: Tensor,
    p: Optional[float] = None,
    *,
    generator: Gen = None,
    out: Optional[Tensor] = None,
) -> Tensor:
    """1 with the probability that `input` says (or `p` everywhere), else 0.

    RuntimeError for a probability outside of [0, 1].
    """
    if p is None:
        _check_probabilities(input)
    elif not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    mask = bernoulli_mask(tuple(input.shape), input if p is None else p, generator)
    return finish(cast(mask, input.dtype), False, out)


def _check_probabilities(p: Tensor) -> None:
    if not p.dtype.is_floating_point:
        raise RuntimeError(f"bernoulli takes float probabilities, got {p.dtype}")
    if state.recorder is None and not bool(((p >= 0) & (p <= 1)).all()):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
