"""Functions of functions, as in JAX: grad, value_and_grad, jit, and their mixtures.

Parameters are plain nested containers that go in and come out; nothing is hidden.
"""

import tracefuse
from tracefuse import grad, jit, value_and_grad


def derivatives():
    """grad of x**2 is 2x, and grad applies to what grad gave."""

    def f(x):
        return x**2

    x = tracefuse.tensor(2.0)
    print(f"Gradient at x={x}: {grad(f)(x)}")
    assert grad(f)(x) == 4 and grad(grad(f))(x) == 2

    def g(x):
        return tracefuse.tanh(x) ** 3

    slope, t = jit(grad(g)), tracefuse.tanh(x)
    assert tracefuse.allclose(slope(x), 3 * t**2 * (1 - t**2))
    assert tracefuse.allclose(jit(grad(slope))(x), grad(grad(g))(x))


def model(params, x):
    w, b = params
    return tracefuse.matmul(x, w) + b


def loss_fn(params, x, y):
    return ((model(params, x) - y) ** 2).mean()


@jit
def update(params, x, y, lr):
    """One step of gradient descent, as a function from parameters to parameters."""
    loss, grads = value_and_grad(loss_fn)(params, x, y)
    return tuple(p - lr * g for p, g in zip(params, grads)), loss


def linear_model():
    """Fitting a line; the result is that of least squares."""
    x = tracefuse.linspace(-1, 1, 50)[:, None]
    y = 2 * x[:, 0] - 1 + 0.1 * tracefuse.randn(50)
    params = (tracefuse.zeros(1), tracefuse.tensor(0.0))
    for _ in range(200):
        params, loss = update(params, x, y, 0.3)
    print(f"Optimized parameters: {params}")
    print(f"Loss: {loss}")

    w = (x[:, 0] * (y - y.mean())).sum() / (x**2).sum()  # x has mean 0
    assert tracefuse.allclose(params[0], w, atol=1e-4)
    assert tracefuse.allclose(params[1], y.mean(), atol=1e-4)
    assert update.cache_info()["recordings"] <= 2


def trees():
    """Parameters in a dict of dicts: the gradient has their structure."""

    def predict(params, x):
        hidden = tracefuse.relu(x @ params["hidden"]["w"] + params["hidden"]["b"])
        return hidden @ params["out"]["w"]

    @jit
    @grad
    def slopes(params, x):
        return predict(params, x).square().sum()

    params = {
        "hidden": {"w": tracefuse.randn(3, 8), "b": tracefuse.zeros(8)},
        "out": {"w": tracefuse.randn(8, 1)},
    }
    grads = slopes(params, tracefuse.randn(5, 3))
    for layer, tensors in params.items():
        for name, tensor in tensors.items():
            print(layer, name, tuple(grads[layer][name].shape))
            assert grads[layer][name].shape == tensor.shape


def several_arguments():
    """argnums picks the arguments, has_aux lets something else come along."""

    def f(a, b):
        return (a * a * b).sum(), a + b

    a, b = tracefuse.tensor([1.0, 2.0]), tracefuse.tensor([3.0, 4.0])
    (value, aux), (da, db) = value_and_grad(f, argnums=(0, 1), has_aux=True)(a, b)
    assert value == 19 and aux.equal(a + b)
    assert da.equal(2 * a * b) and db.equal(a * a)


def newton():
    """A root of f by Newton's method: the loop is Python's, the step is compiled."""

    def f(x):
        return x**3 - 2 * x - 5

    step = jit(lambda x: x - f(x) / grad(f)(x))
    x = tracefuse.tensor(2.0, dtype=tracefuse.float64)
    for _ in range(6):
        x = step(x)
    print(f"root {x.item():.10f}")
    assert abs(f(x).item()) < 1e-12


def main():
    tracefuse.manual_seed(0)
    derivatives()
    linear_model()
    trees()
    several_arguments()
    newton()


if __name__ == "__main__":
    main()
