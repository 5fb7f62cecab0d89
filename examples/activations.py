"""Activation functions, their gradients, and what a small network makes of them."""

import tracefuse as torch


def curves():
    """relu, sigmoid and tanh with their derivatives over [-8, 8)."""
    x = torch.arange(-8.0, 8.0, 0.1, requires_grad=True)
    exact = {
        torch.relu: lambda x, y: (x > 0).float(),
        torch.sigmoid: lambda x, y: y * (1 - y),
        torch.tanh: lambda x, y: 1 - y**2,
    }
    for function, derivative in exact.items():
        if x.grad is not None:
            x.grad.data.zero_()
        y = function(x)
        y.backward(torch.ones_like(x), retain_graph=True)
        slope, want = x.grad, derivative(x.detach(), y.detach())
        print(f"{function.__name__}: steepest {slope.max():.4f}")
        assert torch.allclose(slope, want, atol=1e-6)


def known_values():
    """What the formulas say at zero and far from it."""
    x = torch.tensor([-100.0, 0.0, 100.0])
    assert torch.relu(x).tolist() == [0.0, 0.0, 100.0]
    assert torch.allclose(torch.sigmoid(x), torch.tensor([0.0, 0.5, 1.0]))
    assert torch.tanh(x).tolist() == [-1.0, 0.0, 1.0]


@torch.jit
def network(x, activation, w_1, b_1, w_2, b_2):
    """A line, an activation, another line."""
    return activation(x * w_1 + b_1) * w_2 + b_2


def piecewise_linear():
    """With relu or prelu the network is piecewise linear, with one bend."""
    x = torch.arange(-8.0, 8.0, 0.1)
    weights = [torch.rand(1, 1) for _ in range(4)]

    def prelu(y):
        return torch.prelu(y, torch.tensor(0.5))

    for activation in (torch.relu, prelu):
        y = network(x, activation, *weights)
        slopes = y[0, 1:] - y[0, :-1]
        bends = (slopes[1:] - slopes[:-1]).abs() > 1e-4
        print(f"{activation.__name__}: {bends.sum()} points at the bend")
        assert y.shape == (1, len(x)) and 1 <= bends.sum() <= 2


def main():
    torch.manual_seed(0)
    curves()
    known_values()
    piecewise_linear()


if __name__ == "__main__":
    main()
