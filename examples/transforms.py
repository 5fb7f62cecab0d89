"""vmap and its company: per-example gradients, Newton steps, ensembles."""

import tracefuse
from tracefuse import jit, nn
from tracefuse.func import (
    functional_call,
    grad,
    hessian,
    jvp,
    stack_module_state,
    vmap,
)


def loss_fn(params, x, y):
    hidden = tracefuse.tanh(x @ params["w"] + params["b"])
    return ((hidden @ params["v"] - y) ** 2).sum()


def per_example_gradients():
    """The gradient of each example by itself, in one compiled program."""
    params = {
        "w": tracefuse.randn(3, 8),
        "b": tracefuse.zeros(8),
        "v": tracefuse.randn(8),
    }
    x, y = tracefuse.randn(5, 3), tracefuse.randn(5)
    each = jit(vmap(grad(loss_fn), in_axes=(None, 0, 0)))(params, x, y)
    norms = sum(g.reshape(5, -1).square().sum(1) for g in each.values()).sqrt()
    print("gradient norm of each example:", norms)
    alone = grad(loss_fn)(params, x[2], y[2])
    assert all(tracefuse.allclose(each[k][2], alone[k], atol=1e-4) for k in params)


def newton():
    """A minimum, by the Hessian; and the Hessian times a vector without it."""

    def f(x):
        return (x**4).sum() - x[0] * x[1] + x.sum()

    @jit
    def step(x):
        (a, b), (c, d) = hessian(f)(x)
        p, q = grad(f)(x)
        return x - tracefuse.stack([d * p - b * q, a * q - c * p]) / (a * d - b * c)

    x = tracefuse.tensor([-1.0, -0.5], dtype=tracefuse.float64)
    for _ in range(8):
        x = step(x)
    print("minimum at", x)
    assert grad(f)(x).abs().max() < 1e-9
    v = tracefuse.tensor([1.0, 2.0], dtype=tracefuse.float64)
    product = jvp(grad(f), (x,), (v,))[1]
    assert tracefuse.allclose(product, hessian(f)(x) @ v)


def ensemble():
    """Four models at once, over stacked parameters."""
    models = [nn.Sequential(nn.Linear(3, 4), nn.Tanh()) for _ in range(4)]
    params, buffers = stack_module_state(models)
    base, x = models[0], tracefuse.randn(6, 3)

    def call(params, buffers, x):
        return functional_call(base, (params, buffers), (x,))

    together = vmap(call, in_axes=(0, 0, None))(params, buffers, x)
    assert tuple(together.shape) == (4, 6, 4)
    assert tracefuse.allclose(together[3], models[3](x), atol=1e-6)


def noise():
    """Random numbers differ by example, or are the same for all: one has to say."""
    x = tracefuse.zeros(3, 2)
    f = lambda row: row + tracefuse.rand(2)
    print(vmap(f, randomness="different")(x))
    same = vmap(f, randomness="same")(x)
    assert same[0].equal(same[1])


def main():
    tracefuse.manual_seed(0)
    per_example_gradients()
    newton()
    ensemble()
    noise()


if __name__ == "__main__":
    main()
