"""What a program does for one signature, and which signature a call belongs to."""

from __future__ import annotations

import operator
from typing import Any, Iterable, Optional, Sequence

from ...tracer.errors import DTypeError, GuardError, ShapeError, TraceError
from ...tracer.sizes import Dim, Int, hint
from ...tracer.texts.spelled import substitute
from ..jit.paths.path import NotKept
from ..jit.paths.tree import Tree, told
from ..jit.paths.unpack import Kind
from .conditions import Condition
from .plan import Place, Plan
from .signature import Signature, same, within

__all__ = ["Variant", "listed", "merged", "takers"]

# What can be wrong with a call, from the farthest miss to the nearest.
_MISSES = (TypeError, DTypeError, ShapeError, GuardError)
_SHOWN = 8  # signatures that an error lists

_SIGNS = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Variant:
    """One signature and the tree of ways that were recorded for it.

    `training` says in which mode of the module it was recorded (None: in any).
    """

    def __init__(self, signature: Signature, training: Optional[bool] = None) -> None:
        self.signature, self.training = signature, training
        self.plans: list[Plan] = []
        self.tree = Tree(signature.name)

    def __str__(self) -> str:
        modes = {None: [], True: ["train()"], False: ["eval()"]}
        words = [*modes[self.training], *map(str, self.conditions.values())]
        return f"{self.signature}{'  # ' * bool(words)}{', '.join(words)}"

    def add(self, plan: Plan) -> None:
        """Add a recorded path."""
        self.tree.add(_Branch(plan))  # type: ignore[arg-type]
        self.plans.append(plan)

    @property
    def ways(self) -> set[tuple]:
        """What the guards of each path saw."""
        return {tuple(map(told, plan.guards)) for plan in self.plans}

    @property
    def relied(self) -> set[tuple]:
        """The comparisons of sizes that Python relied on."""
        return {row for plan in self.plans for row in plan.sizes}

    @property
    def conditions(self) -> dict[tuple, Condition]:
        """What its paths relied on about the arguments, by key."""
        return {c.key: c for plan in self.plans for c in plan.conditions}

    @property
    def key(self) -> tuple:
        """What tells variants apart."""
        rows = frozenset(map(str, self.relied))
        grads = frozenset(self.unset), frozenset(self.preset)
        return (
            self.signature.key,
            self.training,
            rows,
            frozenset(self.conditions),
            grads,
        )

    @property
    def unset(self) -> set[Place]:
        """The tensors whose `.grad` must be None before."""
        return {place for plan in self.plans for place in plan.unset}

    @property
    def preset(self) -> set[Place]:
        """Those where it must be a tensor."""
        return {place for plan in self.plans for place in plan.preset}

    def merge(self, other: "Variant") -> bool:
        """Add the ways that only `other` has; False if they cannot be together."""
        for plan in other.plans:
            way = tuple(map(told, plan.guards))
            if way in self.ways:
                continue
            if self.plans and (() in self.ways or not way):
                return False
            try:
                self.add(plan)
            except NotKept:
                return False
        return True

    def sizes(self, leaves: list, spec: Any, hints: bool = False) -> dict[str, Int]:
        """The size of each symbol in a call; raises when the call does not fit.

        `hints` takes sizes as they are now, so that nothing is recorded of them.
        """
        sizes = self.signature.check(leaves, spec, hints)
        self._check(sizes)
        for wanted in self.conditions.values():
            self._check_condition(wanted, leaves)
        return sizes

    def _check_condition(self, wanted: Condition, leaves: list) -> None:
        given = wanted.given(leaves)
        if given is not None:
            at = f" at {wanted.line}" if wanted.line else ""
            raise GuardError(
                f"{self.signature}: {given}, expected {wanted}: its result depends on "
                f"that{at}, and it was recorded with no other"
            )

    def _check(self, sizes: dict[str, Int]) -> None:
        for left, sign, right, outcome in self.relied:
            a, b = substitute(left, sizes), substitute(right, sizes)
            if _SIGNS[sign](a, b) != outcome:
                given = ", ".join(f"{n} = {hint(size)}" for n, size in sizes.items())
                raise GuardError(
                    f"{self.signature.name}: with {given} it would go a way that was "
                    f"never recorded: {left} {sign} {right} was {outcome} in its "
                    "example"
                )

    def covers(self, other: "Variant") -> bool:
        """Whether it does all that `other`, which has no symbols, does."""
        mine, others = self.signature, other.signature
        sizes: dict[str, Int] = {}
        pairs = zip(mine.leaves, others.leaves)
        if mine.spec != others.spec or self.training is not other.training:
            return False
        if not all(_serves(kind, x, sizes) for kind, x in pairs):
            return False
        try:
            self._check(sizes)
        except GuardError:
            return False
        same = self.conditions.keys() <= other.conditions.keys()
        same = same and self.unset <= other.unset and self.preset <= other.preset
        return same and other.ways <= self.ways


