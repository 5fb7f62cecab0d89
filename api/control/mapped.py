"""A function of each row: `map`."""

from __future__ import annotations

from typing import Any, Callable, Optional

from .loops import scan

__all__ = ["map"]


def map(f: Callable, xs: Any, *, batch_size: Optional[int] = None) -> Any:
    """`f` of each row of the tensors in `xs`, one after the other, stacked.

    The meaning of `jax.lax.map`. `batch_size` is accepted; the results are the same.

    >>> import tracefuse
    >>> map(lambda x: x * x, tracefuse.arange(4))
    tensor([0, 1, 4, 9])
    """
    return scan(lambda _, x: ((), f(x)), (), xs)[1]
