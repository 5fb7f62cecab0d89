"""The table of small programs that tracing JITs get wrong: how a row is written.

A row is a function of nothing that makes a fresh program with its fresh state:
`(function, steps, *seen)`. A step is a tuple, the arguments of a call, or a change of
the state, a callable of nothing. `seen` is what to look at after every call.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import tracefuse as torch

ROWS: dict[str, "Row"] = {}


@dataclasses.dataclass
class Row:
    """A program of the table and what it is also good for."""

    make: Callable[[], tuple]
    grad: bool = True  # differentiated by its tensor arguments
    saved: Any = False  # kept in a file, read again, and called; or why it cannot be


def row(make=None, **kind: Any):
    """Put a program into the table."""
    if make is None:
        return lambda make: row(make, **kind)
    name = f"{make.__module__.removeprefix('faithful_')}-{make.__name__}"
    assert name not in ROWS, f"two rows are called {name}"
    ROWS[name] = Row(make, **kind)
    return make


class Box:
    """A plain object."""

    def __init__(self, **given: Any):
        vars(self).update(given)


def vec(*values: float):
    """A float32 vector."""
    return torch.tensor([float(v) for v in values])


def pos():
    return (vec(1, 2, 3),)


def neg():
    return (vec(-1, -2, -3),)


def varied(f, *values):
    """f(x, value) for these values, there and back again."""
    x = vec(1, 2, 3)
    return f, [(x, v) for v in (*values, *reversed(values))]


def square(n=3):
    return torch.arange(float(n * n)).reshape(n, n)


def on(f, *args, seen=()):
    """f of the same tensors again and again."""
    return f, [args], *seen
