"""Modules: writing one, looking into it, initialising, training and evaluation mode.

Also Sequential, and a state dict that goes to a file and comes back.
"""

import tempfile
from pathlib import Path

import tracefuse as torch
from tracefuse import nn


class SimpleNet(nn.Module):
    """One hidden layer; batch norm and dropout behave differently in training."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 50)
        self.bn1 = nn.BatchNorm1d(50)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(50, 1)

    def forward(self, x):
        x = self.relu(self.bn1(self.fc1(x)))
        return self.fc2(self.dropout(x))


def looking():
    """A module prints its layers and knows its parameters by name."""
    model = SimpleNet()
    print(model)
    lines = str(model).splitlines()
    assert lines[0] == "SimpleNet(" and lines[-1] == ")" and len(lines) == 7
    assert lines[1] == "  (fc1): Linear(in_features=10, out_features=50, bias=True)"
    names = [name for name, _ in model.named_parameters()]
    assert names == [
        f"{layer}.{kind}"
        for layer in ("fc1", "bn1", "fc2")
        for kind in ("weight", "bias")
    ]
    params = list(model.parameters())
    print(type(params[0]), sum(p.numel() for p in params), "numbers")
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in params)
    assert sum(p.numel() for p in params) == 550 + 100 + 51


def sequential():
    """Layers one after the other; a Sequential changes like a list."""
    model = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 1))
    x = torch.tensor([[1.0, 2.0]])
    print(model(x))
    assert model(x).shape == (1, 1) and model(x).requires_grad
    assert model(x).equal(model[2](model[1](model[0](x))))

    model.append(nn.Sigmoid())
    model.insert(1, nn.BatchNorm1d(10))
    model.extend([nn.Flatten(0)])
    kinds = [type(layer).__name__ for layer in model]
    print(kinds)
    assert kinds == "Linear BatchNorm1d ReLU Linear Sigmoid Flatten".split()
    assert len(model[:2]) == 2 and model.eval()(x).shape == (1,)


def forward_and_backward():
    """backward() reaches the input as well as the parameters."""
    layer = nn.Linear(2, 1)
    given = torch.tensor([[1.0, 2.0]], requires_grad=True)
    target = torch.tensor([[0.0]])
    output = layer(given)
    loss = nn.MSELoss()(output, target)
    loss.backward()
    print("Loss:", loss.item(), "Gradient:", given.grad)
    assert torch.allclose(loss, output**2)
    assert torch.allclose(given.grad, 2 * output * layer.weight)
    assert torch.allclose(layer.weight.grad, 2 * output * given)


def initialising():
    """apply() visits every module."""

    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    model = SimpleNet().apply(init_weights)
    bound = (6 / (10 + 50)) ** 0.5
    largest = model.fc1.weight.abs().max().item()
    print(f"weights within {bound:.4f}: {largest:.4f}")
    assert 0.9 * bound < largest <= bound and not model.fc2.bias.any()


def switching():
    """In training batches are normalised by themselves and units dropped at random."""
    model, x = SimpleNet(), torch.randn(64, 10) * 3 + 1

    @torch.jit
    def predict(x):
        return model(x)

    model.train()
    with torch.no_grad():
        assert not predict(x).equal(predict(x))
        hidden = model.bn1(model.fc1(x))
        assert torch.allclose(hidden.mean(0), torch.zeros(50), atol=1e-5)
        assert model.bn1.num_batches_tracked == 3
        model.eval()
        assert predict(x).equal(predict(x))
        assert torch.allclose(predict(x), model(x), atol=1e-6)
        assert torch.allclose(predict(x[:1]), predict(x)[:1], atol=1e-6)
    assert model.bn1.num_batches_tracked == 3


def saving(folder):
    """A state dict goes to one file, and from there into another model."""
    model, path = SimpleNet(), Path(folder, "model.pth")
    torch.save(model.state_dict(), path)

    loaded = SimpleNet()
    loaded.load_state_dict(torch.load(path))
    loaded.eval()
    model.eval()
    x = torch.randn(4, 10)
    assert loaded(x).equal(model(x))
    print(path.name, *loaded.state_dict())

    state = torch.load(path)
    del state["fc2.bias"]
    try:
        loaded.load_state_dict(state)
    except RuntimeError as error:
        print("RuntimeError:", error)
    else:
        raise AssertionError("a key is missing")
    assert loaded(x).equal(model(x))


def main():
    torch.manual_seed(0)
    looking()
    sequential()
    forward_and_backward()
    initialising()
    switching()
    with tempfile.TemporaryDirectory() as folder:
        saving(folder)


if __name__ == "__main__":
    main()
