"""Autocast: the table, the modes, and that a recorded program holds the casts."""

from __future__ import annotations

import threading
import warnings

import pytest
import tracefuse as tf
import tracefuse.nn.functional as F
from gpu_tools import gpu  # noqa: F401
from tracefuse.api.amp import modes
from tracefuse.api.amp.rules import RULES


def rand(*shape, dtype=None):
    return (tf.rand(*shape) * 0.5 + 0.25).to(dtype or tf.float32)


@pytest.fixture
def as_cuda(monkeypatch):
    """Tensors that count as lying on a GPU."""
    monkeypatch.setattr(modes, "device_type", lambda t: "cuda")
    tf.set_autocast_enabled("cuda", True)
    yield
    tf.set_autocast_enabled("cuda", False)


def test_products_in_the_lower_type_and_the_rest_as_it_was():
    a = rand(3, 3)
    with tf.autocast("cpu"):
        assert (a @ a).dtype is tf.bfloat16
        assert (a + a).dtype is tf.float32
        assert tf.relu(a @ a).dtype is tf.bfloat16
        assert F.mse_loss(a @ a, a).dtype is tf.float32
    assert (a @ a).dtype is tf.float32


def test_the_result_is_that_of_casts_written_out():
    x, w, b = rand(2, 3), rand(4, 3), rand(4)
    low = [t.to(tf.bfloat16) for t in (x, w, b)]
    with tf.autocast("cpu"):
        assert (F.linear(x, w, b) == F.linear(*low)).all()


def test_gradients_come_back_in_the_type_of_the_leaf():
    w = rand(3, 3).requires_grad_()
    with tf.autocast("cpu"):
        loss = F.mse_loss(w @ w, w)
    loss.backward()
    assert w.grad.dtype is tf.float32 and bool((w.grad != 0).all())


def test_float64_and_integers_are_left_alone():
    a, n = rand(2, 2, dtype=tf.float64), tf.ones(2, 2, dtype=tf.int64)
    with tf.autocast("cpu"):
        assert (a @ a).dtype is tf.float64
        assert (n @ n).dtype is tf.int64


def test_a_result_with_a_place_to_go_is_not_cast():
    a, out = rand(2, 2), tf.zeros(2, 2)
    with tf.autocast("cpu"):
        assert tf.mm(a, a, out=out).dtype is tf.float32
    assert (out == a @ a).all()


def test_float16_on_request_and_nested_modes():
    a = rand(2, 2)
    with tf.autocast("cpu", dtype=tf.float16):
        assert (a @ a).dtype is tf.float16
        with tf.autocast("cpu", enabled=False):
            assert (a @ a).dtype is tf.float32
            assert not tf.is_autocast_enabled("cpu")
        assert (a @ a).dtype is tf.float16
        assert tf.get_autocast_dtype("cpu") is tf.float16
    assert tf.get_autocast_dtype("cpu") is tf.bfloat16


def test_one_instance_may_be_entered_again_and_errors_leave_it():
    mode, a = tf.autocast("cpu"), rand(2, 2)
    with mode, mode:
        assert (a @ a).dtype is tf.bfloat16
    with pytest.raises(RuntimeError, match="multiplied"), mode:
        a @ rand(3, 3)
    assert not tf.is_autocast_enabled("cpu")
    assert (a @ a).dtype is tf.float32


def test_as_a_decorator():
    @tf.autocast("cpu")
    def product(a):
        """A product."""
        return a @ a

    assert product(rand(2, 2)).dtype is tf.bfloat16
    assert product.__name__ == "product" and product.__doc__ == "A product."


def test_modes_belong_to_threads():
    seen = []
    with tf.autocast("cpu"):
        run = threading.Thread(target=lambda: seen.append(rand(2, 2) @ rand(2, 2)))
        run.start()
        run.join()
    assert seen[0].dtype is tf.float32


