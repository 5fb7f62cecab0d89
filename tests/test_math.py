"""The public mathematics against NumPy and known values."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import tracefuse as tf
from math_calls import CALLS, ERRORS, arrays

A = arrays()


def check(ours, expected, bound: float = 1e-6) -> None:
    expected = np.asarray(expected)
    assert tuple(ours.shape) == expected.shape
    np.testing.assert_allclose(ours.detach().double().numpy(), expected, bound, bound)


@pytest.mark.parametrize("text", CALLS)
def test_every_call_answers(text):
    """No call of the table raises, whatever PyTorch thinks (test_against_torch.py)."""
    eval(text, {"torch": tf, **{name: tf.tensor(array) for name, array in A.items()}})


@pytest.mark.parametrize("text", CALLS[::3])
def test_recorded_equals_eager(text):
    names = {name: tf.tensor(array) for name, array in A.items()}
    used = sorted(names.keys() & set(re.findall(r"\b\w+\b", text)))
    f = eval(f"lambda {', '.join(used)}: {text}", {"torch": tf})
    given = [names[name] for name in used]
    eager, recorded = leaves(f(*given)), leaves(tf.jit(f)(*given))
    assert len(eager) == len(recorded)
    for one, two in zip(eager, recorded):
        assert one.dtype is two.dtype
        bound = 1e-2 if one.dtype in (tf.float16, tf.bfloat16) else 2e-5
        check(two, one.detach().double().numpy(), bound)


def leaves(result) -> list:
    """The tensors of a result."""
    parts = result if isinstance(result, tuple) else (result,)
    return [part for part in parts if isinstance(part, tf.Tensor)]


@pytest.mark.parametrize("text", ERRORS)
def test_every_error_raises(text):
    names = {name: tf.tensor(array) for name, array in A.items()}
    with pytest.raises((RuntimeError, TypeError, IndexError, NotImplementedError)) as e:
        eval(text, {"torch": tf, **names})
    assert str(e.value)


# -- elementwise


@pytest.mark.parametrize(
    "name",
    """exp expm1 exp2 log log2 log10 log1p sqrt sin cos tan sinh cosh tanh
    square""".split(),
)
def test_functions_that_numpy_has(name):
    check(getattr(tf, name)(tf.tensor(A["p"])), getattr(np, name)(A["p"]), 1e-5)


@pytest.mark.parametrize("name", "sin cos tan sinh tanh".split())
def test_inverses(name):
    x = np.linspace(0.1, 0.9, 5)
    for arc in ("a" + name, "arc" + name):
        check(getattr(tf, arc)(getattr(tf, name)(tf.tensor(x))), x, 1e-12)


@pytest.mark.parametrize("x", [-3e38, -1e10, -1e-10, 0.0, 1e-30, 1e9, 3e38])
def test_asinh_over_the_whole_range(x):
    check(tf.asinh(tf.tensor([x])), [math.asinh(np.float32(x))], 1e-6)


def test_logarithms_of_powers_are_whole():
    n = np.arange(-100, 101)
    assert np.array_equal(tf.log2(tf.tensor(2.0 ** np.float32(n))).numpy(), n)
    n = np.arange(-30, 31)
    assert np.array_equal(tf.log10(tf.tensor(10.0**n)).numpy(), n)


def test_sigmoid_keeps_both_tails():
    x = np.array([-90.0, -20, 0, 20, 90])
    check(tf.sigmoid(tf.tensor(x)) / tf.tensor(np.exp(x) / (1 + np.exp(x))), [1.0] * 5)
    y = tf.sigmoid(tf.tensor([-60.0]))
    assert abs(float(y[0]) / math.exp(-60) - 1) < 1e-5


@pytest.mark.parametrize("a, b", [(7, 3), (7, -3), (-7, 3), (-7, -3)])
def test_the_four_divisions(a, b):
    a, b = tf.tensor([a]), tf.tensor([b])
    x, y = int(a[0]), int(b[0])
    assert int(tf.div(a, b, rounding_mode="floor")[0]) == x // y
    assert int(tf.div(a, b, rounding_mode="trunc")[0]) == int(x / y)
    assert int(tf.remainder(a, b)[0]) == x % y
    assert int(tf.fmod(a, b)[0]) == int(math.fmod(x, y))


def test_half_types_round_once():
    x = tf.tensor(A["h"])
    assert tf.sigmoid(x).dtype is tf.float16
    check(tf.sigmoid(x), (1 / (1 + np.exp(-A["h"].astype("f4")))).astype("f2"))
    check(tf.full((4000,), 30.0, dtype=tf.float16).mean(), 30.0)


def test_comparison_with_nan():
    x = tf.tensor([math.nan, 1.0])
    assert (x == x).tolist() == [False, True]
    assert tf.fmax(x, tf.tensor([2.0, math.nan])).tolist() == [2.0, 1.0]
    assert math.isnan(float(tf.maximum(x, tf.tensor(2.0))[0]))


# -- reductions


@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (1, -1)])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "amax", "amin", "std", "var"])
def test_reductions(name, dim, keepdim):
    numpy_name = {"amax": "max", "amin": "min"}.get(name, name)
    more = {"ddof": 1} if name in ("std", "var") else {}
    expected = getattr(A["a"], numpy_name)(axis=dim, keepdims=keepdim, **more)
    given = () if dim is None and name in ("amax", "amin") else dim
    check(getattr(tf, name)(tf.tensor(A["a"]), given, keepdim=keepdim), expected, 1e-5)


def test_sums_of_integers_are_int64():
    for name in ("u", "i", "m", "k"):
        assert tf.tensor(A[name]).sum().dtype is tf.int64
        assert int(tf.tensor(A[name]).sum()) == A[name].sum()


def test_empty_reductions():
    e = tf.zeros(0, 3)
    assert e.sum(0).tolist() == [0, 0, 0] and e.prod().item() == 1
    assert e.all().item() is True and e.any().item() is False
    assert math.isnan(e.mean().item()) and e.norm().item() == 0


def test_extrema_name_their_parts():
    x = tf.tensor([[1.0, 9.0], [8.0, 2.0]])
    values, indices = x.max(dim=0)
    assert values.tolist() == [8.0, 9.0] and indices.tolist() == [1, 0]
    assert x.min(1).values.tolist() == [1.0, 2.0]
    assert x.argmax().item() == 1 and x.argmin(0).tolist() == [0, 1]


def test_dimension_out_of_range_says_the_range():
    text = r"expected to be in range of \[-2, 1\], but got 5"
    for call in ("sum", "max", "cumsum", "softmax", "sort", "argmax", "norm"):
        with pytest.raises(IndexError, match=text):
            getattr(tf.ones(2, 3), call)(dim=5)


def test_softmax_of_large_numbers():
    x = tf.tensor([[1000.0, 1001.0]])
    check(x.softmax(1), [[1 / (1 + math.e), math.e / (1 + math.e)]])
    check(x.log_softmax(1).exp(), x.softmax(1).numpy())
    check(tf.logsumexp(x, 1), [1001 + math.log1p(1 / math.e)])
    assert tf.tensor([-math.inf, -math.inf]).logsumexp(0).item() == -math.inf
    assert tf.zeros(0, 2).logsumexp(0).tolist() == [-math.inf] * 2


# -- products


@pytest.mark.parametrize("pair", "vv xv vw xw aw ab av xb vb".split())
def test_matmul_follows_numpy(pair):
    one, two = pair
    check(tf.tensor(A[one]) @ tf.tensor(A[two]), A[one] @ A[two], 1e-5)


EQUATIONS = [
    *("ij,jk->ik ij jk", "ij,jk ij jk", "ii ii", "ii->i ii", "ij-> ij", "ij->ji ij"),
    *("i,j i j", "bij,bjk->bik bij bjk", "ij,ij->i ij ij", "ij,jk,kl->il ij jk kl"),
    *("b...,b...->... bij bij", "...ij,jk bij jk", "ijk,ilm,njm,nlk-> ijk ilm njm nlk"),
    *("bhqd,bhkd->bhqk bhqd bhkd", "a,a,a-> a a a", "ab,cd->dbca ab cd"),
]


@pytest.mark.parametrize("case", EQUATIONS)
def test_einsum_follows_numpy(case):
    rng, sizes = np.random.default_rng(0), {}
    equation, *rows = case.split()
    for letter in "".join(rows):
        sizes.setdefault(letter, len(sizes) % 3 + 2)
    arrays = [rng.normal(size=[sizes[n] for n in row]) for row in rows]
    check(
        tf.einsum(equation, *map(tf.tensor, arrays)), np.einsum(equation, *arrays), 1e-9
    )


def test_misfits_name_both_shapes():
    with pytest.raises(RuntimeError, match=r"cannot be multiplied \(2x3 and 4x5\)"):
        tf.ones(2, 3) @ tf.ones(4, 5)
    with pytest.raises(RuntimeError, match="float32 != .*int64"):
        tf.ones(2, 2) @ tf.ones(2, 2, dtype=tf.int64)


@pytest.mark.parametrize("k", [-4, -1, 0, 2, 4])
def test_triangles_and_diagonals(k):
    x, t = A["x"], tf.tensor(A["x"])
    check(t.tril(k), np.tril(x, k))
    check(t.triu(k), np.triu(x, k))
    check(t.diagonal(k), np.diagonal(x, k))
    check(tf.diag(tf.tensor(A["v"]), k), np.diag(A["v"], k))


def test_a_diagonal_is_a_view():
    x = tf.zeros(3, 3)
    x.diagonal().fill_(1)
    assert x.tolist() == np.eye(3).tolist()


# -- order and numbers


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable(dim, descending):
    n = np.random.default_rng(1).integers(0, 3, (5, 6))
    values, indices = tf.tensor(n).sort(dim, descending=descending)
    key = -n if descending else n
    expected = np.argsort(key, dim, kind="stable")
    check(indices, expected)
    check(values, np.take_along_axis(n, expected, dim))


def test_topk_and_the_middle():
    x = tf.tensor([5.0, 1.0, 4.0, 2.0])
    assert x.topk(2).values.tolist() == [5.0, 4.0]
    assert x.topk(2, largest=False).indices.tolist() == [1, 3]
    assert x.median().item() == 2.0 and x.kthvalue(3).values.item() == 4.0
    q = tf.tensor([0.0, 0.3, 1.0])
    check(tf.quantile(x, q), np.quantile(x.numpy(), q.numpy()))


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter_are_inverse(dim):
    x = tf.tensor(A["a"])
    order = x.argsort(dim)
    check(tf.gather(x, dim, order), np.sort(A["a"], dim))
    check(tf.zeros_like(x).scatter(dim, order, x.gather(dim, order)), A["a"])
    check(x.index_select(dim, tf.tensor([1, 0])), np.take(A["a"], [1, 0], dim))


def test_repeats_add_up():
    index = tf.tensor([0, 0, 2])
    assert tf.zeros(3).index_add(0, index, tf.ones(3)).tolist() == [2, 0, 1]
    assert tf.zeros(3).scatter_add(0, index, tf.ones(3)).tolist() == [2, 0, 1]
    assert tf.bincount(index, minlength=4).tolist() == [2, 0, 1, 0]


def test_sizes_that_data_decide():
    x = tf.tensor([3, 0, 3, 1])
    assert x.nonzero().tolist() == [[0], [2], [3]]
    assert tf.masked_select(x, x > 0).tolist() == [3, 3, 1]
    values, inverse, counts = tf.unique(x, return_inverse=True, return_counts=True)
    assert values[inverse].tolist() == x.tolist() and counts.tolist() == [1, 1, 2]


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9])
def test_searchsorted(n, right):
    rng = np.random.default_rng(n)
    line, x = np.sort(rng.integers(0, 6, n)), rng.integers(-1, 8, 20)
    expected = np.searchsorted(line, x, "right" if right else "left")
    check(tf.searchsorted(tf.tensor(line), tf.tensor(x), right=right), expected)


# -- slopes at edges


def slope(function, *at: float) -> list:
    x = tf.tensor(at, requires_grad=True)
    function(x).sum().backward()
    return x.grad.tolist()


def test_slopes_at_kinks():
    assert slope(tf.relu, 0.0, 1.0) == [0, 1]
    assert slope(tf.abs, 0.0, -2.0) == [0, -1]
    assert slope(lambda x: x.clamp(0, 1), 0.0, 1.0, 2.0) == [1, 1, 0]
    assert slope(tf.norm, 0.0, 0.0) == [0, 0]
    assert slope(tf.std, 1.0, 1.0) == [0, 0]
    assert slope(lambda x: x.amax(), 3.0, 3.0) == [0.5, 0.5]
    assert slope(lambda x: x.max(0).values, 3.0, 3.0) == [1, 0]
    assert slope(tf.sigmoid, 0.0, -200.0, 200.0) == [0.25, 0, 0]
    assert slope(lambda x: x.min(), 3.0, 3.0, 4.0) == [0.5, 0.5, 0]
