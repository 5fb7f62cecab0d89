"""Python values as arguments: another kind, another value, there and back again."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import enum
import fractions

import numpy as np
import tracefuse as torch
from faithful_rows import Box, row, varied, vec


class Color(enum.Enum):
    RED = 2.0
    BLUE = 3.0


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 5


@dataclasses.dataclass
class Config:
    scale: float = 1.0
    bias: object = None
    tags: tuple = ()


@dataclasses.dataclass(frozen=True)
class Frozen:
    scale: float = 1.0


Pair = collections.namedtuple("Pair", "a b")


@row(saved=True)
def a_bool_argument():
    return varied(lambda x, k: x * 2 if k else x - 1, True, False)


@row()
def a_bool_is_not_the_int_it_equals():
    return varied(lambda x, k: x + (10 if k is True else k), True, 1, 0, False)


@row(saved=True)
def an_int_is_not_the_float_it_equals():
    return varied(lambda x, k: (x.long() * k, type(k).__name__), 1, 1.0, 2, 2.0)


@row(saved=True)
def minus_zero_is_not_zero():
    return varied(lambda x, k: x / k, 0.0, -0.0, 1.0)


@row(saved=True)
def nan_equals_nothing():
    f = lambda x, k: x + 1 if k == k else x - 1
    return varied(f, 1.0, float("nan"), float("inf"))


@row(saved=True)
def a_float_argument():
    return varied(lambda x, k: x * k, 0.5, 0.25, 1e-40, 1e30)


@row(saved=True)
def a_large_int_argument():
    return varied(lambda x, k: (x.double() + k, k + 1), 2**31, 2**53 + 1, -(2**62))


@row(saved=True)
def a_string_argument():
    f = lambda x, how: x.sum() if how == "sum" else x.mean() if how == "mean" else x
    return varied(f, "sum", "mean", "none")


@row(saved=True)
def none_or_a_tensor():
    return varied(lambda x, b: x if b is None else x + b, None, vec(1, 1, 1))


@row(saved="which a file cannot hold")
def an_enum_argument():
    return varied(lambda x, c: x * c.value, Color.RED, Color.BLUE)


@row(saved="which a file cannot hold")
def an_int_enum_argument():
    return varied(lambda x, c: x * c, Level.LOW, Level.HIGH, 1, 5)


@row(saved=True)
def a_tuple_argument():
    return varied(lambda x, t: x * sum(t) + len(t), (1,), (2,), (1, 2), ())


@row(saved=True)
def nested_containers():
    f = lambda x, d: x * d["a"][0] + sum(d["b"].values())
    return varied(
        f,
        {"a": [1.0], "b": {"u": 1}},
        {"a": [2.0], "b": {"u": 1}},
        {"a": [2.0], "b": {"u": 1, "v": 5}},
    )


@row(saved=True)
def the_order_of_a_dict():
    f = lambda x, d: x * float(next(iter(d.values())))
    return varied(f, {"a": 1, "b": 2}, {"b": 2, "a": 1})


@row(saved=True)
def keys_of_a_dict():
    return varied(lambda x, d: {k: x * v for k, v in d.items()}, {"a": 1}, {"b": 1})


@row(saved="which a file cannot hold")
def a_set_argument():
    return varied(lambda x, s: x * (2 if "on" in s else 3), {"on"}, {"off"}, set())


@row(saved=True)
def a_dataclass_argument():
    f = lambda x, c: x * c.scale + (0 if c.bias is None else c.bias) + len(c.tags)
    return varied(
        f, Config(), Config(2.0), Config(2.0, vec(1, 2, 3)), Config(tags=(1,))
    )


@row(saved=True)
def a_dataclass_argument_that_changes():
    c, x = Config(), vec(1, 2)
    f = lambda x, c: x * c.scale
    return f, [(x, c), lambda: setattr(c, "scale", c.scale + 1), (x, c)], c


@row(saved=True)
def a_frozen_dataclass():
    return varied(lambda x, c: x * c.scale, Frozen(), Frozen(2.0), Frozen(3.0))


@row(saved=True)
def a_named_tuple():
    f = lambda x, p: Pair(x * p.a, p.b)
    return varied(f, Pair(1, "u"), Pair(2, "u"), Pair(2, "v"))


@row
def a_plain_object_argument():
    c, x = Box(k=1.0), vec(1, 2)
    other = Box(k=7.0)
    f = lambda x, c: x * c.k
    return f, [(x, c), (x, other), lambda: setattr(c, "k", c.k * 2), (x, c)], c


@row(saved=True)
def a_type_argument():
    return varied(lambda x, t: x.to(t), torch.float64, torch.int64, torch.float32)


@row(saved="which a file cannot hold")
def a_complex_number():
    return varied(lambda x, z: x * z.real + z.imag, 1 + 2j, 1 + 3j, 2 + 2j)


@row(saved="which a file cannot hold")
def a_fraction_and_a_decimal():
    f = lambda x, q: x * float(q)
    return varied(f, fractions.Fraction(1, 2), decimal.Decimal("0.25"))


@row(saved="which a file cannot hold")
def a_numpy_scalar():
    return varied(lambda x, k: x * k, np.float32(2), np.float64(3), np.int64(4))


@row(saved="which a file cannot hold")
def a_range_and_a_slice():
    f = lambda x, r: x[r] if isinstance(r, slice) else x[list(r)]
    return varied(f, range(2), range(1, 3), slice(0, 1), slice(1, None))


@row(saved="which a file cannot hold")
def ellipsis_and_none_as_an_index():
    return varied(lambda x, i: x[i], ..., None, 0, (0, None), -1)


@row(saved="which a file cannot hold")
def a_function_argument():
    return varied(lambda x, g: g(x) + 1, torch.relu, torch.exp, lambda x: x * 3)


@row(saved=True)
def a_keyword_or_a_position():
    def f(x, k=2.0, *, b=0.0):
        return x * k + b

    x, wrapped = vec(1, 2), lambda *a: f(*a[:-1], **a[-1])
    ways = [(x, {}), (x, 3.0, {}), (x, {"k": 3.0}), (x, {"b": 1.0}), (x, {})]
    return wrapped, ways
