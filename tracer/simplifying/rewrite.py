"""Patterns and rules: algebra, written as algebra.

A pattern is an expression over variables, built with the operators that graph values
have too:

>>> rule = Rule("double negation", -(-x), x)
>>> rule.pattern
neg(neg(x))

`x`, `y`, `z` stand for any value: the same one wherever the name is repeated (where
rules are applied, equal values are one object). `c` stands for a constant. A number
stands for a constant of its own kind: 0 is an integer, 0.0 a float, True a bool, and
0.0 is not -0.0. The result of a rule is another pattern, or a small function whose
arguments are named as the variables; `v` names the matched value itself. It may
return None: then the rule does not apply.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Callable, Iterable, Iterator, Optional, Union

from ..algebra import Algebra
from ..graph import Value, make

__all__ = ["Pattern", "Rule", "Rules", "apply", "number", "c", "x", "y", "z"]

COMMUTATIVE = frozenset("add mul and or xor eq ne".split())
_SWAPS = COMMUTATIVE | {"maximum", "minimum"}  # the sign of a zero may depend on it


class Pattern(Algebra):
    """Something a value can match. Subclasses: a variable, a number, an operation."""

    __slots__ = ()
    op: Optional[str] = None  # what the value must be made by; None is anything

    def _apply(self, op: str, *args: Any, **attrs: Any) -> Pattern:
        return _Apply(op, args)

    def _lift(self, other: Any) -> Pattern:
        return other if isinstance(other, Pattern) else number(other)

    def match(self, v: Value, bound: dict) -> bool:
        """Whether `v` fits, given what the variables are bound to; binds more."""
        raise NotImplementedError

    def build(self, bound: dict) -> Value:
        """The value that the pattern spells with the variables as bound."""
        raise NotImplementedError

    def orders(self) -> Iterator[Pattern]:
        """The pattern with the operands of commutative operations either way round."""
        yield self


class _Variable(Pattern):
    __slots__ = ("name", "op")

    def __init__(self, name: str, op: Optional[str] = None):
        self.name, self.op = name, op

    def match(self, v: Value, bound: dict) -> bool:
        fits = self.op is None or v.op == self.op
        return fits and bound.setdefault(self.name, v) is v

    def build(self, bound: dict) -> Value:
        return bound[self.name]

    def __repr__(self) -> str:
        return self.name


class _Number(Pattern):
    __slots__ = ("values",)
    op = "constant"

    def __init__(self, values: tuple):
        self.values = values

    def match(self, v: Value, bound: dict) -> bool:
        if v.op != "constant":
            return False
        value = v.attrs["value"]
        for ours in self.values:
            if identical(value, ours):
                return True
        return False

    def __repr__(self) -> str:
        return "|".join(map(repr, self.values))


def identical(a: Any, b: Any) -> bool:
    """Equal in kind, value and sign of zero."""
    if type(a) is not type(b) or a != b:
        return False
    return type(a) is not float or math.copysign(1.0, a) == math.copysign(1.0, b)


class _Apply(Pattern):
    __slots__ = ("op", "args")
    op: str

    def __init__(self, op: str, args: tuple):
        self.op, self.args = op, args

    def match(self, v: Value, bound: dict) -> bool:
        if v.op != self.op or len(self.args) not in (0, len(v.args)):
            return False
        for p, a in zip(self.args, v.args):
            if not p.match(a, bound):
                return False
        return True

    def build(self, bound: dict) -> Value:
        known = [p for p in self.args if not isinstance(p, _Number)]
        model = known[-1].build(bound)  # last: in `where` the first is the condition
        built = (
            model._lift(p.values[0])
            if isinstance(p, _Number)
            else model
            if p is known[-1]
            else p.build(bound)
            for p in self.args
        )
        return make(self.op, tuple(built))

    def orders(self) -> Iterator[Pattern]:
        for args in itertools.product(*[list(p.orders()) for p in self.args]):
            yield _Apply(self.op, args)
            if self.op in _SWAPS and repr(args[0]) != repr(args[1]):
                yield _Apply(self.op, args[::-1])

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.args))})"


def apply(op: str, *args: Any) -> Pattern:
    """The pattern of a primitive that has no operator: `apply("reshape", x)`.

    Without operands it matches whatever the operands are.
    """
    return _Apply(op, tuple(x._lift(arg) for arg in args))


def number(*values: Any) -> Pattern:
    """A constant with one of these values."""
    return _Number(values)


x, y, z, c = *map(_Variable, "xyz"), _Variable("c", "constant")


class Rule:
    """`pattern` may be replaced by `result`.

    `alone`: only where nothing else reads the last operand, since otherwise it is
    computed anyway and the replacement costs more than it saves.
    """

    __slots__ = ("name", "pattern", "result", "alone", "_wants")

    def __init__(
        self,
        name: str,
        pattern: Pattern,
        result: Union[Pattern, Callable[..., Optional[Value]]],
        alone: bool = False,
    ):
        self.name, self.pattern, self.result, self.alone = name, pattern, result, alone
        code = getattr(result, "__code__", None)
        self._wants = code.co_varnames[: code.co_argcount] if code else ()

    def __call__(self, v: Value, pattern: Optional[Pattern] = None) -> Optional[Value]:
        """What replaces `v`, or None."""
        bound: dict = {}
        if not (pattern or self.pattern).match(v, bound):
            return None
        if isinstance(self.result, Pattern):
            return self.result.build(bound)
        bound["v"] = v
        return self.result(*[bound[name] for name in self._wants])

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


class Rules:
    """Rules found by what the value and its operands are made by."""

    def __init__(self, rules: Iterable[Rule]):
        self.by_op: dict[str, list] = {}
        for rule in rules:
            for pattern in rule.pattern.orders():
                wanted = tuple(p.op for p in pattern.args)  # type: ignore[attr-defined]
                entry = (wanted, rule, pattern)
                self.by_op.setdefault(str(pattern.op), []).append(entry)
        entries = [e for found in self.by_op.values() for e in found]
        self._operands = max((len(wanted) for wanted, _, _ in entries), default=0)
        self._fitting: dict[tuple, list] = {}  # operations -> entries that may match

    def __call__(
        self, v: Value, alone: Callable[[Value], bool] = lambda v: True
    ) -> Optional[Value]:
        """The first rule's answer for `v`, or None when none applies."""
        ops = tuple([a.op for a in v.args[: self._operands]])
        found = self._fitting.get((v.op, ops))
        if found is None:
            found = self._fitting[v.op, ops] = list(self._fit(v.op, ops))
        for rule, pattern in found:
            if not rule.alone or alone(v):
                new = rule(v, pattern)
                if new is not None:
                    return new
        return None

    def _fit(self, op: str, ops: tuple) -> Iterator[tuple]:
        for wanted, rule, pattern in self.by_op.get(op, ()):
            if all(want is None or want == has for want, has in zip(wanted, ops)):
                yield rule, pattern
