"""Transformers: layers of attention and of two products, stacked (arXiv:1706.03762)."""

from __future__ import annotations

import copy
from typing import Any, Callable, Optional, Union

from ...arrays.fill import full
from ...math.triangles import triu
from ...tensor import Tensor
from .. import init
from ..container import ModuleList
from ..functional.activation import gelu, relu
from ..module import Module
from .attention import MultiheadAttention
from .dropout import Dropout
from .linear import Linear
from .norm import LayerNorm

__all__ = [
    *("Transformer", "TransformerDecoder", "TransformerDecoderLayer"),
    *("TransformerEncoder", "TransformerEncoderLayer"),
]

Mask = Optional[Tensor]
Activation = Union[str, Callable[[Tensor], Tensor]]


def _activation(given: Activation) -> Callable[[Tensor], Tensor]:
    if callable(given):
        return given
    known: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu}
    if given not in known:
        raise RuntimeError(f"activation should be relu/gelu, not {given}")
    return known[given]


def _copies(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _causal(mask: Mask, said: Optional[bool]) -> bool:
    """Whether the mask is the causal one: PyTorch's hint, which changes no number."""
    return mask is not None and bool(said)


class _Layer(Module):
    """What both kinds of layers have: attention to itself, two products, norms."""

    parts = 2  # each with a norm and a dropout of its own

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.self_attn = self._attention(
            d_model, nhead, dropout, bias, batch_first, options
        )
        self._more(d_model, nhead, dropout, bias, batch_first, options)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        for i in range(1, self.parts + 1):
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            self.add_module(f"norm{i}", norm)
        for i in range(1, self.parts + 1):
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _more(self, *given: Any) -> None:
        """Attention that stands between the two."""

    @staticmethod
    def _attention(
        width: int, heads: int, p: float, bias: bool, first: bool, options: dict
    ) -> MultiheadAttention:
        return MultiheadAttention(
            width, heads, dropout=p, bias=bias, batch_first=first, **options
        )

    def _part(self, number: int, x: Tensor, function: Callable) -> Tensor:
        """x + function(x), with a norm before or after."""
        norm = getattr(self, f"norm{number}")
        drop = getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + drop(function(norm(x)))
        return norm(x + drop(function(x)))

    def _feed(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Attention to itself, then two products; each beside its input, with a norm.

    [L, N, d_model], or N first with `batch_first`, to the same.

    >>> import tracefuse
    >>> layer = TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(tracefuse.ones(3, 5, 8)).shape
    tracefuse.Size([3, 5, 8])
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Masks are true, or minus infinity, where a key stays out."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(
                *(x, x, x),
                attn_mask=src_mask,
                key_padding_mask=src_key_padding_mask,
                need_weights=False,
                is_causal=_causal(src_mask, is_causal),
            )[0]

        return self._part(2, self._part(1, src, attend), self._feed)


class TransformerDecoderLayer(_Layer):
    """Attention to itself, attention to `memory`, then two products.

    >>> import tracefuse
    >>> layer = TransformerDecoderLayer(8, 2, dim_feedforward=16)
    >>> layer(tracefuse.ones(4, 3, 8), tracefuse.ones(5, 3, 8)).shape
    tracefuse.Size([4, 3, 8])
    """

    parts = 3

    def _more(self, *given: Any) -> None:
        self.multihead_attn = self._attention(*given)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """tgt [T, N, d_model] and memory [S, N, d_model] to [T, N, d_model]."""

        def itself(x: Tensor) -> Tensor:
            return self.self_attn(
                *(x, x, x),
                attn_mask=tgt_mask,
                key_padding_mask=tgt_key_padding_mask,
                need_weights=False,
                is_causal=_causal(tgt_mask, tgt_is_causal),
            )[0]

        def other(x: Tensor) -> Tensor:
            return self.multihead_attn(
                *(x, memory, memory),
                attn_mask=memory_mask,
                key_padding_mask=memory_key_padding_mask,
                need_weights=False,
                is_causal=_causal(memory_mask, memory_is_causal),
            )[0]

        x = self._part(2, self._part(1, tgt, itself), other)
        return self._part(3, x, self._feed)


class TransformerEncoder(Module):
    """Copies of a layer, one after the other, and a norm at the end if one is given."""

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Optional[Module] = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ):
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: Tensor,
        mask: Mask = None,
        src_key_padding_mask: Mask = None,
        is_causal: Optional[bool] = None,
    ) -> Tensor:
        """[L, N, d_model] to the same, through all layers."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, _causal(mask, is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """Copies of a layer, one after the other, and a norm at the end if one is given."""

    def __init__(
        self, decoder_layer: Module, num_layers: int, norm: Optional[Module] = None
    ):
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        tgt_is_causal: Optional[bool] = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """[T, N, d_model] to the same, through all layers."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder.

    >>> import tracefuse
    >>> model = Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> model(tracefuse.ones(3, 5, 8), tracefuse.ones(3, 4, 8)).shape
    tracefuse.Size([3, 4, 8])
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Optional[Module] = None,
        custom_decoder: Optional[Module] = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        options = {"device": device, "dtype": dtype}
        given = (
            *(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps),
            *(batch_first, norm_first, bias, device, dtype),
        )

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*given), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*given), num_decoder_layers, norm()
        )
        for weight in self.parameters():
            if weight.ndim > 1:
                init.xavier_uniform_(weight)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Mask = None,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
        src_key_padding_mask: Mask = None,
        tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None,
        src_is_causal: Optional[bool] = None,
        tgt_is_causal: Optional[bool] = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """src [S, N, d_model] and tgt [T, N, d_model] to [T, N, d_model].

        RuntimeError where the batches or the widths do not fit.
        """
        first = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[first] != tgt.shape[first]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                "the feature number of src and tgt must be equal to d_model"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            *(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask),
            *(memory_key_padding_mask, tgt_is_causal, memory_is_causal),
        )

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: Any = None
    ) -> Tensor:
        """Minus infinity above the diagonal: [sz, sz] for what may not look ahead.

        >>> Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return triu(full((sz, sz), float("-inf"), dtype=dtype, device=device), 1)
