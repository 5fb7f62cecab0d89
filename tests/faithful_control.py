"""Control flow that data, sizes and Python decide."""

from __future__ import annotations

import contextlib

import tracefuse as torch
from faithful_rows import neg, pos, row, vec

BOTH = [pos(), neg(), pos(), (vec(0, 0, 0),), (vec(5, -1, 9),)]


@row(saved=True)
def a_branch():
    return lambda x: x * 2 if x.sum() > 0 else x - 1, BOTH


@row(saved=True)
def nested_branches():
    def f(x):
        if x.sum() > 0:
            if x[0] > 3:
                return x * 3
            return x * 2
        elif x.max() == 0:
            return x + 1
        return -x

    return f, BOTH


@row(saved=True)
def early_returns():
    def f(x):
        if x.min() < -2:
            return x.abs()
        y = x + 1
        if y.max() > 5:
            return y, x
        return y * 2

    return f, BOTH


@row(saved=True)
def short_circuits():
    f = lambda x: x * 2 if x[0] > 0 and x[1] > 0 or x.sum() == 0 else x / 2
    return f, BOTH


@row(saved=True)
def an_or_that_gives_a_tensor():
    return lambda x: x.sum() or x + 1, BOTH


@row(saved=True)
def a_chained_comparison():
    return lambda x: x if -1 < x.sum() < 7 else x * 2, BOTH


@row(saved=True)
def the_max_of_python():
    return lambda x: max(x[0], x[1], x[2]) * 2 + min(x), BOTH


@row(saved=True)
def an_assert():
    def f(x):
        assert x.sum() >= 0, "negative"
        return x * 2

    return f, BOTH


@row(saved=True)
def an_assert_with_a_computed_message():
    def f(x):
        assert x.sum() >= 0, f"{x.sum().item()} is negative"
        return x * 2

    return f, BOTH


@row(saved=True)
def the_item_in_an_expression():
    return lambda x: x * x.sum().item(), BOTH


@row(saved=True)
def the_item_returned():
    return lambda x: (x.sum().item(), int(x[0]), bool(x[1] > 0), float(x[2])), BOTH


@row(saved="has no recording to save")
def tolist_in_an_expression():
    return lambda x: x * sum(v for v in x.tolist() if v > 0), BOTH


@row(saved=True)
def a_loop_over_the_rows():
    def f(x):
        total = torch.zeros(())
        for v in x:
            total = total * 2 + v
        return total

    return f, BOTH


@row(saved=True)
def a_loop_with_break_and_else():
    def f(x):
        for i, v in enumerate(x):  # noqa: B007
            if v > 2:
                break
        else:
            return x - 1, -1
        return x + v, i

    return f, BOTH


@row(saved=True)
def a_loop_with_continue():
    def f(x):
        y = torch.zeros(())
        for v in x:
            if v < 0:
                continue
            y = y + v
        return y

    return f, BOTH


@row(saved=True)
def a_while_loop():
    def f(x, most):
        n = 0
        while x.norm() < most:
            x, n = x * 2, n + 1
        return x, n

    return f, [(vec(1, 2), m) for m in (10.0, 100.0, 1.0, 10.0)]


@row(saved=True)
def a_range_of_a_tensor():
    def f(x, n):
        for i in range(n):
            x = x + i
        return x

    return f, [(vec(1, 2), torch.tensor(n)) for n in (2, 3, 0, 2)]


@row(saved=True)
def an_index_by_a_tensor():
    words = ["a", "b", "c"]
    return lambda x: (words[x.argmax()], x * 2), BOTH


@row(saved=True)
def a_key_by_a_number_of_a_tensor():
    table = {1: "one", 5: "five"}
    return lambda x: (x * 2, table[int(x[0])]), BOTH


@row(saved=True)
def try_and_except_by_value():
    def f(x):
        try:
            return x / (1 / x.sum().item())
        except ZeroDivisionError:
            return x + 100

    return f, BOTH


