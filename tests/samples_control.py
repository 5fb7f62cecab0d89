"""Samples of loops and branches."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from sampling import given, real, sample

H, XS = real(3), real(4, 3)


def scanned(step):
    return lambda h, xs: torch.scan(
        lambda h, x: (torch.tanh(h + x), h * x), h, xs, **step
    )


def folded(order):
    def run(h, xs):
        ys = np.empty_like(xs)
        for t in range(4)[::order]:
            ys[t] = h * xs[t]
            h = np.tanh(h + xs[t])
        return h, ys

    return run


def doubled(x):
    while (x * x).sum() < 100:
        x = x * 2 + 1
    return x


SAMPLES = [
    sample("scan", H, XS, call=scanned({}), numpy=folded(1), order=2),
    sample(
        "scan:back", H, XS, call=scanned({"reverse": True}), numpy=folded(-1), order=1
    ),
    sample(
        "while_loop",
        H,
        call=lambda x: torch.while_loop(
            lambda x: (x * x).sum() < 100, lambda x: x * 2 + 1, x
        ),
        numpy=doubled,
    ),
    sample(
        "fori_loop",
        H,
        call=lambda x: torch.fori_loop(1, 4, lambda i, x: torch.sin(x) * i, x),
        numpy=lambda x: np.sin(np.sin(np.sin(x)) * 2) * 3,
        order=2,
        rtol=1e-5,
    ),
    sample(
        "cond",
        given(True),
        H,
        call=lambda p, x: torch.cond(p, torch.sin, torch.exp, x),
        numpy=lambda p, x: np.sin(x),
        order=2,
    ),
    sample(
        "switch",
        given(1),
        H,
        call=lambda i, x: torch.switch(i, [torch.sin, torch.exp, torch.tanh], x),
        numpy=lambda i, x: np.exp(x),
        order=2,
    ),
    sample(
        "associative_scan",
        torch.mul,
        real(5, 2),
        numpy=lambda x: np.cumprod(x, 0),
        order=2,
        rtol=1e-5,
    ),
]
