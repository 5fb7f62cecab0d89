"""Where values may lie, and the complaint when they do not."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..tensor import Tensor

__all__ = [
    *("BOOLEAN", "COUNT", "POSITIVE", "NOT_NEGATIVE", "REAL", "SIMPLEX", "Support"),
    *("UNIT", "between", "below"),
]


class Support(NamedTuple):
    """A set of numbers: its name, and which elements of a tensor lie in it."""

    name: str
    holds: Callable[[Tensor], Tensor]

    def check(self, value: Any, what: str, owner: Any) -> None:
        """ValueError unless all of `value` lies here."""
        if not isinstance(value, Tensor) or bool(self.holds(value).all()):
            return
        raise ValueError(
            f"Expected {what} of distribution {type(owner).__name__} to satisfy the "
            f"constraint {self.name}, but found invalid values:\n{value}"
        )


REAL = Support("Real()", lambda x: x == x)
POSITIVE = Support("GreaterThan(lower_bound=0.0)", lambda x: x > 0)
NOT_NEGATIVE = Support("GreaterThanEq(lower_bound=0)", lambda x: x >= 0)
UNIT = Support(
    "Interval(lower_bound=0.0, upper_bound=1.0)", lambda x: (x >= 0) & (x <= 1)
)
BOOLEAN = Support("Boolean()", lambda x: (x == 0) | (x == 1))
COUNT = Support(
    "IntegerGreaterThan(lower_bound=0)", lambda x: (x >= 0) & (x == x.floor())
)
SIMPLEX = Support(
    "Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6)
)


def between(low: Tensor, high: Tensor) -> Support:
    """From `low` to `high`."""
    return Support("Interval", lambda x: (x >= low) & (x <= high))


def below(count: int) -> Support:
    """Whole numbers from 0 to count - 1."""
    name = f"IntegerInterval(lower_bound=0, upper_bound={count - 1})"
    return Support(name, lambda x: (x >= 0) & (x < count) & (x == x.floor()))