@row(saved=True)
def an_exception_caught_inside():
    def f(x):
        try:
            if x.sum() < 0:
                raise ValueError(x.sum().item())
            y = x + 1
        except ValueError as error:
            y = x * error.args[0]
        else:
            y = y * 2
        finally:
            y = y + 0.5
        return y

    return f, BOTH


@row(saved=True)
def a_bad_shape_caught_inside():
    def f(x, y):
        try:
            return x + y
        except RuntimeError:
            return x * 2

    return f, [(vec(1, 2), vec(1, 2)), (vec(1, 2), vec(1, 2, 3)), (vec(1), vec(1, 2))]


@row(saved=True)
def a_generator_of_pieces():
    def pieces(x):
        while x.sum() > 1:
            x = x / 2
            yield x

    return lambda x: list(pieces(x)), BOTH


@row(saved=True)
def a_comprehension_with_a_condition():
    return lambda x: [v * 2 for v in x if v > 0], BOTH


@row(saved=True)
def any_and_all():
    f = lambda x: (any(v > 4 for v in x), all(v > -2 for v in x), x * 2)
    return f, BOTH


@row(saved=True)
def sorting_by_value():
    return lambda x: sorted(x, key=lambda v: -v), BOTH


@row(saved=True)
def a_sum_that_skips():
    return lambda x: sum(v if v > 0 else -v for v in x), BOTH


@row(saved=True)
def a_walrus():
    f = lambda x: x * s if (s := x.sum()) > 0 else x - s
    return f, BOTH


@row(saved=True)
def equality_of_tensors():
    f = lambda x, y: x + 1 if torch.equal(x, y) else y
    return f, [(vec(1, 2), vec(1, 2)), (vec(1, 2), vec(2, 1)), (vec(1), vec(1, 2))]


@row(saved=True)
def allclose_decides():
    f = lambda x, y: x if torch.allclose(x, y, atol=0.1) else y * 2
    return f, [(vec(1, 2), vec(1, 2.05)), (vec(1, 2), vec(1, 3))]


@row(saved="has no recording to save")
def membership():
    return lambda x: (1.0 in x, x * 2 if 5 in x.tolist() else x), BOTH


@row(saved="has no recording to save")
def the_number_of_hits():
    return lambda x: (x[x > 0], len(x[x > 0]), (x > 0).nonzero().shape[0]), BOTH


@row(saved="has no recording to save")
def unique_values():
    f = lambda x: x.unique().shape[0] * x
    return f, [(vec(1, 1, 2),), (vec(1, 2, 3),), (vec(1, 1, 1),), (vec(1, 1, 2),)]


@row(saved=True)
def nan_takes_no_branch():
    f = lambda x: "more" if x.sum() > 0 else "less" if x.sum() <= 0 else "neither"
    return f, [pos(), (vec(float("nan"), 1),), neg()]


@row(saved=True)
def a_branch_with_a_context():
    def f(x):
        with contextlib.suppress(KeyError):
            if x.sum() < 0:
                raise KeyError
            x = x * 2
        return x + 1

    return f, BOTH


@row(saved=True)
def a_branch_on_the_gradient_needed():
    f = lambda x: x * 2 if x.requires_grad else x * 3
    v = vec(1, 2).requires_grad_()
    return f, [pos(), (v,), pos(), (v,)]


@row(saved=True)
def a_branch_on_the_dtype():
    f = lambda x: x / 2 if x.is_floating_point() else x // 2
    return f, [pos(), (torch.tensor([3, 4]),), (vec(1).double(),), pos()]


@row(saved=True)
def where_is_not_a_branch():
    f = lambda x: torch.where(x > 0, x.clamp(min=0.5).log(), x * 0)
    return f, BOTH


@row(saved="has no recording to save")
def printing_needs_the_values():
    return lambda x: (str(x * 2), repr(x.shape), f"{x[0]:.1f}"), BOTH


@row(saved=True)
def the_branch_of_a_loop_at_every_turn():
    def f(x):
        for _ in range(4):
            x = x * 2 if x.sum() < 10 else x - 5
        return x

    return f, BOTH
