"""Attention of several heads: projections around the softmax of products."""

from __future__ import annotations

import math
from typing import Any, Optional

from ....tracer.types import bool_
from ...arrays.fill import zeros, zeros_like
from ...arrays.joining import cat
from ...arrays.parts import chunk
from ...arrays.repeating import expand
from ...arrays.shapes import transpose
from ...math.products import matmul
from ...math.scans import softmax
from ...tensor import Tensor, pointwise
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .linear import linear

__all__ = ["multi_head_attention_forward"]


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Optional[Tensor],
    in_proj_bias: Optional[Tensor],
    bias_k: Optional[Tensor],
    bias_v: Optional[Tensor],
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Optional[Tensor],
    training: bool = True,
    key_padding_mask: Optional[Tensor] = None,
    need_weights: bool = True,
    attn_mask: Optional[Tensor] = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Optional[Tensor] = None,
    k_proj_weight: Optional[Tensor] = None,
    v_proj_weight: Optional[Tensor] = None,
    static_k: Optional[Tensor] = None,
    static_v: Optional[Tensor] = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Optional[Tensor]]:
    """(attended [L, N, E], weights [N, L, S] or None), arXiv:1706.03762.

    query [L, N, E], key [S, N, K] and value [S, N, V], or all without N. A mask that is
    true, or minus infinity, keeps a key out: `attn_mask` [L, S] or [N * heads, L, S],
    `key_padding_mask` [N, S]. The weights are the mean over the heads, or, without
    `average_attn_weights`, [N, heads, L, S]. `is_causal` says that `attn_mask` is the
    causal one: it has to be given all the same.
    """
    alone = query.ndim == 2
    if alone:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    _check(query, key, value, embed_dim_to_check, num_heads, attn_mask, is_causal)
    weights = (
        (q_proj_weight, k_proj_weight, v_proj_weight)
        if use_separate_proj_weight
        else chunk(in_proj_weight, 3)  # type: ignore[arg-type]
    )
    q, k, v = _projected((query, key, value), weights, in_proj_bias)
    k, v = _more_keys(k, bias_k, add_zero_attn), _more_keys(v, bias_v, add_zero_attn)
    q, k, v = (_heads(t, num_heads) for t in (q, k, v))
    extra = k.shape[-2] - key.shape[0]  # keys that no mask speaks of
    mask = _mask(attn_mask, key_padding_mask, q, num_heads, extra)
    out, seen = _attend(q, k, v, mask, dropout_p if training else 0.0, need_weights)
    out = linear(_side_by_side(out), out_proj_weight, out_proj_bias)
    if seen is not None and average_attn_weights:
        seen = seen.mean(1)
    if alone:
        return out.squeeze(1), None if seen is None else seen.squeeze(0)
    return out, seen


def _projected(given: tuple, weights: Any, bias: Optional[Tensor]) -> list[Tensor]:
    biases = [None] * 3 if bias is None else chunk(bias, 3)
    return [linear(t, w, b) for t, w, b in zip(given, weights, biases)]


def _more_keys(t: Tensor, learnt: Optional[Tensor], zero: bool) -> Tensor:
    """[S, N, E] with one row that is learnt, and one of zeros, where wanted."""
    if learnt is not None:
        t = cat([t, expand(learnt, (1, t.shape[1], -1))])
    return cat([t, zeros_like(t[:1])]) if zero else t


def _side_by_side(out: Tensor) -> Tensor:
    """[N, heads, L, E / heads] as [L, N, E]."""
    n, heads, length, width = out.shape
    return out.permute(2, 0, 1, 3).reshape(length, n, heads * width)


def _check(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    width: int,
    heads: int,
    mask: Optional[Tensor],
    causal: bool,
) -> None:
    if query.shape[-1] != width:
        raise RuntimeError(
            f"was expecting embedding dimension of {width}, but got {query.shape[-1]}"
        )
    if key.shape[:2] != value.shape[:2]:
        raise RuntimeError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's "
            f"{value.shape[:2]}"
        )
    if width % heads:
        raise RuntimeError(f"embed_dim {width} not divisible by num_heads {heads}")
    if causal and mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")


def _heads(t: Tensor, heads: int) -> Tensor:
    """[L, N, E] as [N, heads, L, E / heads]."""
    length, n, width = t.shape
    return t.reshape(length, n, heads, width // heads).permute(1, 2, 0, 3)


def _mask(
    given: Optional[Tensor],
    padding: Optional[Tensor],
    q: Tensor,
    heads: int,
    extra: int,
) -> Optional[Tensor]:
    """What is added to the scores [N, heads, L, S]."""
    parts = []
    if given is not None:
        given = given if given.ndim == 2 else given.unflatten(0, (-1, heads))
        parts.append(_added(given, q))
    if padding is not None:
        parts.append(_added(padding[:, None, None, :], q))
    if not parts:
        return None
    mask = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    if extra:
        open_ = zeros((*mask.shape[:-1], extra), dtype=mask.dtype, device=mask.device)
        mask = cat([mask, open_], -1)
    return mask


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """A mask that is true where a key stays out, as numbers to add."""
    if mask.dtype is not bool_:
        return mask
    none = zeros((), dtype=like.dtype, device=like.device)
    return pointwise("where", mask, float("-inf"), none)


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], p: float, wanted: bool
) -> tuple[Tensor, Optional[Tensor]]:
    """Attended values, and the weights where they are wanted."""
    if not wanted:
        return scaled_dot_product_attention(q, k, v, mask, p), None
    scores = matmul(q / math.sqrt(int(q.shape[-1])), transpose(k, -2, -1))
    weights = softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, p)
    return matmul(weights, v), weights
