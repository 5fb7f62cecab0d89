"""Random programs: jitted, they return, raise and write what the plain ones do."""

from __future__ import annotations

import warnings

import pytest
import tracefuse as torch
from hypothesis import HealthCheck, given, settings
from program_maker import calls, compiled, source_of, sources, trail

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(source=sources(), sequence=calls())
def test_jitted_programs_do_what_plain_ones_do(source, sequence):
    check(source, sequence)


# What the random programs have found before.
FOUND = [
    (
        (
            "for i in range(k):",
            "    i = [4, 5, 6][(a.sum() > 0).long()]",
            "if a.sum() > 0:",
            "    b = b + box.w",
        ),
        [(2, 1, 1.5, 1.0), (2, 0, 0.25, 1.0), (2, 0, 3.0, -1.0), (2, 3, 0.75, -1.0)]
        + [(2, 3, 1.5, 1.0), (2, 3, 1.5, -1.0), (2, 3, 2.0, -1.0)],
    ),
    (
        (
            "if x.shape[0] > 2:",
            "    box.log.append(p)",
            "if a.sum() > 40:",
            "    raise ValueError(f'{k} is too much')",
        ),
        [(4, 2, 3.0, -1.0), (2, 2, 3.0, 1.0), (6, 2, 0.5, 1.0)],
    ),
    (
        ("i = [4, 5, 6][(a.sum() > 0).long()]", "for i in range(k):", "    a = x + y"),
        [(2, 1, 0.25, -1.0), (2, 0, 0.25, 1.0), (2, 1, 0.25, 1.0), (2, 1, 0.25, 1.0)],
    ),
    (
        ("i = len(box.log) + x.shape[0] % 2", "i = (i * 2 + k) % 5 - 1"),
        [(3, 1, 3.0, 1.0), (2, 3, 0.75, 1.0), (3, 1, 0.75, -1.0), (4, 2, 0.5, 1.0)],
    ),
    (
        ("box.pair = (k, s, a.sum().item())", "box.log.append(box.pair[2])"),
        [(3, 1, 0.75, 1.0), (3, 1, 0.5, 1.0), (2, 1, 0.5, -1.0)],
    ),
]


@pytest.mark.parametrize("lines, sequence", FOUND)
def test_what_was_found(lines, sequence):
    check(source_of(lines), sequence)


def check(source, sequence):
    want = trail(compiled(source), sequence)
    fast = torch.jit(compiled(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = trail(fast, sequence)
    for n, (a, b) in enumerate(zip(want, got)):
        assert a == b, f"call {n} of {sequence}\n{source}\n{fast.explain()}"
