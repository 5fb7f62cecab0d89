"""Training loops: losses, optimizers, schedules, clipping, evaluation, device."""

import math

import tracefuse as torch
from tracefuse import nn, optim


class SimpleNN(nn.Module):
    """Three fully connected layers: 784 pixels to ten scores."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def train_step(model, criterion, optimizer):
    """The four calls of every loop, as one jitted function."""

    @torch.jit
    def step(inputs, targets):
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def one_step():
    """One step by hand: SGD moves each weight by lr times its gradient."""
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])

    optimizer.zero_grad()
    loss = nn.MSELoss()(model(x), y)
    loss.backward()
    before = model.weight.detach().clone()
    optimizer.step()
    print(f"Loss: {loss.item():.4f}")
    assert torch.allclose(model.weight, before - 0.01 * model.weight.grad)
    assert nn.MSELoss()(model(x), y) < loss


def classifier():
    """Ten epochs on random images and labels, eager and jitted alike."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.randn(64, 784, device=device)
    y = torch.randint(0, 10, (64,), device=device)
    finals = []
    for jitted in (False, True):
        torch.manual_seed(0)
        model = SimpleNN().to(device)
        criterion = nn.CrossEntropyLoss().to(device)
        step = train_step(model, criterion, optim.SGD(model.parameters(), lr=0.1))
        call = step if jitted else step.__wrapped__
        losses = [call(x, y).item() for _ in range(10)]
        finals.append(losses[-1])
        print("jitted" if jitted else "eager ", *(f"{loss:.3f}" for loss in losses))
        assert losses[-1] < losses[0] and math.isclose(losses[0], 2.3, abs_tol=0.2)
    assert math.isclose(*finals, rel_tol=1e-4)


class CustomMSELoss(nn.Module):
    """A loss is a module like any other."""

    def __init__(self):
        super().__init__()
        self.mse_loss = nn.MSELoss(reduction="mean")

    def forward(self, inputs, targets):
        return self.mse_loss(inputs, targets)


def losses():
    """The common losses against their definitions."""
    inputs, targets = torch.randn(3, requires_grad=True), torch.randn(3)
    loss = CustomMSELoss()(inputs, targets)
    loss.backward()
    print(loss)
    assert torch.allclose(loss, ((inputs - targets) ** 2).mean())
    assert torch.allclose(inputs.grad, 2 * (inputs - targets) / 3)
    assert torch.allclose(nn.L1Loss()(inputs, targets), (inputs - targets).abs().mean())

    scores = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]], requires_grad=True)
    labels = torch.tensor([0, 1])
    loss = nn.CrossEntropyLoss()(scores, labels)
    print("Loss:", loss.item())
    assert torch.allclose(loss, nn.NLLLoss()(nn.LogSoftmax(dim=1)(scores), labels))
    assert torch.allclose(loss, torch.tensor(0.8148), atol=1e-4)

    chances, happened = torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0])
    expected = -(math.log(0.9) + math.log(0.8)) / 2
    assert math.isclose(nn.BCELoss()(chances, happened).item(), expected, rel_tol=1e-5)


def optimizers():
    """SGD, Adam and RMSprop on the same line; the third call records no more."""
    x = torch.linspace(-1, 1, 64).reshape(-1, 1)
    y = 3 * x + 1
    for make in (
        lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
        lambda params: optim.Adam(params, lr=0.1),
        lambda params: optim.RMSprop(params, lr=0.02),
    ):
        model = nn.Linear(1, 1)
        optimizer = make(model.parameters())
        step = train_step(model, nn.MSELoss(), optimizer)
        for i in range(200):
            loss = step(x, y)
            if i == 1:
                recorded = step.cache_info()["recordings"]
        print(f"{type(optimizer).__name__:8} {loss.item():.1e}")
        assert abs(model.weight.item() - 3) < 0.05 and abs(model.bias.item() - 1) < 0.05
        assert step.cache_info()["recordings"] == recorded <= 2


def schedules():
    """The learning rate halves every ten epochs; a jitted step follows it."""
    model, x, y = nn.Linear(1, 1), torch.ones(1, 1), torch.zeros(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    step = train_step(model, nn.MSELoss(), optimizer)
    rates = []
    for _ in range(30):
        before = model.weight.item()
        step(x, y)
        moved = before - model.weight.item()
        rate = scheduler.get_last_lr()[0]
        assert math.isclose(moved, rate * model.weight.grad.item(), abs_tol=1e-6)
        rates.append(rate)
        scheduler.step()
    print("StepLR", rates[0], rates[10], rates[20])
    assert rates == [0.1] * 10 + [0.05] * 10 + [0.025] * 10
    assert step.cache_info()["recordings"] <= 3


def more_schedules():
    """Exponential decay, and waiting for a loss that no longer falls."""
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    exponential = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    for _ in range(3):
        optimizer.step()
        exponential.step()
    assert math.isclose(exponential.get_last_lr()[0], 0.9**3)

    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2)
    for loss in [1.0, 0.5, 0.5, 0.5, 0.5]:
        plateau.step(loss)
    print("ReduceLROnPlateau", optimizer.param_groups[0]["lr"])
    assert math.isclose(optimizer.param_groups[0]["lr"], 0.1)


def clipping():
    """Gradients shrink together until their norm is at most `max_norm`."""
    model = nn.Linear(10, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(8, 10) * 100, torch.randn(8, 1)

    @torch.jit
    def step():
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.0)
        optimizer.step()
        return norm

    for _ in range(3):
        before = step()
        after = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm()
        print(f"norm {before:.1f} clipped to {after:.4f}")
        assert before > 2 and math.isclose(after.item(), 2, rel_tol=1e-4)

    nn.utils.clip_grad_value_(model.parameters(), clip_value=0.1)
    assert all(p.grad.abs().max() <= 0.1 for p in model.parameters())


def main():
    torch.manual_seed(0)
    one_step()
    classifier()
    losses()
    optimizers()
    schedules()
    more_schedules()
    clipping()


if __name__ == "__main__":
    main()
