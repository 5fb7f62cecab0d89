"""The programs that GPU kernels are proved and timed on.

A case is a function, the shapes that it is called with, and what is asked of it: rows
(softmax, norms, losses) with their backward, matrix products, attention, convolution,
and a training step each of an MLP, a CNN and a transformer block.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Iterator, NamedTuple, Optional

import numpy as np
import tracefuse

from . import functions as f
from . import models
from .numbers import draw, draw_labels

__all__ = ["Case", "Input", "attention", "convolution", "corpus", "linear"]
__all__ += ["pointwise", "product", "rows", "steps"]

Shape = tuple[int, ...]
SHORT = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}
BF16, F16, F32 = SHORT


class Input(NamedTuple):
    """An argument: normal numbers, or labels where there are classes."""

    shape: Shape
    dtype: str = F32
    classes: int = 0

    def array(self, which: int) -> np.ndarray:
        """Its numbers: float32 that the element type can hold, or int64."""
        return _array(self, which)

    def tensor(self, torch: Any, which: int, dtype: Optional[str] = None) -> Any:
        """The same as a tensor of a library, in host memory."""
        found = torch.from_numpy(self.array(which))
        return found if self.classes else found.to(getattr(torch, dtype or self.dtype))

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        item = 8 if self.classes else 4 if self.dtype == F32 else 2
        return int(np.prod(self.shape, dtype=np.int64)) * item


@lru_cache(maxsize=6)  # each library asks for the same
def _array(x: Input, which: int) -> np.ndarray:
    if x.classes:
        return draw_labels(x.shape, x.classes, which)
    return draw(x.shape, which, x.dtype)


class Case(NamedTuple):
    """One program.

    `function(torch)` gives the function, or a Training with `training`. With
    `gradients` it is the result and its gradients, and the last input is the gradient
    by the result. `rival(torch)` is what other libraries compute the same by, where
    they have a function for it. `tf32` allows it in products of float32.
    """

    name: str
    function: Callable[[Any], Any]
    inputs: tuple[Input, ...]
    gradients: bool = False
    training: bool = False
    rival: Optional[Callable[[Any], Any]] = None
    tf32: bool = False
    flops: int = 0

    def make(self, torch: Any = tracefuse) -> tuple[Callable, tuple]:
        """The function and its arguments, in host memory."""
        return self.composed(torch), self.tensors(torch)

    def tensors(self, torch: Any, dtype: Optional[str] = None) -> tuple:
        """The arguments, in the case's element types or in another."""
        return tuple(x.tensor(torch, n, dtype) for n, x in enumerate(self.inputs))

    def composed(
        self,
        torch: Any,
        wrap: Callable = lambda f: f,
        rival: bool = False,
        dtype: Optional[str] = None,
        device: Any = None,
    ) -> Callable:
        """The function; `wrap` is what compiles its forward.

        A training step has `numbers()`: its parameters, in `dtype` on `device`.
        """
        made = (self.rival if rival and self.rival else self.function)(torch)
        if self.training:
            made.to(getattr(torch, self.dtype)).to(getattr(torch, dtype or self.dtype))
            return (made if device is None else made.to(device)).make(wrap)
        return f.with_gradients(torch, wrap(made)) if self.gradients else wrap(made)

    @property
    def dtype(self) -> str:
        """The element type that it is about."""
        return self.inputs[0].dtype


def both(
    name: str, of: str, function: Callable, *inputs: Input, **more: Any
) -> Iterator[Case]:
    """A case, and one with its gradients; `result` is what its result looks like."""
    result, scale = more.pop("result"), more.pop("scale", 3)
    yield Case(f"{name} {of}", function, inputs, **more)
    more["flops"] = int(more.get("flops", 0) * scale)
    yield Case(f"{name} backward {of}", function, (*inputs, result), True, **more)


def rows(width: int, dtype: str, count: int) -> Iterator[Case]:
    """The row kernels of one width."""
    of = f"{width} {SHORT[dtype]}"
    x, w = Input((count, width), dtype), Input((width,), dtype)
    yield from both("softmax", of, f.softmax, x, result=x)
    yield from both("log_softmax", of, f.log_softmax, x, result=x)
    yield from both("layer_norm", of, f.layer_norm, x, w, w, result=x)
    yield from both("rms_norm", of, f.rms_norm, x, w, result=x)
    labels, loss = Input((count,), classes=width), Input((), dtype)
    yield from both("cross_entropy", of, f.cross_entropy, x, labels, result=loss)


def product(
    m: int, n: int, k: int, dtype: str, layout: str = "NN", tf32: bool = False
) -> Case:
    """A matrix product with each operand as it is (N) or transposed (T)."""
    a = Input((m, k) if layout[0] == "N" else (k, m), dtype)
    b = Input((k, n) if layout[1] == "N" else (n, k), dtype)
    name = f"matmul {layout} {m}x{n}x{k} {'tf32' if tf32 else SHORT[dtype]}"
    more: Any = {"tf32": tf32, "flops": 2 * m * n * k}
    return Case(name, f.product(layout), (a, b), **more)


