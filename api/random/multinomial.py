"""Random indices by weight."""

from __future__ import annotations

import math
from typing import Optional

from ...tracer.record import state
from ...tracer.types import float64, int64
from ..arrays.attributes import clone
from ..arrays.fill import finish
from ..arrays.parts import sliced
from ..arrays.shapes import unsqueeze
from ..math.composite import cast
from ..placing import beside
from ..tensor import Tensor, apply, pointwise
from .draws import uniform
from .generator import Generator

__all__ = ["multinomial"]


@beside
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Optional[Generator] = None,
    out: Optional[Tensor] = None,
) -> Tensor:
    """Indices drawn in proportion to the weights in the rows of `input`.

    Without replacement, by an exponential race: the smallest -log(u) / p come first.
    RuntimeError for rows that are no weights, or too few categories.
    """
    weights = cast(input, float64)
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    _check_weights(weights)
    shape = tuple(weights.shape)
    if replacement:
        drawn = _by_inverse(weights, (*shape[:-1], num_samples), generator)
    else:
        if num_samples > shape[-1]:
            raise RuntimeError(
                "cannot sample n_sample > prob_dist.size(-1) samples without "
                "replacement"
            )
        race = -pointwise("log", 1 - uniform(shape, float64, generator)) / weights
        order = apply("argsort", race, axis=-1, descending=False)
        drawn = clone(sliced(order, -1, 0, num_samples))
    return finish(drawn, False, out)


def _check_weights(weights: Tensor) -> None:
    if state.recorder is not None:
        return
    if not bool(((weights >= 0) & (weights < math.inf)).all()):
        raise RuntimeError(
            "probability tensor contains either `inf`, `nan` or element < 0"
        )
    if bool((apply("sum", weights, axes=(-1,)) <= 0).any()):
        raise RuntimeError(
            "invalid multinomial distribution (sum of probabilities <= 0)"
        )


def _by_inverse(
    weights: Tensor, shape: tuple, generator: Optional[Generator]
) -> Tensor:
    """How many cumulative weights lie at or below each random height."""
    ends = apply("cumulative", weights, axis=-1, mode="add")
    heights = uniform(shape, float64, generator) * sliced(
        ends, -1, ends.shape[-1] - 1, 1
    )
    below = unsqueeze(ends, -2) <= unsqueeze(heights, -1)
    return apply("sum", cast(below, int64), axes=(-1,))
