"""Autocast's one table: which function computes in which float type.

A rule says what becomes of the float tensors among the arguments (float64 ones stay):
"lower" casts them to the type of the mode, "wide" to float32, "widest" to float32 if
one of them is that and else to the mode's, "refused" raises, and "apart" leaves them,
but what the function calls is not autocast (here it is made of functions in the table,
in PyTorch it is not). The names and the columns are PyTorch's (docs, "Autocast Op
Reference"): what runs in which type depends on the device of the tensors. A function
that is not here runs in the type of its arguments.
"""

from __future__ import annotations

__all__ = ["RULES"]


def _column(**rules: str) -> dict[str, str]:
    return {name: rule for rule, names in rules.items() for name in names.split()}


_BOTH = _column(
    lower="""
    matmul mm bmm addmm addbmm baddbmm einsum linear prelu vecdot multi_dot
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    scaled_dot_product_attention
    """,
    wide="""
    prod cdist mse_loss l1_loss smooth_l1_loss huber_loss kl_div poisson_nll_loss
    binary_cross_entropy_with_logits soft_margin_loss hinge_embedding_loss nll_loss
    cross_entropy multi_margin_loss multilabel_margin_loss cosine_embedding_loss
    margin_ranking_loss triplet_margin_loss ctc_loss
    """,
    widest="cat stack",
)
_CPU = _column(
    lower="tensordot",
    wide="""
    trace quantile nanquantile avg_pool3d max_pool3d adaptive_avg_pool3d
    binary_cross_entropy grid_sample inv inverse solve cholesky svd qr eigh
    """,
    widest="index_copy",
    apart="mv addmv bilinear",
)
_CUDA = _column(
    lower="mv addmv addr chain_matmul",
    wide="""
    acos arccos asin arcsin cosh erfinv exp expm1 log log2 log10 log1p reciprocal rsqrt
    sinh tan pow __pow__ __rpow__ __rtruediv__ softplus layer_norm group_norm norm
    vector_norm matrix_norm cosine_similarity dist pdist renorm logsumexp sum cumsum
    cumprod softmax log_softmax softmin interpolate
    """,
    widest="""
    addcdiv addcmul atan2 arctan2 bilinear cross dot vdot grid_sample index_put
    tensordot scatter_add
    """,
    refused="binary_cross_entropy",
    apart="nansum nanmean exp2 avg_pool1d avg_pool2d avg_pool3d",
)

# Function -> device type -> rule.
RULES: dict[str, dict[str, str]] = {}
for _device, _rules in (("cpu", _BOTH | _CPU), ("cuda", _BOTH | _CUDA)):
    for _name, _rule in _rules.items():
        RULES.setdefault(_name, {})[_device] = _rule