def linear(m: int, n: int, k: int, dtype: str, tf32: bool = False) -> Case:
    """A product with bias, gelu and residual."""
    shapes = ((m, k), (n, k), (n,), (m, n))
    name = f"linear gelu residual {m}x{n}x{k} {'tf32' if tf32 else SHORT[dtype]}"
    inputs = tuple(Input(s, dtype) for s in shapes)
    return Case(name, f.linear, inputs, tf32=tf32, flops=2 * m * n * k)


def attention(b: int, h: int, t: int, d: int, dtype: str) -> Iterator[Case]:
    """Forward and backward; half of the products are masked out."""
    x = Input((b, h, t, d), dtype)
    more: Any = {"rival": f.attention, "flops": 2 * b * h * t * t * d, "scale": 3.5}
    of = f"{b}x{h}x{t}x{d} {SHORT[dtype]}"
    return both("attention", of, f.attend, x, x, x, result=x, **more)


def convolution(n: int, c: int, k: int, size: int, dtype: str) -> Iterator[Case]:
    """A 3x3 convolution and its gradients."""
    x, w = Input((n, c, size, size), dtype), Input((k, c, 3, 3), dtype)
    y = Input((n, k, size, size), dtype)
    flops = 2 * n * k * c * 9 * size * size
    of = f"{n}x{c}x{size}x{size} to {k} {SHORT[dtype]}"
    return both("conv", of, f.conv, x, w, result=y, flops=flops)


def steps(scale: int = 1, dtype: str = F32, tf32: bool = False) -> Iterator[Case]:
    """One training step each of three models; `scale` divides their sizes."""
    of = " tf32" if tf32 else "" if dtype == F32 else f" {SHORT[dtype]}"
    wide, c, width, t = 1024 // scale, 64 // scale, 512 // scale, 256 // scale

    def step(name: str, function: Callable, *inputs: Input) -> Case:
        return Case(f"step {name}{of}", function, inputs, training=True, tf32=tf32)

    many, few = 256 // scale, 64 // scale
    batch, pictures = Input((many, 784), dtype), Input((few, 3, 32, 32), dtype)
    labels = [Input((n,), classes=10) for n in (many, few)]
    yield step("mlp", lambda torch: models.mlp(torch, wide), batch, labels[0])
    yield step("cnn", lambda torch: models.cnn(torch, c), pictures, labels[1])
    x = Input((8, t, width), dtype)
    yield step("block", lambda torch: models.block(torch, width), x, x)


def pointwise(size: int = 1 << 24) -> Iterator[Case]:
    """Chains of elementwise operations, and sums."""
    side = max(16, int(size**0.5))
    of = f"2**{size.bit_length() - 1}"
    x, half = Input((size,)), Input((size,), BF16)
    yield Case(f"gelu {of} f32", f.gelu, (x,))
    yield Case(f"gelu {of} bf16", f.gelu, (half,))
    yield Case(f"chain {of} f32", f.chain, (x,))
    wide = Input((2 * side, side), BF16), Input((side,), BF16)
    yield Case(f"bias gelu {2 * side}x{side} bf16", f.bias_gelu, wide)
    square = Input((side, side))
    across = (square, square)
    yield Case(f"transpose add {side}x{side} f32", f.transpose_add, across)
    yield Case(f"sum columns {2 * side}x{side}", f.columns, (Input((2 * side, side)),))
    yield Case(f"sum all {of}", f.total, (x,))


def corpus() -> Iterator[Case]:
    """Everything."""
    yield from pointwise()
    yield Case("gelu 10**6+3 f32", f.gelu, (Input((10**6 + 3,)),))
    yield Case("dropout 2**22", f.dropout, (Input((1 << 22,)),))
    for width in (256, 1024, 4096, 8192, 16384, 50257):
        yield from rows(width, BF16, 1 << 22 >> width.bit_length())
    yield from rows(4096, F32, 2048)
    for size in (512, 1024, 2048, 4096, 8192):
        yield product(size, size, size, BF16)
    for layout in ("NT", "TN", "TT"):
        yield product(2048, 2048, 2048, BF16, layout)
    yield product(1000, 1000, 1000, F16)
    yield product(2048, 2048, 2048, F16)
    yield product(1024, 1024, 1024, F32)
    for layout in ("NN", "NT"):
        yield product(2048, 2048, 2048, F32, layout, tf32=True)
        for few in (1, 8):  # tokens: the weights are what is read
            yield product(few, 4096, 4096, BF16, layout)
    yield product(4096, 4096, 16, BF16)
    for size in (1024, 4096):
        yield linear(size, size, size, BF16)
    yield linear(4096, 4096, 4096, F16)
    yield linear(2048, 2048, 2048, F32, tf32=True)
    yield linear(1, 4096, 4096, BF16)
    yield from attention(4, 16, 1024, 64, BF16)
    yield from attention(2, 16, 2048, 128, BF16)
    yield from convolution(16, 64, 64, 56, BF16)
    yield from steps()
