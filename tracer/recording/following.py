"""What one recording knows of the Python numbers that it follows (see numbers.py).

`lines` maps names to Python expressions, in the order in which they run. A name follows
from what it stands for, so that equal lines of two recordings are one. `guards` are
expressions and how they came out, to be checked before a program runs again.
"""

from __future__ import annotations

import hashlib
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

import numpy as np

from ..graph import Value, constant, here, make, placeholder
from ..sizes import Dim, hint, sized
from ..types import DType, float16, float32, float64, int64
from .magnitude import most
from .numbers import FOLLOWED, Count, Number, Scalar, is_traced, plain, settled
from .overlay import Input, state
from .scalar_ops import ARITHMETIC, COMPARISONS, EXACT, spelled

if TYPE_CHECKING:
    from ..record import Recorder

__all__ = ["Following"]

_MOST = 2000  # lines of arithmetic beyond which a program is not kept
_DIRECT = (float16, float32, float64)
_UNCHANGED = ("pos", "round", "floor", "ceil", "trunc")  # of an int
_SMALL = 2**40  # what is said of an int of which nothing is known
_LARGEST = 2**63
_WHOLE = 2**53  # up to here float64 tells integers apart


class Following:
    """The Numbers of one recording."""

    def __init__(self, rec: "Recorder"):
        self.rec = rec
        self.give_up: Callable[[], None] = lambda: None  # told when Python drives
        self.lines: dict[str, str] = {}
        self.guards: dict[str, Any] = {}
        self.inputs: dict[tuple, Value] = {}
        self.made: list[weakref.ref] = []

    def source(self, name: str, now: Union[float, int]) -> Number:
        """A number that comes from outside, called `name` in the lines."""
        return self._new(now, name, None)

    def of_size(self, size: Dim) -> Number:
        """A symbolic size, for arithmetic that goes beyond integer polynomials."""
        return self.source(f"({sized(size)})", hint(size))

    def of_value(self, value: Value) -> Any:
        """The number of a recorded tensor of one element; nothing is computed yet.

        A plain one where Python drives: nobody keeps such a program.
        """
        if self.rec.crowded:
            return self._learn(value)
        if value.live:
            value = make("stop_gradient", (value,))
        wide = float64 if value.dtype.is_floating_point else int64
        new = self._new(None, "", value.cast(wide))
        new._most = most(value)
        return new

    def _new(self, now: Any, text: str, value: Optional[Value]) -> Number:
        whole = type(now) is int if value is None else value.dtype is int64
        kind = Scalar if isinstance(now, np.floating) else Count if whole else Number
        new = kind(self, now, text, value)
        if text:  # it may come to stand in an attribute
            here.settle = settled
        self.made.append(weakref.ref(new))
        return new

    def held(self) -> list[Number]:
        """The numbers of tensors that Python still holds."""
        alive = [ref() for ref in self.made]
        return [x for x in alive if _of_tensor(x)]  # type: ignore[misc]

    @property
    def active(self) -> bool:
        """Whether this recording is what this thread is doing."""
        rec = state.recorder
        return rec is not None and rec.root is self.rec

    # -- arithmetic

    def apply(self, what: str, *args: Any) -> Any:
        """The arithmetic `what` of Numbers and plain numbers: a Number, or plain."""
        python, text = ARITHMETIC[what]
        if not self.active:
            return python(*map(_now, args))
        if any(map(_of_tensor, args)):
            return self._on_values(what, args)
        if not any(map(is_traced, args)):
            return python(*args)
        try:
            now = python(*map(_now, args))
        except (ArithmeticError, TypeError, ValueError):
            now = None
        if type(now) not in FOLLOWED:  # it depends on these very numbers
            return python(*map(plain, args))
        return self._line(text.format(*map(_atom, args)), now)

    def item(self, x: Scalar) -> Number:
        """A float of NumPy's as one of Python's."""
        if not self.active:
            return x.now.item()
        return self._line(f"{x._text}.item()", x.now.item())

    def _line(self, text: str, now: Union[float, int]) -> Number:
        name = "m_" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        self.lines[name] = text
        if len(self.lines) > _MOST:
            self.rec.volatile = "it computes with very many Python numbers"
        return self._new(now, name, None)

    def _on_values(self, what: str, args: tuple) -> Any:
        op = EXACT.get(what)
        if what in _UNCHANGED and _whole(args[0]):
            return args[0]
        if what == "int" and abs(args[0].now) < _WHOLE:
            return self._learn(args[0]._value.cast(int64))
        if (
            op is None
            or not all(map(self._fits, args))
            or (op == "div" and args[1] == 0)
        ):
            return self.apply(what, *[plain(a) if _of_tensor(a) else a for a in args])
        kind = int64 if op != "div" and all(map(_whole, args)) else float64
        grown = _grown(op, args) if kind is int64 else _LARGEST
        if kind is int64 and grown >= _LARGEST:
            return self.apply(what, *[plain(a) if _of_tensor(a) else a for a in args])
        values = [self.value(a, kind).cast(kind) for a in args]
        new = self._new(None, "", make(op, tuple(values)))
        new._most = grown
        return new

    def _fits(self, x: Any) -> bool:
        """Whether float64 holds it as it is, so that SSA computes what Python would."""
        if _of_tensor(x):
            return type(x) is not Count or self._is_small(x)
        if type(_now(x)) is not int:
            return type(x) is not Scalar
        fits = abs(_now(x)) <= _WHOLE
        if is_traced(x):
            self.guards.setdefault(f"abs({x._text}) <= {_WHOLE}", fits)
        return fits

    def _is_small(self, x: Count) -> bool:
        """Whether arithmetic with it stays within int64, as Python's has no end."""
        if x._most > _WHOLE:
            v: Any = x._value  # not abs: the least int has none
            low, high = v._lift(-_SMALL), v._lift(_SMALL)
            sides = (make("le", (low, v)), make("le", (v, high)))
            if not self._learn(make("and", sides)):
                return False
            x._most = _SMALL
        return True

    # -- what Python learns

    def settle(self, x: Number) -> Any:
        """What a number is; the recording relies on it from here."""
        if self.active:
            if x._value is not None:
                x._now = self._learn(x._value)
            else:
                self.guards.setdefault(x._text, x._now)
        return x.now

    def compare(self, what: str, a: Any, b: Any) -> bool:
        """The outcome of a comparison, relied on from here."""
        python, text, op = COMPARISONS[what]
        if self.active and (_of_tensor(a) or _of_tensor(b)):
            if self._fits(a) and self._fits(b):
                values = [self.value(x, float64).cast(float64) for x in (a, b)]
                flip = what in ("gt", "ge")
                return self._learn(make(op, tuple(values[::-1] if flip else values)))
            a, b = (plain(x) if _of_tensor(x) else x for x in (a, b))
        outcome = python(_now(a), _now(b))
        if self.active and (is_traced(a) or is_traced(b)):
            self.guards.setdefault(text.format(_atom(a), _atom(b)), outcome)
        return outcome

    def look(self, v: Any) -> Any:
        """What a value of one element is; nothing is noted."""
        return self.rec.demand(v).item()

    def _learn(self, v: Value) -> Any:
        rec = state.recorder or self.rec  # a loop's body has no numbers to show
        outcome = rec.demand(v).item()
        rec.guard(v, outcome)
        return outcome

    # -- beside tensors

    def value(self, x: Any, dtype: DType) -> Value:
        """A number as a 0-d value to be cast to `dtype`."""
        if not is_traced(x):
            return constant(x, (), float64)
        if not self.active:
            return constant(x.now, (), float64 if dtype.category == 2 else dtype)
        if x._value is not None:
            return x._value
        kind = dtype if dtype in _DIRECT else float64
        if dtype.category < 2 and type(x._now) is int:
            kind = int64
            if abs(x._now) >= 2**62:
                return constant(plain(x), (), dtype)
        key = (x._text, kind.np.char)
        if key not in self.inputs:
            self.inputs[key] = self._input(x, key, kind)
        return self.inputs[key]

    def _input(self, x: Number, key: tuple, dtype: DType) -> Value:
        new = placeholder(f"x{len(self.rec.inputs)}", (), dtype)
        new.data = np.asarray(x._now, dtype.np)
        self.rec.inputs.append(Input(new, "scalar", None, key))
        return new


def _now(x: Any) -> Any:
    return x.now if is_traced(x) else x


def _grown(op: str, args: tuple) -> int:
    """How large the result can be of operands that fit."""
    a, b = map(_size, (args * 2)[:2])
    return {"mul": a * b, "add": a + b, "sub": a + b}.get(op, a)


def _size(x: Any) -> int:
    if is_traced(x):
        return _WHOLE if x._value is None else x._most
    return abs(int(x)) if type(x) is not float else 0


def _whole(x: Any) -> bool:
    """Whether it is an int, or a number that is one."""
    return type(x) is Count or type(x) is int or type(x) is bool


def _of_tensor(x: Any) -> bool:
    return is_traced(x) and x._value is not None


def _atom(x: Any) -> str:
    return x._text if is_traced(x) else spelled(x)