def _serves(kind: Any, x: Any, sizes: dict[str, Int]) -> bool:
    """Whether arguments of kind `x` can be given where `kind` is expected."""
    if not isinstance(kind, Kind) or not isinstance(x, Kind):
        return same(x, kind)
    if (kind.dtype, kind.first, len(kind.shape)) != (x.dtype, x.first, len(x.shape)):
        return False
    return all(_fits(n, size, sizes) for n, size in zip(kind.shape, x.shape))


def _fits(n: Int, size: Int, sizes: dict[str, Int]) -> bool:
    if isinstance(size, Dim):
        return False
    if not isinstance(n, Dim):
        return n == size
    return sizes.setdefault(n.text, size) == size and within(size, n)


def takers(
    variants: Sequence[Variant], leaves: list, spec: Any, called: str
) -> list[Variant]:
    """The variants that take these arguments; `called` tells how and what there is.

    Raises the error of the nearest one, and names what there is, when none does.
    """
    misses: list[Exception] = []
    found: list[Variant] = []
    for variant in variants:
        try:
            variant.sizes(leaves, spec, hints=True)
            found.append(variant)
        except _MISSES as why:
            misses.append(why)
    if found:
        return found
    if len(misses) == 1:
        raise misses[0]
    ranked = zip(map(_nearness, misses), (_ranks(v, leaves) for v in variants), misses)
    nearest = max(ranked, key=lambda row: row[:2])[2]
    kind = _MISSES[_nearness(nearest)]
    raise kind(f"{called}\nThe nearest: {nearest}")


def _nearness(error: Exception) -> int:
    return max(i for i, kind in enumerate(_MISSES) if isinstance(error, kind))


def _ranks(variant: Variant, leaves: list) -> int:
    """How many arguments have as many axes as they should."""
    pairs = zip(variant.signature.leaves, leaves)
    kinds = [(k, x) for k, x in pairs if isinstance(k, Kind) and hasattr(x, "shape")]
    return sum(len(k.shape) == len(x.shape) for k, x in kinds)


def listed(variants: Iterable[Variant]) -> str:
    """One on each line, of many the first."""
    lines = [f"  {variant}" for variant in variants]
    more = len(lines) - _SHOWN
    return "\n".join(lines[:_SHOWN] + [f"  and {more} more"] * (more > 0))


def merged(variants: Iterable[Variant]) -> list[Variant]:
    """Those of the same signature, mode and sizes as one, with the ways of all."""
    made: dict[Any, Variant] = {}
    for variant in variants:
        # Into new ones, so that a failure leaves all as they were.
        empty = Variant(variant.signature, variant.training)
        if not made.setdefault(variant.key, empty).merge(variant):
            raise TraceError(
                f"{variant} was traced twice, and looked at other values for no "
                "visible reason: did something change that it reads?"
            )
    return list(made.values())


class _Branch:
    """A plan in the form in which a Tree takes a path."""

    closed = False

    def __init__(self, plan: Plan):
        self.plan, self.program = plan, plan.graph
        self.inputs = [("place", place, None) for place in plan.inputs]
        self.guards, self.lines = plan.guards, plan.lines