def test_settings_by_function():
    a = rand(2, 2)
    tf.set_autocast_enabled("cpu", True)
    tf.set_autocast_dtype("cpu", tf.float16)
    try:
        assert (a @ a).dtype is tf.float16
        assert tf.is_autocast_cpu_enabled() and not tf.is_autocast_enabled()
    finally:
        tf.set_autocast_enabled("cpu", False)
        tf.set_autocast_cpu_dtype(tf.bfloat16)
    assert tf.get_autocast_gpu_dtype() is tf.float16
    tf.set_autocast_cache_enabled(False)
    assert not tf.is_autocast_cache_enabled()
    tf.set_autocast_cache_enabled(True)
    tf.clear_autocast_cache()
    assert tf.amp.is_autocast_available("cuda")
    assert not tf.amp.is_autocast_available("abacus")


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="of type `str`, got"):
        tf.autocast(tf.float16)
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'abacus'"):
        tf.autocast("abacus")
    with pytest.raises(TypeError, match="requires a callable, but got Tensor"):
        tf.autocast("cpu")(rand(2))
    with pytest.raises(TypeError, match="must be a dtype, not str"):
        tf.set_autocast_dtype("cpu", "half")
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype"):
        off = tf.autocast("cpu", dtype=tf.float32)
    with off:
        assert not tf.is_autocast_enabled("cpu")


def test_without_a_gpu_its_autocast_is_off(monkeypatch):
    assert tf.cuda  # a face imported while the name is patched would keep the patch
    monkeypatch.setattr(tf.api.cuda, "is_available", lambda: False)
    with pytest.warns(UserWarning, match="CUDA is not available"):
        mode = tf.cuda.amp.autocast()
    with mode:
        assert not tf.is_autocast_enabled()
    monkeypatch.setattr(tf.api.cuda, "is_available", lambda: True)
    with tf.cuda.amp.autocast():
        assert tf.is_autocast_enabled() and tf.get_autocast_dtype("cuda") is tf.float16
        assert (rand(2, 2) @ rand(2, 2)).dtype is tf.float32  # they lie on the CPU
    with tf.cpu.amp.autocast():
        assert (rand(2, 2) @ rand(2, 2)).dtype is tf.bfloat16


# -- what runs in which type on a GPU

CUDA = {
    "lower": [
        lambda x: x @ x,
        lambda x: tf.mv(x, x[0]),
        lambda x: tf.einsum("ij,jk", x, x),
        lambda x: F.conv1d(x[None], x[None]),
        lambda x: F.scaled_dot_product_attention(x, x, x),
    ],
    "wide": [
        *(tf.exp, tf.log, tf.rsqrt, tf.sum, tf.prod, tf.norm, F.softplus),
        lambda x: x**2,
        lambda x: 2**x,
        lambda x: 1 / x,
        lambda x: x.softmax(-1),
        lambda x: F.log_softmax(x, -1),
        lambda x: x.cumsum(0),
        lambda x: F.layer_norm(x, (4,)),
        lambda x: F.binary_cross_entropy_with_logits(x, x),
        lambda x: F.cross_entropy(x, tf.tensor([0, 1, 2, 3])),
    ],
    "same": [
        *(tf.relu, tf.sqrt, tf.mean, tf.exp2, tf.nansum, F.gelu, tf.Tensor.max),
        lambda x: x + x,
        lambda x: x / 2,
        lambda x: F.avg_pool1d(x, 2),
        lambda x: F.batch_norm(x, None, None, training=True),
    ],
}
EACH = [(kind, f) for kind, functions in CUDA.items() for f in functions]


@pytest.mark.parametrize(("kind", "f"), EACH)
def test_the_types_on_a_gpu(as_cuda, kind, f):
    for dtype in (tf.float32, tf.float16):
        expected = {"lower": tf.float16, "wide": tf.float32, "same": dtype}[kind]
        assert f(rand(4, 4, dtype=dtype)).dtype is expected


def test_the_widest_type_decides_for_some(as_cuda):
    low, wide = rand(4, dtype=tf.float16), rand(4)
    assert tf.dot(low, wide).dtype is tf.float32
    assert tf.dot(low, low).dtype is tf.float16
    assert tf.cat([low, wide]).dtype is tf.float32
    assert tf.addcmul(low, low, wide).dtype is tf.float32
    with pytest.raises(RuntimeError, match="Unexpected floating ScalarType"):
        tf.dot(low, rand(4, dtype=tf.bfloat16))


