"""What is computed, written once in PyTorch's words.

Each function here takes the library, tracefuse or PyTorch itself, and gives a function
of its tensors: the programs that are compared are the same text.
"""

from __future__ import annotations

from typing import Any, Callable

__all__ = [
    *("attend", "attention", "bias_gelu", "chain", "columns", "conv", "cross_entropy"),
    *("dropout", "fifty", "gelu", "layer_norm", "linear", "log_softmax", "product"),
    *("rms_norm", "small", "softmax", "total", "transpose_add", "with_gradients"),
]

Function = Callable[..., Any]


def with_gradients(torch: Any, f: Function) -> Function:
    """The result of `f` and the gradients by its floating inputs.

    Its last argument is the gradient by the result: forward and backward are one.
    """

    def both(*args: Any) -> tuple:
        *given, g = args
        xs = [x.detach().requires_grad_() if floats(x) else x for x in given]
        y = f(*xs)
        return (y.detach(), *torch.autograd.grad(y, list(filter(floats, xs)), g))

    both.__name__ = f"{getattr(f, '__name__', 'f')}_backward"
    return both


def floats(x: Any) -> bool:
    """Whether there is a gradient by it."""
    return x.dtype.is_floating_point


# -- pointwise, and sums


def gelu(torch: Any) -> Function:
    """By the error function."""

    def gelu(x: Any) -> Any:
        return torch.nn.functional.gelu(x)

    return gelu


def bias_gelu(torch: Any) -> Function:
    """A bias and gelu in its tanh form."""

    def bias_gelu(x: Any, b: Any) -> Any:
        return torch.nn.functional.gelu(x + b, approximate="tanh")

    return bias_gelu


def chain(torch: Any) -> Function:
    """Twenty operations, each on all elements."""

    def chain(x: Any) -> Any:
        for _ in range(10):
            x = x * 0.5 + 1.0
        return x

    return chain


def fifty(torch: Any) -> Function:
    """Fifty operations of several kinds, for the time that compiling takes."""

    def fifty(x: Any, w: Any) -> Any:
        y = x
        for n in range(9):
            y = torch.tanh(y * w) + x / (n + 1.5)
            y = y - y.mean(-1, keepdim=True)
        return torch.softmax(y, -1) * torch.sigmoid(x) + w.exp()

    return fifty


def small(torch: Any) -> Function:
    """Two operations: what a call costs beside the work."""

    def small(x: Any) -> Any:
        return x * 2.0 + 1.0

    return small


def transpose_add(torch: Any) -> Function:
    """Reads one of its inputs across."""

    def transpose_add(x: Any, y: Any) -> Any:
        return x.T + y

    return transpose_add


def columns(torch: Any) -> Function:
    """Over the first axis."""

    def columns(x: Any) -> Any:
        return x.sum(0)

    return columns


def total(torch: Any) -> Function:
    """Over everything."""

    def total(x: Any) -> Any:
        return x.sum()

    return total


def dropout(torch: Any) -> Function:
    """Random numbers inside the kernel."""

    def dropout(x: Any) -> Any:
        return torch.nn.functional.dropout(x, 0.1)

    return dropout


# -- rows


def softmax(torch: Any) -> Function:
    """Over the last axis."""

    def softmax(x: Any) -> Any:
        return torch.nn.functional.softmax(x, -1)

    return softmax


def log_softmax(torch: Any) -> Function:
    """Over the last axis."""

    def log_softmax(x: Any) -> Any:
        return torch.nn.functional.log_softmax(x, -1)

    return log_softmax


def layer_norm(torch: Any) -> Function:
    """Over the last axis."""

    def layer_norm(x: Any, w: Any, b: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b)

    return layer_norm


def rms_norm(torch: Any) -> Function:
    """Over the last axis; half types are computed in float32, as models do."""
    wide = {torch.float64: torch.float64}

    def rms_norm(x: Any, w: Any) -> Any:
        y = x.to(wide.get(x.dtype, torch.float32))
        scale = (y * y).mean(-1, keepdim=True).add(1e-6).rsqrt()
        return (y * scale).to(x.dtype) * w

    return rms_norm


def cross_entropy(torch: Any) -> Function:
    """The mean over the rows."""

    def cross_entropy(x: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(x, labels)

    return cross_entropy


# -- products


def product(layout: str) -> Callable[[Any], Function]:
    """A matrix product with each operand as it is (N) or transposed (T)."""

    def of(torch: Any) -> Function:
        def matmul(a: Any, b: Any) -> Any:
            return (a if layout[0] == "N" else a.T) @ (b if layout[1] == "N" else b.T)

        return matmul

    of.__name__ = f"product_{layout}"
    return of


def linear(torch: Any) -> Function:
    """A product with bias, gelu and residual."""

    def linear(x: Any, w: Any, b: Any, r: Any) -> Any:
        F = torch.nn.functional
        return F.gelu(F.linear(x, w, b)) + r

    return linear


def attend(torch: Any) -> Function:
    """Causal attention over [batch, heads, time, width], written out."""

    def attend(q: Any, k: Any, v: Any) -> Any:
        t = q.shape[-2]
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        ahead = torch.ones(t, t, dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(ahead, float("-inf"))
        return torch.nn.functional.softmax(scores, -1) @ v

    return attend


def attention(torch: Any) -> Function:
    """The same by the library's own function."""

    def attention(q: Any, k: Any, v: Any) -> Any:
        scaled = torch.nn.functional.scaled_dot_product_attention
        return scaled(q, k, v, is_causal=True)

    return attention


def conv(torch: Any) -> Function:
    """A 3x3 convolution."""

    def conv(x: Any, w: Any) -> Any:
        return torch.nn.functional.conv2d(x, w, padding=1)

    return conv
