"""Kernels written by hand, for the tests of the runtime below the code generator."""

from __future__ import annotations

from tracefuse.kernels.triton.kernel import Config, Kernel, Param

AXPY = """\
@triton.jit
def axpy(x, y, o, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    m = i < n
    a = tl.load(x + i, mask=m, other=0.0) * 2.0 + tl.load(y + i, mask=m, other=0.0)
    tl.store(o + i, a, mask=m)
"""
DOT = """\
@triton.jit
def dot(x, y, o, N: tl.constexpr):
    i, j = tl.arange(0, N)[:, None], tl.arange(0, N)[None, :]
    z = tl.dot(tl.load(x + i * N + j), tl.load(y + i * N + j))
    tl.store(o + i * N + j, z)
"""
BLOCKS = tuple(Config((("B", size),)) for size in (1024, 256, 2048))


def axpy(configs=BLOCKS[:1], **more):
    """o = 2 x + y."""
    memory = tuple(Param(name, "*fp32") for name in ("x", "y", "o"))
    params = (*memory, Param("n", "i32"))
    facts = {"line": "model.py:12", **more}
    return Kernel("axpy", AXPY, params, ("cdiv(n, B)",), configs, **facts)


def dot(size=64):
    """A product of square matrices of bfloat16."""
    params = tuple(Param(n, t) for n, t in zip("xyo", ("*bf16", "*bf16", "*fp32")))
    return Kernel("dot", DOT, params, ("1",), (Config((("N", size),)),))


def broken():
    """Asks for something that there is not."""
    source = "@triton.jit\ndef broken(x, B: tl.constexpr):\n    tl.nothing(x)\n"
    config = Config((("B", 16),))
    memory = (Param("x", "*fp32"),)
    return Kernel("broken", source, memory, ("1",), (config,), line="model.py:7")
