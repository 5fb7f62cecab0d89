"""Linear regression on synthetic data: from scratch, concise, and as plain functions.

The first has its own parameters, loss and optimizer; the second takes them from nn and
optim; the third has no classes at all.
"""

import random

import tracefuse as torch
from tracefuse import nn
from trainer import DataModule, HyperParameters, Module, Trainer, add_to_class


class SyntheticRegressionData(DataModule):
    """y = X w + b + noise."""

    def __init__(self, w, b, noise=0.01, num_train=1000, num_val=1000, batch_size=32):
        super().__init__()
        self.save_hyperparameters()
        n = num_train + num_val
        self.X = torch.randn(n, len(w))
        noise = torch.randn(n, 1) * noise
        self.y = torch.matmul(self.X, w.reshape((-1, 1))) + b + noise

    def get_dataloader(self, train):
        part = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, part)


class SGD(HyperParameters):
    """Minibatch stochastic gradient descent."""

    def __init__(self, params, lr):
        self.save_hyperparameters()

    def step(self):
        for param in self.params:
            param -= self.lr * param.grad

    def zero_grad(self):
        for param in self.params:
            if param.grad is not None:
                param.grad.zero_()


class LinearRegressionScratch(Module):
    """Weights that are plain tensors."""

    def __init__(self, num_inputs, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.w = torch.normal(0, sigma, (num_inputs, 1), requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)


@add_to_class(LinearRegressionScratch)
def forward(self, X):
    return torch.matmul(X, self.w) + self.b


@add_to_class(LinearRegressionScratch)
def loss(self, y_hat, y):
    return ((y_hat - y) ** 2 / 2).mean()


@add_to_class(LinearRegressionScratch)
def configure_optimizers(self):
    return SGD([self.w, self.b], self.lr)


class LinearRegression(Module):
    """The same with a layer, a loss and an optimizer that come with nn and optim."""

    def __init__(self, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.LazyLinear(1)
        self.net.weight.data.normal_(0, 0.01)
        self.net.bias.data.fill_(0)

    def loss(self, y_hat, y):
        return nn.MSELoss()(y_hat, y)

    def get_w_b(self):
        return self.net.weight.data, self.net.bias.data


def scratch(data):
    model = LinearRegressionScratch(2, lr=0.03)
    trainer = Trainer(max_epochs=3)
    trainer.fit(model, data)
    with torch.no_grad():
        w_error, b_error = data.w - model.w.reshape(data.w.shape), data.b - model.b
    print(f"error in estimating w: {w_error}")
    print(f"error in estimating b: {b_error}")
    assert w_error.abs().max() < 0.5 and b_error.abs().item() < 0.5
    losses = [y for _, y in model.board.curves["train_loss"]]
    assert len(losses) == 6 and losses[-1] < losses[0] / 10
    assert trainer.step.cache_info()["recordings"] <= 6  # of 96 steps


def concise(data):
    model = LinearRegression(lr=0.03)
    Trainer(max_epochs=3, gradient_clip_val=10).fit(model, data)
    w, b = model.get_w_b()
    print(f"error in estimating w: {data.w - w.reshape(data.w.shape)}")
    assert torch.allclose(w.reshape(-1), data.w, atol=0.1)
    assert torch.allclose(b, torch.tensor([data.b]), atol=0.1)


def data_iter(batch_size, features, labels):
    """Minibatches in random order; the last one holds what is left."""
    order = list(range(len(features)))
    random.shuffle(order)
    for i in range(0, len(order), batch_size):
        rows = torch.tensor(order[i : i + batch_size])
        yield features[rows], labels[rows]


def linreg(X, w, b):
    return torch.matmul(X, w) + b


def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


@torch.no_grad()
def sgd(params, lr, batch_size):
    for param in params:
        param -= lr * param.grad / batch_size
        param.grad.zero_()


def plain_functions(data):
    w = torch.zeros(size=(2, 1), requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    features, labels = data.X, data.y.reshape(-1)
    batch_size, lr = 32, 0.03

    @torch.jit
    def step(X, y):
        squared_loss(linreg(X, w, b), y).sum().backward()
        sgd([w, b], lr, len(X))

    for epoch in range(3):
        for X, y in data_iter(batch_size, features, labels):
            step(X, y)
        with torch.no_grad():
            loss = squared_loss(linreg(features, w, b), labels).mean()
        print(f"epoch {epoch + 1}, loss {float(loss):f}")
    assert loss < 1e-2 and torch.allclose(w.reshape(-1), data.w, atol=0.1)


def main():
    torch.manual_seed(3)
    random.seed(3)
    data = SyntheticRegressionData(w=torch.tensor([2, -3.4]), b=4.2)
    scratch(data)
    concise(data)
    plain_functions(data)


if __name__ == "__main__":
    main()
