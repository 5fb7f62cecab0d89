"""Whole tensors instead of loops: speed, a density, expected losses.

What a loop says element by element is one expression on tensors, much faster, and
faster still as one jitted function.
"""

import math
import time

import tracefuse as torch


def loop_or_vector(n=10_000):
    """The same sum element by element, and at once."""
    a, b, c = torch.ones(n), torch.ones(n), torch.zeros(n)
    start = time.perf_counter()
    for i in range(n):
        c[i] = a[i] + b[i]
    print(f"loop   {time.perf_counter() - start:.5f} s")

    start = time.perf_counter()
    d = a + b
    print(f"vector {time.perf_counter() - start:.5f} s")
    assert c.equal(d)


def normal(x, mu, sigma):
    """The density of the normal distribution."""
    p = 1 / math.sqrt(2 * math.pi * sigma**2)
    return p * torch.exp(-0.5 * (x - mu) ** 2 / sigma**2)


def densities():
    """Its integral is 1, whatever mean and deviation are."""
    x = torch.arange(-7, 7, 0.01)
    density = torch.jit(normal)
    for mu, sigma in [(0, 1), (0, 2), (3, 1)]:
        y = density(x, mu, sigma)
        peak = x[y.argmax()].item()
        print(f"mean {mu}, std {sigma}: peak {y.max().item():.4f} at {peak:.2f}")
        assert torch.allclose(y, normal(x, mu, sigma)) and abs(peak - mu) < 1e-2
        assert abs(torch.sum(y).item() * 0.01 - 1) < 1e-2


def minibatch_means():
    """Means over minibatches scatter around the true mean, and less so on average."""
    true_loss, minibatches, trials = 0.5, 10, 1000
    losses = torch.normal(true_loss, 0.1, size=(trials, minibatches))
    estimates = losses.mean(dim=1)
    print(f"one minibatch {losses[0, -1]:.3f}, all of them {estimates.mean():.4f}")
    assert abs(estimates.mean().item() - true_loss) < 0.01
    assert estimates.std() < losses.std() / 2


def cheapest_decision():
    """Not always the likeliest class: the one whose expected loss is smallest."""
    chances = torch.tensor([0.2, 0.5, 0.3])
    losses = torch.tensor([[0.0, 1, 2], [1, 0, 1], [2, 1, 0]])
    expected = torch.matmul(chances, losses)
    print(expected, expected.argmin())
    assert torch.allclose(expected, torch.tensor([1.1, 0.5, 0.9]))
    assert expected.argmin() == 1


def main():
    torch.manual_seed(0)
    loop_or_vector()
    densities()
    minibatch_means()
    cheapest_decision()


if __name__ == "__main__":
    main()
