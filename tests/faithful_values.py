"""Python values that change between calls: arguments, cells, globals, containers."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import enum
import fractions
import types

import numpy as np
import tracefuse as torch
from faithful_rows import Box, pos, row, vec


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


def varied(f, *values):
    """f(x, value) for these values, there and back again."""
    x = vec(1, 2, 3)
    return f, [(x, v) for v in (*values, *reversed(values))]


@row
def a_bool_argument():
    return varied(lambda x, k: x * 2 if k else x - 1, True, False)


@row
def a_bool_is_not_the_int_it_equals():
    return varied(lambda x, k: x + (10 if k is True else k), True, 1, 0, False)


@row
def an_int_is_not_the_float_it_equals():
    return varied(lambda x, k: (x.long() * k, type(k).__name__), 1, 1.0, 2, 2.0)


@row
def minus_zero_is_not_zero():
    return varied(lambda x, k: x / k, 0.0, -0.0, 1.0)


@row
def nan_equals_nothing():
    f = lambda x, k: x + 1 if k == k else x - 1
    return varied(f, 1.0, float("nan"), float("inf"))


@row
def a_float_argument():
    return varied(lambda x, k: x * k, 0.5, 0.25, 1e-40, 1e30)


@row
def a_large_int_argument():
    return varied(lambda x, k: (x.double() + k, k + 1), 2**31, 2**53 + 1, -(2**62))


@row
def a_string_argument():
    f = lambda x, how: x.sum() if how == "sum" else x.mean() if how == "mean" else x
    return varied(f, "sum", "mean", "none")


@row
def none_or_a_tensor():
    return varied(lambda x, b: x if b is None else x + b, None, vec(1, 1, 1))


@row
def an_enum_argument():
    return varied(lambda x, c: x * c.value, Color.RED, Color.BLUE)


@row
def an_int_enum_argument():
    return varied(lambda x, c: x * c, Level.LOW, Level.HIGH, 1, 5)


@row
def a_tuple_argument():
    return varied(lambda x, t: x * sum(t) + len(t), (1,), (2,), (1, 2), ())


@row
def nested_containers():
    f = lambda x, d: x * d["a"][0] + sum(d["b"].values())
    return varied(
        f,
        {"a": [1.0], "b": {"u": 1}},
        {"a": [2.0], "b": {"u": 1}},
        {"a": [2.0], "b": {"u": 1, "v": 5}},
    )


@row
def the_order_of_a_dict():
    f = lambda x, d: x * float(next(iter(d.values())))
    return varied(f, {"a": 1, "b": 2}, {"b": 2, "a": 1})


@row
def keys_of_a_dict():
    return varied(lambda x, d: {k: x * v for k, v in d.items()}, {"a": 1}, {"b": 1})


@row
def a_set_argument():
    return varied(lambda x, s: x * (2 if "on" in s else 3), {"on"}, {"off"}, set())


@row
def a_dataclass_argument():
    f = lambda x, c: x * c.scale + (0 if c.bias is None else c.bias) + len(c.tags)
    return varied(f, Config(), Config(2.0), Config(2.0, vec(1, 2, 3)), Config(tags=(1,)))


@row
def a_dataclass_argument_that_changes():
    c, x = Config(), vec(1, 2)
    f = lambda x, c: x * c.scale
    return f, [(x, c), lambda: setattr(c, "scale", c.scale + 1), (x, c)], c


@row
def a_frozen_dataclass():
    return varied(lambda x, c: x * c.scale, Frozen(), Frozen(2.0), Frozen(3.0))


@row
def a_named_tuple():
    f = lambda x, p: Pair(x * p.a, p.b)
    return varied(f, Pair(1, "u"), Pair(2, "u"), Pair(2, "v"))


@row
def a_plain_object_argument():
    c, x = Box(k=1.0), vec(1, 2)
    other = Box(k=7.0)
    f = lambda x, c: x * c.k
    return f, [(x, c), (x, other), lambda: setattr(c, "k", c.k * 2), (x, c)], c


@row
def a_type_argument():
    return varied(lambda x, t: x.to(t), torch.float64, torch.int64, torch.float32)


@row
def a_complex_number():
    return varied(lambda x, z: x * z.real + z.imag, 1 + 2j, 1 + 3j, 2 + 2j)


@row
def a_fraction_and_a_decimal():
    f = lambda x, q: x * float(q)
    return varied(f, fractions.Fraction(1, 2), decimal.Decimal("0.25"))


@row
def a_numpy_scalar():
    return varied(lambda x, k: x * k, np.float32(2), np.float64(3), np.int64(4))


@row
def a_range_and_a_slice():
    f = lambda x, r: x[r] if isinstance(r, slice) else x[list(r)]
    return varied(f, range(2), range(1, 3), slice(0, 1), slice(1, None))


@row
def ellipsis_and_none_as_an_index():
    return varied(lambda x, i: x[i], ..., None, 0, (0, None), -1)


@row
def a_function_argument():
    return varied(lambda x, g: g(x) + 1, torch.relu, torch.exp, lambda x: x * 3)


@row
def a_keyword_or_a_position():
    def f(x, k=2.0, *, b=0.0):
        return x * k + b

    x, wrapped = vec(1, 2), lambda *a: f(*a[:-1], **a[-1])
    ways = [(x, {}), (x, 3.0, {}), (x, {"k": 3.0}), (x, {"b": 1.0}), (x, {})]
    return wrapped, ways


@row
def a_closure_cell():
    k = 1.0

    def f(x):
        return x * k

    def change():
        nonlocal k
        k += 1

    return f, [pos(), change, pos(), change, pos()]


@row
def a_closure_cell_that_changes_its_type():
    k = 1

    def f(x):
        return x.long() * k

    def change():
        nonlocal k
        k = {1: 2, 2: 2.0, 2.0: 1}[k] if type(k) is int else 1

    return f, [pos(), change, pos(), change, pos()]


SCALE = 1.0


@row
def a_global():
    def change():
        globals()["SCALE"] += 1

    def reset():
        globals()["SCALE"] = 1.0

    return lambda x: x * SCALE, [reset, pos(), change, pos(), change, pos()]


@row
def a_global_that_appears():
    def there(x):
        try:
            return x * LATE  # noqa: F821
        except NameError:
            return x

    def hide():
        globals().pop("LATE", None)

    def show():
        globals()["LATE"] = 5.0

    return there, [hide, pos(), show, pos(), hide, pos()]


@row
def a_shadowed_builtin():
    scope = {"torch": torch}
    exec("def f(x):\n    return x * len(x)", scope)
    set_len = lambda: scope.update(len=lambda x: 100)
    return scope["f"], [pos(), set_len, pos(), lambda: scope.pop("len"), pos()]


@row
def a_default_that_is_a_list():
    def f(x, seen=[]):  # noqa: B006
        seen.append(len(seen))
        return x + len(seen)

    return f, [pos(), pos()], f.__defaults__


@row
def a_default_that_is_replaced():
    scope = types.SimpleNamespace()

    def f(x, k=2.0):
        return x * k

    scope.g = f

    def change():
        f.__defaults__ = (f.__defaults__[0] + 1,)

    return lambda x: scope.g(x), [pos(), change, pos()]


@row
def an_attribute():
    c = Box(k=1.0)
    up = lambda: setattr(c, "k", c.k + 0.5)
    return lambda x: x * c.k, [pos(), up, pos(), up, pos()], c


@row
def an_attribute_of_an_attribute():
    c = Box(inner=Box(k=1.0))
    swap = lambda: setattr(c, "inner", Box(k=c.inner.k + 1))
    up = lambda: setattr(c.inner, "k", c.inner.k + 1)
    return lambda x: x * c.inner.k, [pos(), swap, pos(), up, pos()], c


@row
def an_attribute_that_goes():
    c = Box(k=2.0)

    def flip():
        if hasattr(c, "k"):
            del c.k
        else:
            c.k = 3.0

    f = lambda x: x * getattr(c, "k", 1.0)
    return f, [pos(), flip, pos(), flip, pos()], c


@row
def a_class_attribute():
    class C:
        k = 1.0

    c = C()
    change, shadow = lambda: setattr(C, "k", C.k + 1), lambda: setattr(c, "k", 9.0)
    return lambda x: x * c.k, [pos(), change, pos(), shadow, pos()], c


@row
def a_property():
    class C:
        n = 1

        @property
        def k(self):
            return self.n * 2.0

    c = C()
    return lambda x: x * c.k, [pos(), lambda: setattr(c, "n", c.n + 1), pos()], c


@row
def a_list_that_is_appended_to():
    items = [1.0]
    f = lambda x: x * sum(items)
    return f, [pos(), lambda: items.append(2.0), pos(), items.pop, pos()], items


@row
def a_list_that_grew_beyond_what_was_read():
    items = [1.0]
    grow = lambda: items.append(5.0)
    return lambda x: x * items[-1], [pos(), grow, pos(), grow, pos()], items


@row
def a_list_of_tensors():
    items = [vec(1, 1, 1)]
    f = lambda x: x + torch.stack(items).sum(0)
    return f, [pos(), lambda: items.append(vec(2, 2, 2)), pos()], items


@row
def a_dict_of_tensors():
    bag = {"a": vec(1, 1, 1)}
    swap = lambda: bag.update(a=bag["a"] + 1)
    f = lambda x: sum((x * v for v in bag.values()), x)
    return f, [pos(), swap, pos(), lambda: bag.update(b=vec(2, 0, 1)), pos()], bag


@row
def a_set_that_grows():
    names = {"a"}
    f = lambda x: x * len(names)
    return f, [pos(), lambda: names.add(str(len(names))), pos()], names


@row
def a_deque_and_a_counter():
    last, count = collections.deque(maxlen=2), collections.Counter()

    def f(x, k):
        last.append(k)
        count[k] += 1
        return x * sum(last) + count[k]

    return f, [(vec(1, 2), k) for k in (1.0, 2.0, 2.0, 1.0)], list(last), count


@row
def a_default_dict():
    bag = collections.defaultdict(lambda: 1.0)

    def f(x, key):
        bag[key] *= 2
        return x * bag[key]

    return f, [(vec(1, 2), k) for k in "aabca"], bag


@row
def a_captured_tensor_rebound():
    w = vec(1, 1, 1)

    def f(x):
        return x * w

    def change():
        nonlocal w
        w = w + 1

    return f, [pos(), change, pos(), change, pos()]


@row
def a_captured_tensor_of_another_kind():
    c = Box(w=vec(1, 1, 1))

    def change():
        c.w = c.w.double() if c.w.dtype is torch.float32 else vec(2)

    return lambda x: x * c.w, [pos(), change, pos(), change, pos()], c


@row
def a_numpy_array_that_was_captured():
    a = np.array([1.0, 2.0, 3.0], np.float32)
    up = lambda: a.__iadd__(1)
    return lambda x: x * torch.from_numpy(a), [pos(), up, pos(), up, pos()], a


@row
def a_numpy_array_read_as_numbers():
    a = np.array([1.0, 2.0, 3.0])
    up = lambda: a.__setitem__(1, a[1] + 1)
    return lambda x: x * float(a[1]) + a.sum(), [pos(), up, pos()], a


@row
def a_numpy_array_copied_by_tensor():
    a = np.array([1.0, 2.0, 3.0], np.float32)
    return lambda x: x + torch.tensor(a), [pos(), lambda: a.__imul__(2), pos()], a


@row
def a_numpy_argument():
    f = lambda x, a: x * torch.as_tensor(a)
    arrays = [np.float32([1, 2, 3]), np.float32([3, 2, 1]), np.array([1, 2, 3])]
    return f, [(vec(1, 2, 3), a) for a in arrays + arrays]


@row
def a_memory_shared_with_numpy():
    a = np.ones(3, np.float32)
    w = torch.from_numpy(a)
    return lambda x: w.add_(x) * 1, [pos(), lambda: a.fill(0), pos()], a


@row
def comprehension_scopes():
    k = 5

    def f(x, n):
        ks = [k * j for j in range(n) for k in range(j)]
        return x * k + sum(ks)

    return f, [(vec(1, 2), n) for n in (2, 3, 2, 4)]


@row
def lambdas_that_close_late():
    def f(x, n):
        late = [lambda y: y * k for k in range(n)]
        early = [lambda y, k=k: y * k for k in range(n)]
        return sum(g(x) for g in late), sum(g(x) for g in early)

    return f, [(vec(1, 2), n) for n in (2, 3, 2)]


@row
def a_string_made_of_numbers():
    f = lambda x, k: (x + k, f"{k:.2f} {x.shape[0]} {x.sum().item():.1f}")
    return varied(f, 0.5, 0.25, 3)


@row
def identity_of_small_things():
    a, b = vec(1, 2), vec(1, 2)

    def f(x, y):
        return (x is y, x * 2 if x is y else y * 3)

    return f, [(a, a), (a, b), (b, b), (b, a)]


@row
def hashing_and_sorting():
    f = lambda x, ks: x * sorted(set(ks))[0] + hash(ks[0])
    return varied(f, (3, 1), (2, 2), (1.5, 7))


@row
def integer_division_and_remainder():
    return varied(lambda x, k: (x * (k // 3) + k % 3, divmod(k, 3)), 7, -7, 9, 7.5)


@row
def powers_of_python_numbers():
    return varied(lambda x, k: x**k + k**2, 2, 3, 0.5, -1, 2.0)