def test_cross_entropy_of_probabilities_is_refused(as_cuda):
    x = rand(4)
    with pytest.raises(RuntimeError, match="unsafe to autocast.*\n.*sigmoid layer"):
        F.binary_cross_entropy(x, x)
    with pytest.raises(RuntimeError, match="unsafe to autocast"):
        tf.nn.BCELoss()(x, x)


def test_what_a_listed_function_calls_is_not_cast_again(as_cuda):
    a = rand(4, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RULES["layer_norm"], "cuda", "apart")
        assert F.layer_norm(a.half(), (4,)).dtype is tf.float16


def test_on_a_gpu_its_own_column_counts(gpu):  # noqa: F811
    pytest.importorskip("triton")
    here, there = rand(2, 2), rand(2, 2).cuda()
    with tf.autocast("cuda"):
        assert (there @ there).dtype is tf.float16
        assert tf.exp(there.half()).dtype is tf.float32
        assert (here @ here).dtype is tf.float32
    with tf.autocast("cpu"):
        assert (there @ there).dtype is tf.float32


# -- recorded


def test_the_mode_is_part_of_the_key_of_a_compiled_call():
    @tf.jit
    def f(a):
        return a @ a

    a = rand(2, 2)
    for _ in range(3):
        assert f(a).dtype is tf.float32
        with tf.autocast("cpu"):
            assert f(a).dtype is tf.bfloat16
        with tf.autocast("cpu", dtype=tf.float16):
            assert f(a).dtype is tf.float16
    assert f.cache_info()["recordings"] == 3


def test_entered_inside_it_is_part_of_the_program():
    w = rand(3, 3).requires_grad_()

    def f(x):
        with tf.autocast("cpu"):
            y = tf.relu(x @ w)
            loss = F.mse_loss(y @ w, x)
        loss.backward()
        return loss, y

    step, x = tf.jit(f), rand(2, 3)
    expected = [*f(x), w.grad]
    for _ in range(3):
        w.grad = None
        assert_same([*step(x), w.grad], expected)
    assert step.cache_info()["recordings"] == 1
    assert str(step.lower(x).graph).count("dtype=bf16") >= 2


def assert_same(got, expected):
    for a, b in zip(got, expected):
        assert a.dtype is b.dtype
        assert tf.allclose(a.float(), b.float(), rtol=2e-2, atol=1e-3)


def test_a_function_that_leaves_another_mode_is_right_every_time():
    def f(a):
        y = a @ a
        tf.set_autocast_enabled("cpu", not tf.is_autocast_enabled("cpu"))
        return y

    g, a = tf.jit(f), rand(2, 2)
    try:
        types = [g(a).dtype for _ in range(4)]
    finally:
        tf.set_autocast_enabled("cpu", False)
    assert types == [tf.float32, tf.bfloat16] * 2


def test_left_open_it_is_seen_too():
    def f(a):
        tf.autocast("cpu").__enter__()
        return a @ a

    g, a = tf.jit(f), rand(2, 2)
    try:
        assert g(a).dtype is tf.bfloat16 and tf.is_autocast_enabled("cpu")
        assert g.cache_info()["paths"] == 0
    finally:
        tf.set_autocast_enabled("cpu", False)


def test_through_transforms_and_checkpoint():
    def f(a):
        with tf.autocast("cpu"):
            return F.mse_loss(a @ a, a)

    a = rand(2, 2)
    expected = tf.grad(f)(a)
    again = tf.utils.checkpoint.checkpoint if hasattr(tf.utils, "checkpoint") else None
    rows = tf.vmap(tf.grad(f))(tf.stack([a, a]))
    assert tf.allclose(rows[1], expected, rtol=2e-2)
    if again is not None:
        leaf = a.clone().requires_grad_()
        again(f, leaf, use_reentrant=False).backward()
        assert tf.allclose(leaf.grad, expected, rtol=2e-2)


