"""Attention of several heads as a module."""

from __future__ import annotations

from typing import Any, Optional

from ...arrays.fill import empty
from ...arrays.shapes import transpose
from ...tensor import Tensor
from .. import init
from ..functional.multihead import multi_head_attention_forward
from ..module import Module
from ..parameter import Parameter
from .linear import Linear

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear, under the name that PyTorch prints for it here."""


class MultiheadAttention(Module):
    """Attention of several heads (arXiv:1706.03762).

    query [L, N, E], key [S, N, kdim], value [S, N, vdim], N first with `batch_first`,
    or no N at all; the result is (attended, weights): [L, N, E] and [N, L, S].

    >>> import tracefuse
    >>> attention = MultiheadAttention(8, 2, batch_first=True)
    >>> x = tracefuse.ones(3, 5, 8)
    >>> attended, weights = attention(x, x, x)
    >>> attended.shape, weights.shape
    (tracefuse.Size([3, 5, 8]), tracefuse.Size([3, 5, 5]))
    """

    in_proj_weight: Optional[Parameter]
    in_proj_bias: Optional[Parameter]
    bias_k: Optional[Parameter]
    bias_v: Optional[Parameter]

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: Optional[int] = None,
        vdim: Optional[int] = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.batch_first, self.add_zero_attn = batch_first, add_zero_attn
        self.head_dim = embed_dim // num_heads
        options = {"device": device, "dtype": dtype}
        self._make(embed_dim, bias, add_bias_kv, options)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, **options
        )
        self._reset_parameters()

    def _make(self, width: int, bias: bool, extra: bool, options: dict) -> None:
        def made(*shape: int) -> Parameter:
            return Parameter(empty(shape, **options))

        one = self.kdim == self.vdim == width
        self._qkv_same_embed_dim = one
        self.in_proj_weight = made(3 * width, width) if one else None
        sizes = {"q": width, "k": self.kdim, "v": self.vdim}
        for name, size in sizes.items():
            weight = None if one else made(width, size)
            self.register_parameter(f"{name}_proj_weight", weight)
        self.in_proj_bias = made(3 * width) if bias else None
        self.bias_k = made(1, 1, width) if extra else None
        self.bias_v = made(1, 1, width) if extra else None

    def _reset_parameters(self) -> None:
        names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        for weight in map(self._parameters.get, names):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.constant_(bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Optional[Tensor] = None,
        need_weights: bool = True,
        attn_mask: Optional[Tensor] = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Optional[Tensor]]:
        """(attended, weights or None); masks as in multi_head_attention_forward.

        Without `need_weights` the weights are never stored.
        """
        turned = self.batch_first and query.ndim == 3
        if turned:
            query, key, value = (transpose(t, 0, 1) for t in (query, key, value))
        named = self._parameters.get
        out, seen = multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=named("q_proj_weight"),
            k_proj_weight=named("k_proj_weight"),
            v_proj_weight=named("v_proj_weight"),
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (transpose(out, 0, 1) if turned else out), seen
