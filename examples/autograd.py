"""Gradients: backward(), what it accumulates, what detach and no_grad leave out.

Python's own `while` and `if` decide what is differentiated, eager and jitted alike.
"""

import tracefuse as torch


def first_steps():
    """y = 2 x.x has gradient 4x; gradients add up until they are cleared."""
    x = torch.arange(4.0)
    x.requires_grad_(True)
    assert x.grad is None

    y = 2 * torch.dot(x, x)
    print(y)
    y.backward()
    print(x.grad)
    assert y.item() == 28 and (x.grad == 4 * x).all()

    x.sum().backward()
    assert (x.grad == 4 * x + 1).all()
    x.grad.zero_()
    x.sum().backward()
    assert x.grad.tolist() == [1.0] * 4


def vectors():
    """backward() of a vector takes the weights of its elements."""
    x = torch.arange(4.0, requires_grad=True)
    y = x * x
    y.backward(gradient=torch.ones(len(y)))
    assert x.grad.tolist() == [0.0, 2.0, 4.0, 6.0]

    x = torch.tensor([2.0, 3.0], requires_grad=True)
    for y in (x**2 + 3 * x + 1, (x**2 + 3 * x + 1).sum()):
        x.grad = None
        y.backward(torch.ones_like(y))
        print(x.grad)
        assert x.grad.tolist() == [7.0, 9.0]  # 2x + 3

    x = torch.arange(2.0, requires_grad=True)
    try:
        (x * x).backward()
    except RuntimeError as error:
        print("RuntimeError:", error)
    else:
        raise AssertionError("a vector has no gradient of its own")


def detaching():
    """A detached value is a constant, and the graph it came from still works."""
    x = torch.arange(4.0, requires_grad=True)
    y = x * x
    u = y.detach()
    (u * x).sum().backward()
    assert (x.grad == u).all()

    x.grad.zero_()
    y.sum().backward()
    assert (x.grad == 2 * x).all()


def switching_off():
    """no_grad records nothing, enable_grad records again, even within it."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    with torch.no_grad():
        assert not (y * 3).requires_grad
        with torch.enable_grad():
            z = y * 3
    assert z.requires_grad and y.requires_grad

    @torch.no_grad()
    def predict(x):
        return x * 2

    assert not predict(x).requires_grad


def twice():
    """A graph is freed by its backward, unless it is to be kept."""
    x = torch.tensor(3.0, requires_grad=True)
    y = x**3
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad == 2 * 27
    try:
        y.backward()
    except RuntimeError as error:
        print("RuntimeError:", str(error)[:60], "...")
    else:
        raise AssertionError("the graph was used up")

    (slope,) = torch.autograd.grad(x**3, x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x)
    assert slope == 27 and curvature == 18


def f(a):
    """Piecewise linear: which piece it is depends on the values in `a`."""
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c


def control_flow():
    """For a linear piece f(a) = k a the gradient is f(a) / a."""
    for shape in [(), (), (), (2, 2)]:
        a = torch.randn(size=shape, requires_grad=True)
        d = f(a)
        d.sum().backward()
        print(a.grad)
        assert torch.allclose(a.grad, d / a)


def control_flow_jitted():
    """Jitted, each way through the loop and the branch is recorded when first taken."""
    fast = torch.jit(f)
    for number in [0.3, -0.3, 7.0, 0.3, -2000.0, 0.004, 7.0]:
        a = torch.tensor(number, requires_grad=True)
        d = fast(a)
        d.backward()
        assert d == f(a) and a.grad == d / a
    with torch.no_grad():
        matrix = torch.randn(2, 2)
        assert fast(matrix).equal(f(matrix))
    print(fast.cache_info())


def branch_on_data():
    """The branch that was taken is the one that is differentiated."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    z = y * 3 if y.sum() > 5 else y / 2
    z.backward(torch.tensor([1.0, 1.0, 1.0]))
    assert x.grad.tolist() == [6.0, 6.0, 6.0]  # d(2x * 3)/dx


def main():
    torch.manual_seed(1)
    first_steps()
    vectors()
    detaching()
    switching_off()
    twice()
    control_flow()
    control_flow_jitted()
    branch_on_data()


if __name__ == "__main__":
    main()
