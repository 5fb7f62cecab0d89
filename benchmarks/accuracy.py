"""Whether results are right: against float64.

The reference is the same program in float64, by the NumPy backend where the CPU does it
in time, by PyTorch on the GPU where not. A result is right when it is near in the norm,
and when no single element is far off for the size of the largest.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np
import tracefuse

from .corpus import Case

__all__ = ["Reference", "distance", "limit", "reference", "results"]
__all__ += ["sample"]

LIMITS = {"float32": 1e-4, "float16": 5e-3, "bfloat16": 3e-2}
TF32 = 3e-3
HEAVIEST = 4e9  # operations that the CPU does in a few seconds
LIGHT = 1e9  # what it does where there is a GPU to do more
SAMPLE = 1 << 22  # elements of each result that are looked at, of other libraries
STEPS = 3  # of training: losses, and the parameters behind them

PIECE = 1 << 17

Arrays = list[np.ndarray]
Reference = tuple[str, Optional[Arrays]]


def limit(case: Case) -> float:
    """How far a result may be off; changes of parameters are differences of floats."""
    most = TF32 if case.tf32 else LIMITS[case.dtype]
    return most * 10 if case.training and case.dtype == "float32" else most


def weight(case: Case) -> float:
    """About how many operations it is."""
    count = sum(np.prod(x.shape, dtype=float) for x in case.inputs)
    return case.flops + 60 * count


def results(case: Case, call: Callable, numbers: Optional[Callable]) -> list:
    """The tensors to look at: of one call, or of a few steps of training.

    These are the losses and how far all parameters have moved; in half types, where
    a step is lost in the rounding of most of them, where they are.
    """
    if numbers is not None:
        before = numbers()
        losses = [call().clone() for _ in range(STEPS)]  # some are overwritten
        after = numbers()
        return [*losses, after - before if case.dtype == "float32" else after]
    found = call()
    return list(found) if isinstance(found, (tuple, list)) else [found]


def reference(case: Case, torch: Any = None) -> Reference:
    """Who computed it, and what; None when nobody can in time.

    `torch` is PyTorch with a GPU, None without.
    """
    if weight(case) <= (HEAVIEST if torch is None else LIGHT):
        return "NumPy float64", _computed(case, tracefuse, tracefuse.jit, "cpu")
    if torch is None:
        return "nothing: too large for the CPU", None
    return "PyTorch float64 on the GPU", _computed(case, torch, lambda f: f, "cuda")


def _computed(case: Case, torch: Any, compiled: Callable, device: str) -> Arrays:
    f = case.composed(torch, dtype="float64", device=device)
    run = compiled(f)
    args = [
        x.to(device) if x.dtype == torch.int64 else x.to(device, torch.float64)
        for x in case.tensors(torch)
    ]
    found = results(case, lambda: run(*args), getattr(f, "numbers", None))
    return [t.detach().cpu().numpy() for t in found]


def distance(got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> float:
    """The largest relative error of any result; infinite where shapes or NaNs differ.

    >>> distance([np.ones(2)], [np.array([1.0, 2.0])])
    0.5
    """
    fitting = [_cut(b, a) for a, b in zip(got, want)]
    if len(got) != len(want) or any(b is None for b in fitting):
        return float("inf")
    return max((_apart(a, b) for a, b in zip(got, fitting)), default=0.0)


def sample(t: Any) -> Any:
    """The first elements of what is large: enough to trust another library by."""
    many = 1
    for n in t.shape:
        many *= n
    return t.reshape(-1)[:SAMPLE] if many > SAMPLE else t


def _cut(b: np.ndarray, a: np.ndarray) -> Any:
    """As much of `b` as there is of `a`; None when they do not fit."""
    if a.shape == b.shape:
        return b
    return sample(b) if a.shape == (SAMPLE,) and b.size > SAMPLE else None


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """In pieces that stay in the cache: there are 2**26 elements at times."""
    if not b.size:
        return 0.0
    flat = a.reshape(-1), b.reshape(-1)
    pieces = [
        _figures(*(x[at : at + PIECE].astype(np.float64) for x in flat))
        for at in range(0, b.size, PIECE)
    ]
    (off, norm), (far, largest) = np.sum(pieces, 0)[:2], np.max(pieces, 0)[2:]
    found = max((off / (norm or 1.0)) ** 0.5, far / (largest or 1.0))
    return float(found) if np.isfinite(found) else float("inf")


def _figures(a: np.ndarray, b: np.ndarray) -> tuple:
    off = a - b
    return np.dot(off, off), np.dot(b, b), np.abs(off).max(), np.abs(b).max()
