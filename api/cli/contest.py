"""The programs of `python -m tracefuse bench`: each written once, given its library.

`program(torch, array)` builds a function of no arguments out of a library with
PyTorch's names, tracefuse or PyTorch itself, and a function that makes its tensors of
NumPy arrays. Where others spell it another way, that way stands beside it.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

import numpy as np

__all__ = ["CONTESTS", "Contest"]

Built = tuple[Callable, tuple]  # a function, and its arguments
Build = Callable[[Any, Callable], Built]


class Contest(NamedTuple):
    """A program by its name; `torch`, `numpy` and `jax` build it, given the library."""

    name: str
    torch: Build
    numpy: Optional[Build] = None
    jax: Optional[Build] = None


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _one(library: Any, array: Callable) -> Built:
    return (lambda x: x + 1), (array(_normal(10)),)


def _twenty(library: Any, array: Callable) -> Built:
    def chain(x: Any) -> Any:
        for _ in range(10):
            x = x * 1.5 + 0.25
        return x

    return chain, (array(_normal(10)),)


def _gelu(library: Any, array: Callable) -> Built:
    def gelu(x: Any) -> Any:
        inner = 0.7978845608 * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + library.tanh(inner))

    return gelu, (array(_normal(3_000_000)),)


def _softmax(torch: Any, array: Callable) -> Built:
    return (lambda x: torch.softmax(x, -1)), (array(_normal(2048, 1024)),)


def _softmax_numpy(library: Any, array: Callable) -> Built:
    def softmax(x: Any) -> Any:
        e = library.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    return softmax, (array(_normal(2048, 1024)),)


def _branch(torch: Any, array: Callable) -> Built:
    def clipped(x: Any) -> Any:
        norm = (x * x).sum() ** 0.5
        if norm > 1:  # a branch on a value
            x = x / norm
        return x * 2

    return clipped, (array(_normal(1000)),)


def _batch() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    x, w = _normal(256, 784), _normal(784, 256) * np.float32(0.05)
    v, labels = _normal(256, 10) * np.float32(0.05), np.arange(256) % 10
    return x, labels, [w, np.zeros(256, "f4"), v, np.zeros(10, "f4")]


def _step(torch: Any, array: Callable) -> Built:
    x, labels, params = _batch()
    tensors = [array(p.copy()).requires_grad_() for p in params]
    optimizer = torch.optim.SGD(tensors, lr=0.01)

    def step(x: Any, labels: Any) -> Any:
        w, b, v, c = tensors
        optimizer.zero_grad()
        z = torch.relu(x @ w + b) @ v + c
        loss = torch.nn.functional.cross_entropy(z, labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, (array(x), array(labels))


def _step_jax(jax: Any, array: Callable) -> Built:
    x, labels, params = _batch()
    kept = {"params": [array(p) for p in params]}

    def loss(params: list, x: Any, labels: Any) -> Any:
        w, b, v, c = params
        z = jax.nn.relu(x @ w + b) @ v + c
        rows = jax.numpy.arange(len(labels))
        return -jax.nn.log_softmax(z)[rows, labels].mean()

    @jax.jit
    def update(params: list, x: Any, labels: Any) -> tuple:
        value, slopes = jax.value_and_grad(loss)(params, x, labels)
        return value, [p - 0.01 * g for p, g in zip(params, slopes)]

    def step(x: Any, labels: Any) -> Any:
        value, kept["params"] = update(kept["params"], x, labels)
        return value

    return step, (array(x), array(labels))


def _jitted(build: Build) -> Build:
    """The same program for JAX, which has NumPy's names."""

    def built(jax: Any, array: Callable) -> Built:
        function, arguments = build(jax.numpy, array)
        return jax.jit(function), arguments

    return built


CONTESTS = (
    Contest("one operation on 10 elements", _one, _one, _jitted(_one)),
    Contest("20 operations on 10 elements", _twenty, _twenty, _jitted(_twenty)),
    Contest("a branch on a value", _branch, _branch),
    Contest("gelu over 3,000,000", _gelu, _gelu, _jitted(_gelu)),
    Contest(
        "softmax of 2048 x 1024", _softmax, _softmax_numpy, _jitted(_softmax_numpy)
    ),
    Contest("training step, 784-256-10", _step, None, _step_jax),
)