def test_functions_of_ones_own():
    seen = []

    class Double(tf.autograd.Function):
        @staticmethod
        @tf.amp.custom_fwd(device_type="cpu", cast_inputs=tf.float32)
        def forward(ctx, x):
            seen.append((x.dtype, tf.is_autocast_enabled("cpu")))
            return x * 2

        @staticmethod
        @tf.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((g.dtype, tf.is_autocast_enabled("cpu")))
            return g * 2

    x = rand(2, dtype=tf.bfloat16).requires_grad_()
    with tf.autocast("cpu"):
        y = Double.apply(x)
    y.sum().backward()
    assert seen[0] == (tf.float32, False) and seen[1][1] is False
    assert Double.apply(x).dtype is tf.bfloat16
    with pytest.raises(ValueError, match="of type `str`"):
        tf.amp.custom_fwd(device_type=3)
    with pytest.raises(ValueError, match="of type `str`"):
        tf.amp.custom_bwd(device_type=3)


# -- beside PyTorch, on the CPU

BESIDE = {
    "matmul": lambda t, x: x @ x,
    "mv": lambda t, x: t.mv(x, x[0]),
    "addmm": lambda t, x: t.addmm(x, x, x),
    "addmv": lambda t, x: t.addmv(x[0], x, x[0]),
    "bmm": lambda t, x: t.bmm(x[None], x[None]),
    "outer": lambda t, x: t.outer(x[0], x[0]),
    "dot": lambda t, x: t.dot(x[0], x[0]),
    "tensordot": lambda t, x: t.tensordot(x, x, 1),
    "einsum": lambda t, x: t.einsum("ij,jk->ik", x, x),
    "linear": lambda t, x: t.nn.functional.linear(x, x),
    "bilinear": lambda t, x: t.nn.functional.bilinear(x, x, x[None]),
    "conv1d": lambda t, x: t.nn.functional.conv1d(x[None], x[None]),
    "conv_transpose1d": lambda t, x: t.nn.functional.conv_transpose1d(
        x[None], x[:, None]
    ),
    "prelu": lambda t, x: t.nn.functional.prelu(x, x[0, :1]),
    "attention": lambda t, x: t.nn.functional.scaled_dot_product_attention(
        x[None], x[None], x[None]
    ),
    "softmax": lambda t, x: x.softmax(-1),
    "sum": lambda t, x: x.sum(),
    "prod": lambda t, x: x.prod(),
    "exp": lambda t, x: x.exp(),
    "power": lambda t, x: x**2.5,
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, (4,)),
    "mse_loss": lambda t, x: t.nn.functional.mse_loss(x, x * 2),
    "cross_entropy": lambda t, x: t.nn.functional.cross_entropy(
        x, t.tensor([0, 1, 2, 3])
    ),
    "bce": lambda t, x: t.nn.functional.binary_cross_entropy(x, x),
    "cat": lambda t, x: t.cat([x, x.float()]),
    "trace": lambda t, x: t.trace(x),
    "max_pool3d": lambda t, x: t.nn.functional.max_pool3d(x[None, None], (1, 2, 2)),
}


@pytest.mark.parametrize("name", BESIDE)
def test_as_in_pytorch_on_the_cpu(name):
    torch = pytest.importorskip("torch")
    numbers = (tf.arange(16).float() * 0.05 + 0.1).reshape(4, 4).tolist()
    for dtype in ("float32", "bfloat16", "float64"):
        kinds = []
        for lib in (torch, tf):
            x = lib.tensor(numbers).to(getattr(lib, dtype))
            with warnings.catch_warnings(), lib.autocast("cpu"):
                warnings.simplefilter("ignore")
                y = BESIDE[name](lib, x)
            kinds.append((str(y.dtype).split(".")[-1], y.double().tolist()))
        (theirs, expected), (ours, got) = kinds
        assert ours == theirs
        assert tf.allclose(tf.tensor(got), tf.tensor(expected), rtol=3e-2, atol=1e-3)
