"""Values outside the function that change: cells, globals, attributes, lists."""

from __future__ import annotations

import collections
import types

import numpy as np
import tracefuse as torch
from faithful_rows import Box, pos, row, varied, vec


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
        k = {1: 2, 2: 2.5}.get(k, 1)

    return f, [pos(), change, pos(), change, pos()]


SCALE = 1.0


@row
def a_global():
    def change():
        globals()["SCALE"] += 1

    def reset():
        globals()["SCALE"] = 1.0

    return lambda x: x * SCALE, [reset, pos(), change, pos(), change, pos()]


@row()
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


@row()
def a_shadowed_builtin():
    scope = {"torch": torch}
    exec("def f(x):\n    return x * len(x)", scope)
    set_len = lambda: scope.update(len=lambda x: 100)
    return scope["f"], [pos(), set_len, pos(), lambda: scope.pop("len"), pos()]


@row(saved="has no recording to save")
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


@row(saved="has no recording to save")
def a_deque_and_a_counter():
    last, count = collections.deque(maxlen=2), collections.Counter()

    def f(x, k):
        last.append(k)
        count[k] += 1
        return x * sum(last) + count[k]

    return f, [(vec(1, 2), k) for k in (1.0, 2.0, 2.0, 1.0)], list(last), count


@row(saved="has no recording to save")
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


@row(saved="has no recording to save")
def a_numpy_argument():
    f = lambda x, a: x * torch.as_tensor(a)
    arrays = [np.float32([1, 2, 3]), np.float32([3, 2, 1]), np.array([1, 2, 3])]
    return f, [(vec(1, 2, 3), a) for a in arrays + arrays]


@row
def a_memory_shared_with_numpy():
    a = np.ones(3, np.float32)
    w = torch.from_numpy(a)
    return lambda x: w.add_(x) * 1, [pos(), lambda: a.fill(0), pos()], a


@row(saved=True)
def comprehension_scopes():
    k = 5

    def f(x, n):
        ks = [k * j for j in range(n) for k in range(j)]
        return x * k + sum(ks)

    return f, [(vec(1, 2), n) for n in (2, 3, 2, 4)]


@row(saved=True)
def lambdas_that_close_late():
    def f(x, n):
        late = [lambda y: y * k for k in range(n)]  # noqa: B023
        early = [lambda y, k=k: y * k for k in range(n)]
        return sum(g(x) for g in late), sum(g(x) for g in early)

    return f, [(vec(1, 2), n) for n in (2, 3, 2)]


@row(saved=True)
def a_string_made_of_numbers():
    f = lambda x, k: (x + k, f"{k:.2f} {x.shape[0]} {x.sum().item():.1f}")
    return varied(f, 0.5, 0.25, 3)


@row(saved=True)
def identity_of_small_things():
    a, b = vec(1, 2), vec(1, 2)

    def f(x, y):
        return (x is y, x * 2 if x is y else y * 3)

    return f, [(a, a), (a, b), (b, b), (b, a)]


@row(saved=True)
def hashing_and_sorting():
    f = lambda x, ks: x * sorted(set(ks))[0] + hash(ks[0])
    return varied(f, (3, 1), (2, 2), (1.5, 7))


@row(saved=True)
def integer_division_and_remainder():
    return varied(lambda x, k: (x * (k // 3) + k % 3, divmod(k, 3)), 7, -7, 9, 7.5)


@row(saved=True)
def powers_of_python_numbers():
    return varied(lambda x, k: x**k + k**2, 2, 3, 0.5, -1, 2.0)
