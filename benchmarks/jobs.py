"""What is measured on a GPU, the most important first."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from . import corpus as c
from . import extras
from .measure import Setting, measure

__all__ = ["Job", "jobs", "tiny"]

BF16, F16, F32 = c.BF16, c.F16, c.F32
SEARCHED = " (max-autotune)"
KEY = (
    *("matmul NN 1024x1024x1024 bf16", "matmul NN 4096x4096x4096 bf16"),
    *("linear gelu residual 4096x4096x4096 bf16", "softmax 4096 bf16"),
    "layer_norm backward 4096 bf16",
)


class Job(NamedTuple):
    """Something to measure: `run(setting)` gives its record."""

    name: str
    run: Callable[[Setting], dict[str, Any]]


def of_case(case: c.Case) -> Job:
    """A case; for steps and a few others the mode that searches longest is beside."""
    searched = case.training or case.name in KEY
    return Job(case.name, partial(measure, case, autotune=searched))


def searched(case: c.Case) -> Job:
    """The same again, beside the mode that searches longest."""
    return Job(case.name + SEARCHED, partial(measure, case, autotune=True))


def special() -> Iterator[Job]:
    """Beside cases."""
    yield Job("ceiling copy", extras.copies)
    yield Job("ceiling matmul bf16", extras.products)
    yield Job("dispatch", extras.dispatch)


COLD = Job("compile fifty operations", extras.cold)


def square(size: int, dtype: str, tf32: bool = False) -> c.Case:
    """A product of square matrices."""
    return c.product(size, size, size, dtype, tf32=tf32)


def epilogue(size: int, dtype: str, tf32: bool = False) -> c.Case:
    """The same with what follows it."""
    return c.linear(size, size, size, dtype, tf32)


def row_cases(width: int, count: int, names: Iterable[str] = ()) -> Iterator[c.Case]:
    """The row kernels of one width, or those of these names."""
    wanted = tuple(names)
    for case in c.rows(width, BF16, count):
        if not wanted or case.name.startswith(wanted):
            yield case


def first() -> Iterator[c.Case]:
    """One size of each kind, and whole steps."""
    yield square(4096, BF16)
    yield from row_cases(4096, 16384, ("softmax", "layer_norm", "cross_entropy"))
    yield from c.attention(4, 16, 2048, 128, BF16)
    yield from c.steps(dtype=BF16)
    yield from list(c.pointwise(1 << 26))[:4]
    yield epilogue(4096, BF16)


def second() -> Iterator[c.Case]:
    """Other sizes, other types."""
    for size in (1024, 8192, 2048, 512):
        yield square(size, BF16)
    yield from c.steps(tf32=True)
    yield from row_cases(1024, 65536, ("softmax", "layer_norm", "cross_entropy"))
    yield from row_cases(50257, 2048, ("cross_entropy",))
    yield epilogue(1024, BF16)
    yield epilogue(8192, BF16)
    yield from c.attention(4, 16, 1024, 64, BF16)
    yield from row_cases(4096, 16384, ("rms_norm", "log_softmax"))
    for size in (1024, 4096, 8192):
        yield square(size, F16)
        yield square(size, F32, tf32=True)
    yield from c.convolution(32, 128, 128, 56, BF16)
    yield from row_cases(16384, 4096, ("softmax", "rms_norm", "cross_entropy"))
    yield epilogue(4096, F16)
    yield epilogue(4096, F32, tf32=True)
    yield from list(c.pointwise(1 << 26))[4:]


def jobs() -> list[Job]:
    """Everything; at the end those that are compiled for a long time."""
    cases = [*first(), *second()]
    extra = [case for case in cases if not case.training and case.name not in KEY]
    begun = [*special(), *map(of_case, first()), COLD]
    return [*begun, *map(of_case, second()), *map(searched, extra)]


def tiny() -> list[Job]:
    """The same kinds in sizes for the interpreter."""
    cases = [
        *c.pointwise(256),
        *c.rows(32, BF16, 4),
        square(16, BF16),
        square(16, F32, tf32=True),
        epilogue(16, F16),
        *c.attention(1, 2, 16, 16, BF16),
        *c.convolution(1, 4, 4, 8, F32),
        *c.steps(64),
    ]
    return [*special(), COLD, *map(of_case, cases)]
