"""JAX: the same functions in its words, jitted.

It runs on streams of its own, so that its calls are timed by the host clock, many in a
row.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, Optional

import numpy as np

from .accuracy import results, sample
from .corpus import Case
from .ours import Entrant

__all__ = ["Jax", "jax_with_gpu"]


def jax_with_gpu() -> Any:
    """JAX, if it is installed and sees a GPU; else None."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import jax

        return jax if jax.default_backend() == "gpu" else None
    except (ImportError, RuntimeError):
        return None


def table(jax: Any) -> dict[str, Callable]:
    """By the names in `functions`."""
    jnp, nn = jax.numpy, jax.nn

    def layer_norm(x: Any, w: Any, b: Any) -> Any:
        y = x.astype(jnp.float32)
        y = y - y.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((y * y).mean(-1, keepdims=True) + 1e-5)
        return (y * scale).astype(x.dtype) * w + b

    def rms_norm(x: Any, w: Any) -> Any:
        y = x.astype(jnp.float32)
        scale = jax.lax.rsqrt((y * y).mean(-1, keepdims=True) + 1e-6)
        return (y * scale).astype(x.dtype) * w

    def cross_entropy(x: Any, labels: Any) -> Any:
        logs = nn.log_softmax(x, -1)
        return -jnp.take_along_axis(logs, labels[:, None], -1).mean()

    def attend(q: Any, k: Any, v: Any) -> Any:
        by_time = [a.transpose(0, 2, 1, 3) for a in (q, k, v)]
        how = {"is_causal": True, "implementation": "cudnn"}
        return nn.dot_product_attention(*by_time, **how).transpose(0, 2, 1, 3)

    def conv(x: Any, w: Any) -> Any:
        pads = ((1, 1), (1, 1))
        return jax.lax.conv_general_dilated(x, w, (1, 1), pads)

    def chain(x: Any) -> Any:
        for _ in range(10):
            x = x * 0.5 + 1.0
        return x

    return {
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "bias_gelu": lambda x, b: nn.gelu(x + b, approximate=True),
        "small": lambda x: x * 2.0 + 1.0,
        "chain": chain,
        "transpose_add": lambda x, y: x.T + y,
        "columns": lambda x: x.sum(0),
        "total": lambda x: x.sum(),
        "softmax": lambda x: nn.softmax(x, -1),
        "log_softmax": lambda x: nn.log_softmax(x, -1),
        "layer_norm": layer_norm,
        "rms_norm": rms_norm,
        "cross_entropy": cross_entropy,
        "product_NN": lambda a, b: a @ b,
        "product_NT": lambda a, b: a @ b.T,
        "product_TN": lambda a, b: a.T @ b,
        "product_TT": lambda a, b: a.T @ b.T,
        "linear": lambda x, w, b, r: nn.gelu(x @ w.T + b, approximate=False) + r,
        "attend": attend,
        "conv": conv,
    }


class Jax:
    """JAX on its default GPU."""

    def __init__(self, jax: Any):
        self.jax, self.functions, self.last = jax, table(jax), None

    def facts(self) -> dict[str, Any]:
        """Versions, for the head of the record."""
        return {"jax": self.jax.__version__}

    def event(self) -> None:
        """There are none."""

    def flush(self) -> None:
        """Never asked for: nothing is timed by events."""

    def wait(self) -> None:
        """For the last call: calls are done in order."""
        self.jax.block_until_ready(self.last)

    def entrants(self, case: Case, autotune: bool) -> Iterator[Entrant]:
        """One way, where the function is written down here."""
        f = self.functions.get(case.function.__name__)
        if f is not None:
            yield self.entrant(case, f)

    def entrant(self, case: Case, f: Callable) -> Entrant:
        """Jitted, with its gradients where they are asked for."""
        run = self.jax.jit(self.with_gradients(f) if case.gradients else f)
        args = [self.put(x.array(n), x.dtype) for n, x in enumerate(case.inputs)]

        exact = "highest" if case.dtype == "float32" else "default"
        precision = "tensorfloat32" if case.tf32 else exact
        self.jax.config.update("jax_default_matmul_precision", precision)

        def call() -> Any:
            self.last = run(*args)
            return self.last

        def answer() -> list:
            found = results(case, call, None)
            return [np.asarray(sample(a), np.float64) for a in found]

        return Entrant("jax.jit", self, call, answer, _no_graph, {})

    def put(self, array: np.ndarray, dtype: str) -> Any:
        """On the device; labels as int32, JAX's own."""
        jnp = self.jax.numpy
        if array.dtype.kind == "i":
            return jnp.asarray(array, jnp.int32)
        return jnp.asarray(array).astype(dtype)

    def with_gradients(self, f: Callable) -> Callable:
        """The result and the gradients by floating inputs; the last input is by it."""
        jnp, vjp = self.jax.numpy, self.jax.vjp

        def both(*args: Any) -> tuple:
            *xs, g = args
            ints = (n for n, x in enumerate(xs) if jnp.issubdtype(x.dtype, jnp.integer))
            fixed = {n: xs[n] for n in ints}
            moving = [x for n, x in enumerate(xs) if n not in fixed]

            def by_moving(*given: Any) -> Any:
                rest = iter(given)
                return f(*[fixed[n] if n in fixed else next(rest) for n, _ in all_xs])

            all_xs = list(enumerate(xs))

            y, back = vjp(by_moving, *moving)
            return (y, *back(g))

        return both

    def peak(self, call: Callable) -> Optional[int]:
        """It cannot be told for one call."""
        return None

    def done(self) -> None:
        """Forget what was compiled."""
        self.last = None
        self.jax.clear_caches()


def _no_graph() -> None:
    """Its graphs are its own affair."""
