"""Ways to compute attention, as PyTorch's programs name them."""

from __future__ import annotations

import contextlib
import enum
from typing import Iterator, Sequence, Union

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.Enum):
    """Ways to compute attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(
    backends: Union[SDPBackend, Sequence[SDPBackend]], set_priority: bool = False
) -> Iterator[None]:
    """Accepted for PyTorch's programs: there is one way here, found in the SSA.

    Compiled for a GPU, products around a softmax become one kernel whatever is asked
    for (see `explain`). TypeError for what is no SDPBackend, ValueError for none.

    >>> with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
    ...     pass
    """
    asked = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not all(isinstance(each, SDPBackend) for each in asked):
        raise TypeError("backends must be an instance of SDPBackend or a list of them")
    if not asked:
        raise ValueError("sdpa_kernel needs at least one SDPBackend")
    yield
