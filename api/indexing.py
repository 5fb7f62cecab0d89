"""`t[...]`, read and written.

An index is taken apart in two steps. Numbers, slices, None and Ellipsis make a view.
What is left are tensors that index some of its dimensions: those dimensions go to the
front and become one, whose rows a flat number picks: one `gather`, or one `scatter`.

The rules are PyTorch's, which are NumPy's: the picked dimensions stand where they
stood when they were neighbours, else in front.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, Optional

import numpy as np

from ..tracer.sizes import Dim
from .composite import cast
from .creation import tensor
from .fill import counted, filled
from .parts import dropped, sliced
from .picking import Pick, pick, put_mask, put_rows
from .shapes import reshaped, unsqueeze
from .tensor import Tensor, method, write

__all__ = ["index_put"]


class Basic(NamedTuple):
    """The view that the plain part of an index makes, and what is left to pick.

    `picks` are (dimension of the view, tensor that indexes it).
    """

    view: Tensor
    picks: list


# -- reading and writing


def _getitem(self: Tensor, index: Any) -> Tensor:
    t, picks = resolve(self, index)
    return pick(t, picks) if picks else t


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    t, picks = resolve(self, index)
    value = _assignable(self, value)
    if not picks:
        write(t, _fitted(value, t.ndim))
    elif len(picks) == 1 and picks[0].is_mask:
        put_mask(t, picks[0], value)
    else:
        put_rows(t, picks, value)


Tensor.__getitem__ = _getitem  # type: ignore[attr-defined]
Tensor.__setitem__ = _setitem  # type: ignore[attr-defined]
