"""Every layer function beside PyTorch's: values, and gradients of all inputs."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse as tf
import tracefuse.nn.functional as F

torch = pytest.importorskip("torch")
TF = torch.nn.functional
RNG = np.random.default_rng(0)


def rnd(*shape, scale=2.0):
    return np.asarray(RNG.standard_normal(shape) * scale, np.float32)


def classes(n, *shape):
    return RNG.integers(0, n, shape)


def prob(*shape):
    return RNG.uniform(0.02, 0.98, shape).astype(np.float32)


KINKS = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 30, -30, 2.5], np.float32)


def case(name, *args, id=None, **kwargs):
    shown = ",".join(f"{k}={v}" for k, v in kwargs.items() if np.isscalar(v))
    return pytest.param(name, args, kwargs, id=id or f"{name}({shown})")


def activations():
    for name in (
        "relu relu6 leaky_relu elu selu celu gelu silu mish softplus hardtanh "
        "hardswish hardsigmoid sigmoid tanh logsigmoid softsign tanhshrink "
        "hardshrink softshrink"
    ).split():
        yield case(name, KINKS, id=f"{name}-kinks")
        yield case(name, rnd(3, 4))
    yield case("leaky_relu", KINKS, negative_slope=0.2)
    yield case("elu", KINKS, alpha=0.7)
    yield case("celu", KINKS, alpha=0.7)
    yield case("gelu", KINKS, approximate="tanh")
    yield case("softplus", KINKS, beta=2.0, threshold=3.0)
    yield case("hardtanh", KINKS, min_val=-0.5, max_val=2.5)
    yield case("threshold", KINKS, threshold=0.5, value=20.0)
    for name in ("softmax", "log_softmax", "softmin"):
        yield case(name, rnd(3, 4, 5), dim=1)
        yield case(name, rnd(3, 4) * 100, dim=-1)
    yield case("glu", rnd(3, 4), dim=-1)
    yield case("glu", rnd(4, 3), dim=0)
    yield case("prelu", rnd(2, 3, 4), rnd(3))
    yield case("prelu", KINKS, rnd(1))


def convolutions():
    x, w, b = rnd(2, 4, 7, 8), rnd(6, 4, 3, 2), rnd(6)
    yield case("conv2d", x, w, b)
    yield case("conv2d", x, w, b, stride=2)
    yield case("conv2d", x, w, None, stride=(2, 1), padding=(1, 2))
    yield case("conv2d", x, w, b, padding="same")
    yield case("conv2d", x, w, b, padding="valid", dilation=2)
    yield case("conv2d", x, w, b, padding="same", dilation=(2, 3))
    yield case("conv2d", x, rnd(6, 2, 3, 3), b, groups=2, padding=1)
    yield case("conv2d", x, rnd(8, 1, 3, 3), None, groups=4, stride=2)
    yield case("conv2d", x, rnd(6, 4, 1, 1), b)
    yield case("conv2d", rnd(4, 7, 8), w, b, id="conv2d-unbatched")
    yield case("conv1d", rnd(2, 3, 9), rnd(5, 3, 3), rnd(5), stride=2, padding=1)
    yield case("conv1d", rnd(3, 9), rnd(5, 3, 4), id="conv1d-unbatched")
    yield case("conv3d", rnd(2, 2, 4, 5, 6), rnd(3, 2, 2, 3, 2), rnd(3), padding=1)
    y, v = rnd(2, 4, 4, 5), rnd(4, 3, 3, 2)
    yield case("conv_transpose2d", y, v, rnd(3))
    yield case("conv_transpose2d", y, v, stride=2, padding=1, output_padding=1)
    yield case("conv_transpose2d", y, v, stride=(2, 3), dilation=2)
    yield case("conv_transpose2d", y, rnd(4, 2, 3, 3), rnd(4), groups=2, stride=2)
    yield case("conv_transpose1d", rnd(2, 3, 5), rnd(3, 4, 3), rnd(4), stride=2)
    yield case("conv_transpose1d", rnd(3, 5), rnd(3, 4, 3), id="transpose-unbatched")


def pools():
    x, ties = rnd(2, 3, 8, 7), RNG.integers(0, 3, (2, 3, 8, 8)).astype(np.float32)
    yield case("max_pool2d", x, kernel_size=2)
    yield case("max_pool2d", ties, kernel_size=2, id="max_pool2d-ties")
    yield case(
        "max_pool2d", ties, kernel_size=3, stride=2, padding=1, id="ties-overlap"
    )
    yield case("max_pool2d", x, kernel_size=3, stride=2, ceil_mode=True)
    yield case(
        "max_pool2d", x, kernel_size=(3, 2), stride=(2, 1), padding=1, dilation=1
    )
    yield case("max_pool2d", x, kernel_size=2, dilation=2)
    yield case("max_pool2d", x, kernel_size=2, padding=1, ceil_mode=True, stride=3)
    yield case("max_pool1d", rnd(2, 3, 9), kernel_size=3, stride=2)
    yield case("max_pool1d", rnd(3, 9), kernel_size=2, id="max_pool1d-unbatched")
    yield case("max_pool3d", rnd(2, 2, 4, 5, 6), kernel_size=2)
    yield case("avg_pool2d", x, kernel_size=2)
    yield case("avg_pool2d", x, kernel_size=3, stride=2, padding=1)
    options = dict(kernel_size=3, stride=2, padding=1, count_include_pad=False)
    yield case("avg_pool2d", x, **options)
    yield case("avg_pool2d", x, **options, ceil_mode=True)
    yield case("avg_pool2d", x, kernel_size=3, stride=2, padding=1, ceil_mode=True)
    yield case("avg_pool2d", x, kernel_size=2, divisor_override=3)
    yield case("avg_pool1d", rnd(2, 3, 9), kernel_size=4, stride=2, ceil_mode=True)
    yield case("adaptive_avg_pool2d", x, output_size=1)
    yield case("adaptive_avg_pool2d", x, output_size=(3, None))
    yield case("adaptive_avg_pool2d", x, output_size=(4, 5))
    yield case("adaptive_avg_pool1d", rnd(2, 3, 9), output_size=4)
    yield case("adaptive_max_pool2d", x, output_size=(3, 2))


def norms():
    x, w, b = rnd(4, 6, 5), rnd(5), rnd(5)
    yield case("layer_norm", x, (5,), w, b)
    yield case("layer_norm", x, (6, 5))
    yield case("rms_norm", x, (5,), w)
    yield case("rms_norm", x, (6, 5), eps=1e-3)
    yield case("group_norm", rnd(2, 6, 4, 3), 3, rnd(6), rnd(6))
    yield case("group_norm", rnd(3, 6), 2)
    yield case("instance_norm", rnd(2, 3, 4, 5), weight=rnd(3), bias=rnd(3))
    yield case("normalize", x, id="normalize")
    yield case("normalize", x, p=1.0, dim=-1)
    stats = (rnd(6), prob(6))
    yield case("batch_norm", rnd(3, 6, 4), *stats, rnd(6), rnd(6), id="batch_norm-eval")
    yield case("batch_norm", rnd(3, 6), None, None, rnd(6), rnd(6), training=True)


def losses():
    x, y = rnd(5, 4), classes(4, 5)
    for reduction in ("mean", "sum", "none"):
        options = dict(reduction=reduction)
        yield case("cross_entropy", x, y, **options)
        yield case(
            "cross_entropy", x, y, prob(4), **options, id=f"ce-weight-{reduction}"
        )
        yield case("cross_entropy", x, y, **options, label_smoothing=0.2)
        yield case("cross_entropy", x, y, prob(4), **options, label_smoothing=0.2)
        yield case("cross_entropy", x, prob(5, 4), **options, id=f"ce-prob-{reduction}")
        smooth = dict(label_smoothing=0.1)
        yield case("cross_entropy", x, prob(5, 4), prob(4), **options, **smooth)
        yield case("cross_entropy", x, y, ignore_index=int(y[0]), **options)
        both = dict(ignore_index=int(y[0]), label_smoothing=0.3)
        yield case("cross_entropy", x, y, prob(4), **both, **options)
        yield case("cross_entropy", rnd(2, 3, 4, 2), classes(3, 2, 4, 2), **options)
        yield case("nll_loss", x, y, **options)
        yield case("nll_loss", rnd(2, 3, 4), classes(3, 2, 4), prob(3), **options)
        yield case("mse_loss", x, rnd(5, 4), **options)
        yield case("l1_loss", x, rnd(5, 4), **options)
        yield case("smooth_l1_loss", x, rnd(5, 4), beta=0.7, **options)
        yield case("huber_loss", x, rnd(5, 4), delta=0.7, **options)
        yield case("binary_cross_entropy", prob(5, 4), prob(5, 4), **options)
        logits = "binary_cross_entropy_with_logits"
        yield case(logits, x * 10, prob(5, 4), prob(4), **options)
        yield case(logits, x, prob(5, 4), pos_weight=prob(4), **options)
        yield case("poisson_nll_loss", x, prob(5, 4) * 5, full=True, **options)
        yield case("gaussian_nll_loss", x, rnd(5, 4), prob(5, 4), full=True, **options)
        sign = np.sign(rnd(5)).astype(np.float32)
        yield case("margin_ranking_loss", rnd(5), rnd(5), sign, margin=0.3, **options)
        yield case("hinge_embedding_loss", rnd(5), sign, **options)
        yield case("soft_margin_loss", rnd(5), sign, **options)
        yield case("cosine_embedding_loss", rnd(5, 3), rnd(5, 3), sign, **options)
        triple = (rnd(5, 3), rnd(5, 3), rnd(5, 3))
        yield case("triplet_margin_loss", *triple, **options)
        yield case("triplet_margin_loss", *triple, swap=True, p=1.0, **options)
    yield case("cross_entropy", rnd(4), np.array(2), id="cross_entropy-unbatched")
    yield case("kl_div", rnd(5, 4), prob(5, 4), reduction="batchmean")
    yield case("kl_div", rnd(5, 4), rnd(5, 4), reduction="sum", log_target=True)
    yield case("smooth_l1_loss", x, rnd(5, 4), beta=0.0)


def others():
    yield case("linear", rnd(2, 3, 4), rnd(5, 4), rnd(5))
    yield case("linear", rnd(4), rnd(5, 4))
    yield case("linear", rnd(3, 4), rnd(4), id="linear-vector")
    yield case("bilinear", rnd(5, 2), rnd(5, 3), rnd(4, 2, 3), rnd(4))
    yield case("embedding", classes(6, 2, 3), rnd(6, 4))
    yield case("embedding", np.array([0, 2, 2, 1]), rnd(3, 4), padding_idx=2)
    yield case("one_hot", classes(4, 2, 3), num_classes=5)
    yield case("cosine_similarity", rnd(5, 4), rnd(5, 4), dim=1)
    yield case("pairwise_distance", rnd(5, 4), rnd(5, 4))
    for sides in ((1, 2), (1, 0, 2, 1), (-1, 2, 0, -2), (0, 0, 0, 0, 1, 1)):
        yield case("pad", rnd(2, 4, 5), sides, id=f"pad-{sides}")
    yield case("pad", rnd(2, 4, 5), (1, 1), value=3.5)
    for mode in ("reflect", "replicate", "circular"):
        yield case("pad", rnd(2, 3, 4, 5), (2, 1, 0, 3), mode, id=f"pad-{mode}")
    x = rnd(2, 3, 5, 7)
    yield case("interpolate", x, scale_factor=2)
    yield case("interpolate", x, size=(3, 11), id="interpolate-size")
    yield case("interpolate", x, scale_factor=1.5, mode="bilinear")
    yield case("interpolate", x, size=(8, 3), mode="bilinear", align_corners=True)
    yield case("interpolate", rnd(2, 3, 5), size=9, mode="linear")
    yield case("unfold", x, kernel_size=3)
    yield case("unfold", x, kernel_size=(2, 3), dilation=2, padding=1, stride=2)
    yield case("fold", rnd(2, 18, 6), output_size=(5, 6), kernel_size=3, stride=2,
               padding=(0, 1), id="fold")  # fmt: skip
    yield case("pixel_shuffle", rnd(2, 12, 3, 4), upscale_factor=2)
    yield case("pixel_unshuffle", rnd(2, 3, 4, 6), downscale_factor=2)
    q, k, v = rnd(2, 3, 4, 5), rnd(2, 3, 6, 5), rnd(2, 3, 6, 7)
    attention = "scaled_dot_product_attention"
    yield case(attention, q, k, v, id="sdpa")
    yield case(attention, q, k, v, is_causal=True)
    yield case(attention, q, k, v, scale=0.3)
    yield case(attention, q, k, v, rnd(4, 6), id="sdpa-mask")
    keep = RNG.random((4, 6)) < 0.7
    keep[:, 0] = True
    yield case(attention, q, k, v, keep, id="sdpa-bool")


CASES = [
    *activations(), *convolutions(), *pools(), *norms(), *losses(), *others(),
]  # fmt: skip


def ours(x):
    if not isinstance(x, np.ndarray):
        return x
    t = tf.from_numpy(x.copy())
    return t.requires_grad_() if x.dtype == np.float32 else t


def theirs(x):
    if not isinstance(x, np.ndarray):
        return x
    t = torch.from_numpy(x.copy())
    return t.requires_grad_() if x.dtype == np.float32 else t


def run(function, lift, args, kwargs):
    out = function(*args, **kwargs)
    inputs = [
        t for t in (*args, *kwargs.values()) if getattr(t, "requires_grad", False)
    ]
    if not out.requires_grad:
        return out.detach().numpy(), []
    weight = np.cos(np.arange(out.numel(), dtype=np.float32)).reshape(tuple(out.shape))
    (out * lift(weight).detach()).sum().backward()
    grads = [t.grad for t in inputs]
    return out.detach().numpy(), [None if g is None else g.numpy() for g in grads]


# Arguments that PyTorch does not differentiate by (its targets: class numbers apart).
FROZEN = {"cross_entropy": (2,), "nll_loss": (2,), "batch_norm": (1, 2)}
FROZEN |= {"soft_margin_loss": (1,), "binary_cross_entropy_with_logits": (2,)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, args, kwargs", CASES)
def test_values_and_gradients(name, args, kwargs):
    def call(module, lift):
        def freeze(i, x):
            x, frozen = lift(x), i in FROZEN.get(name, ())
            return x.detach() if frozen and x is not None else x

        options = {k: lift(v) for k, v in kwargs.items()}
        if "pos_weight" in options:
            options["pos_weight"] = options["pos_weight"].detach()
        inputs = [freeze(i, x) for i, x in enumerate(args)]
        return run(getattr(module, name), lift, inputs, options)

    out, grads = call(F, ours)
    expected, wanted = call(TF, theirs)
    assert out.shape == expected.shape and out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=2e-4, atol=2e-5)
    for g, w in zip(grads, wanted):
        assert (g is None) == (w is None)
        if w is not None:
            scale = max(1.0, float(np.abs(w).max()))
            np.testing.assert_allclose(g, w, rtol=1e-3, atol=3e-5 * scale)
