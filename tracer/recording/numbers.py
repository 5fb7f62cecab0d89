"""Python numbers that a recording follows instead of taking them as they are.

A float or int that was seen to change between calls is given to the user's function as
a `Number`. Arithmetic among Numbers is Python's own, written down line by line and run
again at every call; beside a tensor a Number becomes a 0-d input of the program. The
number of a recorded tensor (`item`) is one as well: its arithmetic goes on as SSA.

A Number is no float: C code would read a subclass unseen. It only says so when asked
for its `__class__`. Whatever makes Python depend on what it is (comparisons, `float`,
`int`, `hash`, text) notes a guard. Outside of its recording it is the number it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np

from ..graph import Value, make
from ..types import DType
from .scalar_ops import ARITHMETIC

if TYPE_CHECKING:
    from .following import Following

__all__ = ["FOLLOWED", "Count", "Number", "Scalar"]
__all__ += ["is_traced", "plain", "settled"]

_PLAIN = (float, int, bool)
FOLLOWED = (float, int, np.float16, np.float32, np.float64)  # types of numbers


def is_traced(x: Any) -> bool:
    """Whether it is a Number (isinstance asks for the class that it pretends)."""
    return type(x) is Number or type(x) is Count or type(x) is Scalar


def plain(x: Any) -> Any:
    """The plain number, guarded where a recording is on."""
    return x.settle() if is_traced(x) else x


def settled(x: Any) -> Any:
    """`x` with plain numbers in all its lists, tuples and dicts."""
    kind = type(x)
    if kind is list or (isinstance(x, tuple) and not hasattr(x, "_fields")):
        return kind(map(settled, x))
    if kind is dict:
        return {key: settled(value) for key, value in x.items()}
    return plain(x)


def _binary(what: str, flip: bool = False) -> Callable:
    def method(self: "Number", other: Any) -> Any:
        if type(other) in _PLAIN or is_traced(other):
            pair = (other, self) if flip else (self, other)
            return self._of.apply(what, *pair)
        if isinstance(other, complex):
            pair = (other, self.settle()) if flip else (self.settle(), other)
            return ARITHMETIC[what][0](*pair)
        return NotImplemented

    return method


def _unary(what: str) -> Callable:
    return lambda self: self._of.apply(what, self)


def _compared(what: str) -> Callable:
    def method(self: "Number", other: Any) -> Any:
        if type(other) in _PLAIN or is_traced(other):
            return self._of.compare(what, self, other)
        return NotImplemented

    return method


class Number:
    """A float that a recording follows.

    `_text` is its name in the lines, or `_value` its SSA value; `_now` what it is
    in the call that is recorded (None: not looked at yet).
    """

    __slots__ = ("_of", "_now", "_text", "_value", "_most", "__weakref__")
    __array_priority__ = 1000
    _pretends: type = float

    def __init__(self, of: "Following", now: Any, text: str, value: Optional[Value]):
        self._of, self._now, self._text, self._value = of, now, text, value
        self._most = 2**63  # the int of a tensor is no larger

    __class__ = property(lambda self: self._pretends)  # type: ignore[assignment]

    @property
    def now(self) -> Any:
        """What it is in this call; nothing is noted."""
        if self._now is None:
            self._now = self._of.look(self._value)
        return self._now

    def settle(self) -> Any:
        """What it is, guarded: the recording relies on this very number."""
        return self._of.settle(self)

    def splat(self, shape: tuple, dtype: DType) -> Value:
        """This number everywhere, as a program's constant would be."""
        value = self._of.value(self, dtype)
        if dtype.category == 0:
            return make("ne", (value, value._lift(0))).expand(shape)
        return value.cast(dtype).expand(shape)

    def __bool__(self) -> bool:
        return self._of.compare("ne", self, 0)

    def __int__(self) -> int:
        return plain(self._of.apply("int", self))

    def __float__(self) -> float:
        return float(self.settle())

    def __complex__(self) -> complex:
        return complex(self.settle())

    def __hash__(self) -> int:
        return hash(self.settle())

    def __repr__(self) -> str:
        return repr(self.settle())

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.settle(), spec)

    def __round__(self, digits: Optional[int] = None) -> Any:
        if digits is None:
            return self._of.apply("round", self)
        return self._of.apply("round_to", self, plain(digits))

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other  # type: ignore[operator]

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __copy__(self) -> "Number":
        return self

    def __deepcopy__(self, memo: dict) -> "Number":
        return self

    def __reduce__(self) -> tuple:
        return self._pretends, (self.settle(),)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self._pretends, name):
            raise AttributeError(
                f"'{self._pretends.__name__}' object has no attribute {name!r}"
            )
        return getattr(self.settle(), name)

    # NumPy gets the plain number, so that it promotes as beside one.

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.settle(), dtype)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *args: Any, **kwargs: Any
    ) -> Any:
        return getattr(ufunc, method)(*settled(args), **settled(kwargs))

    def __array_function__(
        self, function: Callable, types: Any, args: Any, kwargs: Any
    ) -> Any:
        return function(*settled(args), **settled(kwargs))

    __eq__, __ne__ = _compared("eq"), _compared("ne")  # type: ignore[assignment]
    __lt__, __le__ = _compared("lt"), _compared("le")
    __gt__, __ge__ = _compared("gt"), _compared("ge")
    __neg__, __pos__, __abs__ = map(_unary, ("neg", "pos", "abs"))
    __floor__, __ceil__, __trunc__ = map(_unary, ("floor", "ceil", "trunc"))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Number, f"__{_name}__", _binary(_name))
    setattr(Number, f"__r{_name}__", _binary(_name, flip=True))


class Scalar(Number):
    """A float of NumPy's that a recording follows: its arithmetic is NumPy's."""

    __slots__ = ()
    _pretends = property(lambda self: type(self._now))  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(super().__bool__())

    def item(self) -> Number:
        """As a float of Python's, which is what counts beside a tensor."""
        return self._of.item(self)


class Count(Number):
    """An int that a recording follows."""

    __slots__ = ()
    _pretends = int

    def __index__(self) -> int:
        return self.settle()

    __invert__ = _unary("invert")


for _name in ("and", "or", "xor", "lshift", "rshift"):
    setattr(Count, f"__{_name}__", _binary(_name))
    setattr(Count, f"__r{_name}__", _binary(_name, flip=True))
