"""Products with weights, and rows looked up by number."""

from __future__ import annotations

from typing import Any, Optional

from ....tracer.record import state
from ....tracer.types import int32, int64
from ...amp.ruled import ruled
from ...arrays.attributes import detach
from ...arrays.shapes import expand, squeeze, unsqueeze
from ...arrays.shapes import t as transposed
from ...math.composite import cast, iota
from ...math.products import matmul
from ...math.reductions import sum as total
from ...placing import beside
from ...tensor import Tensor, apply, pointwise

__all__ = ["linear", "bilinear", "embedding", "one_hot"]


@ruled
def linear(input: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """x @ weight.T + bias.

    input [*, in], weight [out, in] or [in], bias [out] or []; result [*, out] or [*].
    RuntimeError when the sizes do not fit.

    >>> import tracefuse
    >>> linear(tracefuse.ones(2, 3), tracefuse.ones(1, 3))
    tensor([[3.],
            [3.]])
    """
    product = matmul(input, weight if weight.ndim == 1 else transposed(weight))
    return product if bias is None else product + bias


@ruled
def bilinear(
    input1: Tensor, input2: Tensor, weight: Tensor, bias: Optional[Tensor] = None
) -> Tensor:
    """x1 @ weight[k] @ x2: [*, in1], [*, in2], weight [out, in1, in2] -> [*, out]."""
    half = matmul(unsqueeze(unsqueeze(input1, -2), -2), weight)  # [*, out, 1, in2]
    product = total(squeeze(half, -2) * unsqueeze(input2, -2), -1)
    return product if bias is None else product + bias


def embedding(
    input: Tensor, weight: Tensor, padding_idx: Optional[int] = None
) -> Tensor:
    """Rows of `weight` [n, d] by number: input [*] of int -> [*, d].

    The row `padding_idx` receives no gradient. IndexError for a number outside 0..n-1,
    RuntimeError when `input` does not hold integers.
    """
    if input.dtype not in (int32, int64):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following "
            f"scalar types: Long, Int; but got {input.dtype} instead (while checking "
            "arguments for embedding)"
        )
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")
    rows = apply("gather", weight, no_negative(input, weight.shape[0]), batch=0)
    if padding_idx is None:
        return rows
    padding = unsqueeze(pointwise("eq", input, _row(padding_idx, weight)), -1)
    return pointwise("where", padding, detach(rows), rows)


def _row(number: int, weight: Tensor) -> int:
    count = weight.shape[0]
    if not -count <= number < count:
        raise AssertionError("padding_idx must be within num_embeddings")
    return number + count if number < 0 else number


def no_negative(index: Tensor, count: Any) -> Tensor:
    """`index` with negative numbers moved out of range: -1 is no row here."""
    return pointwise("where", index < 0, count, index)


@beside
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """0 everywhere but 1 at the class: [*] of int64 -> [*, num_classes] of int64.

    Without `num_classes` the largest class decides. RuntimeError for classes outside.

    >>> import tracefuse
    >>> one_hot(tracefuse.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype is not int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor"
        )
    if num_classes == -1:
        num_classes = int(tensor.max().item()) + 1  # type: ignore[attr-defined]
    elif state.recorder is None:
        _check_classes(tensor, num_classes)
    shape = (*tensor.shape, num_classes)
    number = iota(shape, -1, int64)
    return cast(pointwise("eq", number, expand(unsqueeze(tensor, -1), shape)), int64)


def _check_classes(tensor: Tensor, num_classes: int) -> None:
    if bool((tensor < 0).any()):  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be non-negative.")
    if bool((tensor >= num_classes).any()):  # type: ignore[attr-defined]
        raise RuntimeError("Class values must be smaller than num_classes.")
