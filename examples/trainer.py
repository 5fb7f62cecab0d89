"""A small training framework, object by object: model, data, trainer, progress board.

The other examples on regression and classification build on these classes. The
trainer runs a whole step (forward, backward, update) as one jitted function.
"""

import inspect
import math

import tracefuse as torch
from tracefuse import nn
from tracefuse.utils.data import DataLoader, TensorDataset


def add_to_class(cls):
    """Decorator that makes a function a method of a class that exists already."""

    def register(function):
        setattr(cls, function.__name__, function)
        return function

    return register


class HyperParameters:
    """Keeps the arguments of a constructor as attributes."""

    def save_hyperparameters(self, ignore=()):
        frame = inspect.currentframe().f_back
        names, _, _, values = inspect.getargvalues(frame)
        self.hparams = {n: values[n] for n in names if n not in {"self", *ignore}}
        for name, value in self.hparams.items():
            setattr(self, name, value)


class ProgressBoard(HyperParameters):
    """Collects points of curves, each the mean of `every_n` points drawn."""

    def __init__(self, xlabel=None, ylabel=None, xlim=None, display=False):
        self.save_hyperparameters()
        self.waiting, self.curves = {}, {}

    def draw(self, x, y, label, every_n=1):
        points = self.waiting.setdefault(label, [])
        points.append((float(x), float(y)))
        if len(points) < every_n:
            return
        mean = tuple(sum(column) / len(points) for column in zip(*points))
        points.clear()
        self.curves.setdefault(label, []).append(mean)
        if self.display:
            print(f"{self.xlabel} {mean[0]:5.2f}  {label} {mean[1]:.4f}")


class Module(nn.Module, HyperParameters):
    """Base class of models: subclasses give `loss` and `net` or `forward`."""

    def __init__(self, plot_train_per_epoch=2, plot_valid_per_epoch=1):
        super().__init__()
        self.save_hyperparameters()
        self.board = ProgressBoard(xlabel="epoch", display=True)

    def loss(self, y_hat, y):
        raise NotImplementedError

    def forward(self, X):
        assert hasattr(self, "net"), "a model without forward() needs a net"
        return self.net(X)

    def plot(self, key, value, train):
        """A point of the curve of `key`, for training or validation."""
        trainer = self.trainer
        if train:
            batches, points = trainer.num_train_batches, self.plot_train_per_epoch
            x = trainer.train_batch_idx / batches
        else:
            batches, points = trainer.num_val_batches, self.plot_valid_per_epoch
            x = trainer.epoch + 1
        label = ("train_" if train else "val_") + key
        value = value.to(torch.device("cpu")).detach().numpy()
        self.board.draw(x, value, label, every_n=int(batches / points))

    def training_step(self, batch):
        return self.loss(self(*batch[:-1]), batch[-1])

    def validation_step(self, batch):
        self.plot("loss", self.loss(self(*batch[:-1]), batch[-1]), train=False)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class DataModule(HyperParameters):
    """Base class of data: subclasses give `get_dataloader`."""

    def __init__(self, num_workers=0):
        self.save_hyperparameters()

    def get_dataloader(self, train):
        raise NotImplementedError

    def get_tensorloader(self, tensors, train, indices=slice(0, None)):
        dataset = TensorDataset(*(t[indices] for t in tensors))
        return DataLoader(
            dataset, self.batch_size, shuffle=train, num_workers=self.num_workers
        )

    def train_dataloader(self):
        return self.get_dataloader(train=True)

    def val_dataloader(self):
        return self.get_dataloader(train=False)


class Trainer(HyperParameters):
    """Fits a model to data for some epochs."""

    def __init__(self, max_epochs, gradient_clip_val=0):
        self.save_hyperparameters()

    def prepare_data(self, data):
        self.train_dataloader = data.train_dataloader()
        self.val_dataloader = data.val_dataloader()
        self.num_train_batches = len(self.train_dataloader)
        self.num_val_batches = len(self.val_dataloader)

    def prepare_model(self, model):
        model.trainer = self
        model.board.xlim = [0, self.max_epochs]
        self.model = model

    def fit(self, model, data):
        self.prepare_data(data)
        self.prepare_model(model)
        self.optim = model.configure_optimizers()
        self.step = torch.jit(self.update)
        self.train_batch_idx = 0
        for epoch in range(self.max_epochs):
            self.epoch = epoch
            self.fit_epoch()

    def update(self, *batch):
        """One step of the optimizer: jitted, this is a single program."""
        loss = self.model.training_step(batch)
        self.optim.zero_grad()
        with torch.no_grad():
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val)
            self.optim.step()
        return loss

    def clip_gradients(self, limit):
        """Shrink all gradients together until their norm is at most `limit`."""
        grads = [p.grad for p in self.model.parameters() if p.requires_grad]
        norm = torch.sqrt(sum(torch.sum(g**2) for g in grads))
        if norm > limit:
            for g in grads:
                g *= limit / norm

    def fit_epoch(self):
        self.model.train()
        for batch in self.train_dataloader:
            self.model.plot("loss", self.step(*batch), train=True)
            self.train_batch_idx += 1
        self.model.eval()
        for batch in self.val_dataloader:
            with torch.no_grad():
                self.model.validation_step(batch)


class Classifier(Module):
    """Base class of classifiers: cross-entropy, and accuracy while validating."""

    def validation_step(self, batch):
        y_hat = self(*batch[:-1])
        self.plot("loss", self.loss(y_hat, batch[-1]), train=False)
        self.plot("acc", self.accuracy(y_hat, batch[-1]), train=False)

    def loss(self, y_hat, y):
        return nn.functional.cross_entropy(y_hat, y)

    def accuracy(self, y_hat, y, averaged=True):
        """The share of rows whose largest score is at the label."""
        y_hat = y_hat.reshape((-1, y_hat.shape[-1]))
        preds = y_hat.argmax(axis=1).type(y.dtype)
        compare = (preds == y.reshape(-1)).type(torch.float32)
        return compare.mean() if averaged else compare


def main():
    class Counter:
        def __init__(self):
            self.b = 1

    counter = Counter()

    @add_to_class(Counter)
    def tell(self):
        return f'attribute "b" is {self.b}'

    print(counter.tell())
    assert counter.tell() == 'attribute "b" is 1'

    class Settings(HyperParameters):
        def __init__(self, a, b, c):
            self.save_hyperparameters(ignore=["c"])

    settings = Settings(a=1, b=2, c=3)
    assert (settings.a, settings.b) == (1, 2) and not hasattr(settings, "c")

    board = ProgressBoard("x")
    for i in range(100):
        board.draw(i / 10, math.sin(i / 10), "sin", every_n=2)
        board.draw(i / 10, math.cos(i / 10), "cos", every_n=10)
    print({label: len(points) for label, points in board.curves.items()})
    assert [len(points) for points in board.curves.values()] == [50, 10]


if __name__ == "__main__":
    main()
