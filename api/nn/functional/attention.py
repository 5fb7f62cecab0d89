"""Attention: softmax of scaled products (arXiv:1706.03762)."""

from __future__ import annotations

import math
from typing import Optional

from ....tracer.types import bool_, int64
from ...amp.ruled import ruled
from ...arrays.repeating import repeat_interleave
from ...arrays.shapes import transpose
from ...math.composite import iota
from ...math.products import matmul
from ...math.scans import softmax
from ...placing import beside
from ...tensor import Tensor, pointwise
from .dropout import dropout

__all__ = ["scaled_dot_product_attention"]


@ruled
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Optional[Tensor] = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Optional[float] = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key^T * scale + mask) @ value.

    query [..., L, E], key [..., S, E], value [..., S, V]; result [..., L, V]. A mask of
    bools keeps what is true, a mask of floats is added; `is_causal` keeps keys up to
    the query's own position. `scale` is 1 / sqrt(E) where not given. With
    `enable_gqa` a key serves several heads. RuntimeError for a mask beside `is_causal`.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (repeat_interleave(t, times, -3) for t in (key, value))
    factor = 1 / math.sqrt(int(query.shape[-1])) if scale is None else scale
    scores = matmul(query * factor, transpose(key, -2, -1))
    if is_causal:
        scores = pointwise("where", _up_to(scores), scores, float("-inf"))
    elif attn_mask is not None and attn_mask.dtype is bool_:
        scores = pointwise("where", attn_mask, scores, float("-inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return matmul(dropout(softmax(scores, -1), dropout_p), value)


@beside
def _up_to(scores: Tensor) -> Tensor:
    """True where the key stands no later than the query."""
    from_query, from_key = (iota(scores.shape[-2:], at, int64) for at in (-2, -1))
    return from_key <= from_query
