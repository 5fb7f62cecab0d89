"""Softmax regression on handwritten digits: from scratch, and with what nn offers.

The data are the 8x8 digits that come with tracefuse, in the place of fashion images.
"""

import time

import tracefuse as torch
from tracefuse import nn
from tracefuse.utils.data import DataLoader, TensorDataset
from trainer import Classifier, DataModule, Trainer, add_to_class


class Digits(DataModule):
    """1,797 pictures of handwritten digits, one channel of 8x8 pixels each."""

    def __init__(self, batch_size=64, num_val=360):
        super().__init__()
        self.save_hyperparameters()
        images, labels = map(torch.from_numpy, torch.data.digits())
        images = images.reshape(-1, 1, 8, 8)
        self.train = TensorDataset(images[:-num_val], labels[:-num_val])
        self.val = TensorDataset(images[-num_val:], labels[-num_val:])


@add_to_class(Digits)
def text_labels(self, indices):
    """Labels in words."""
    labels = "zero one two three four five six seven eight nine".split()
    return [labels[int(i)] for i in indices]


@add_to_class(Digits)
def get_dataloader(self, train):
    data = self.train if train else self.val
    return DataLoader(
        data, self.batch_size, shuffle=train, num_workers=self.num_workers
    )


@add_to_class(Digits)
def visualize(self, batch, count=4, labels=()):
    """Print the first pictures of a batch side by side."""
    X, y = batch
    labels = list(labels) or self.text_labels(y)
    for row in X[:count].squeeze(1).permute(1, 0, 2):
        print("   ".join("".join(" .:*#"[int(4 * p)] for p in line) for line in row))
    print("   ".join(f"{label:8}" for label in labels[:count]))


def look_at(data):
    """Sizes and types of a batch, how long reading takes, and some pictures."""
    assert (len(data.train), len(data.val)) == (1437, 360)
    assert data.train[0][0].shape == (1, 8, 8)
    X, y = next(iter(data.train_dataloader()))
    print(X.shape, X.dtype, y.shape, y.dtype)
    assert X.shape == (64, 1, 8, 8) and X.dtype is torch.float32
    assert y.shape == (64,) and y.dtype is torch.int64

    start, seen = time.perf_counter(), 0
    for X, _ in data.train_dataloader():
        seen += len(X)
    print(f"{seen} images in {time.perf_counter() - start:.3f} s")
    assert seen == len(data.train)
    data.visualize(next(iter(data.val_dataloader())))


def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdims=True)
    return X_exp / partition  # broadcast along the rows


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[list(range(len(y_hat))), y]).mean()


def definitions():
    """Rows of probabilities; the loss is minus the log of the right one, on average."""
    X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert X.sum(0, keepdims=True).tolist() == [[5.0, 7.0, 9.0]]
    assert X.sum(1, keepdims=True).tolist() == [[6.0], [15.0]]

    probabilities = softmax(torch.rand((2, 5)))
    print(probabilities, probabilities.sum(1))
    assert (probabilities > 0).all()
    assert torch.allclose(probabilities.sum(1), torch.ones(2))

    y = torch.tensor([0, 2])
    y_hat = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    print(cross_entropy(y_hat, y))
    assert torch.allclose(cross_entropy(y_hat, y), torch.tensor(1.4979), atol=1e-4)


def overflow():
    """exp(50) is large, exp(100) too large; softmax in nn subtracts the maximum."""
    print(torch.exp(torch.tensor([50])))
    assert torch.allclose(torch.exp(torch.tensor([50])), torch.tensor(5.1847e21))
    large = torch.tensor([[100.0, 0.0]])
    assert softmax(large).isnan().any()
    stable = nn.functional.softmax(large, dim=1)
    assert torch.allclose(stable, torch.tensor([[1.0, 0.0]]))


class SoftmaxRegressionScratch(Classifier):
    def __init__(self, num_inputs, num_outputs, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.W = torch.normal(
            0, sigma, size=(num_inputs, num_outputs), requires_grad=True
        )
        self.b = torch.zeros(num_outputs, requires_grad=True)

    def parameters(self):
        return [self.W, self.b]

    def forward(self, X):
        X = X.reshape((-1, self.W.shape[0]))
        return softmax(torch.matmul(X, self.W) + self.b)

    def loss(self, y_hat, y):
        return cross_entropy(y_hat, y)


class SoftmaxRegression(Classifier):
    """A layer that learns the size of its input, a loss that takes scores."""

    def __init__(self, num_outputs, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))


def train(model, data):
    Trainer(max_epochs=10).fit(model, data)
    accuracy = model.board.curves["val_acc"][-1][1]
    assert accuracy > 0.8, accuracy


def mistakes(model, data):
    """Pictures that the model reads wrong."""
    X, y = next(iter(data.val_dataloader()))
    preds = model(X).argmax(axis=1)
    assert preds.shape == y.shape
    wrong = preds.type(y.dtype) != y
    X, y, preds = X[wrong], y[wrong], preds[wrong]
    names = zip(data.text_labels(y), data.text_labels(preds))
    data.visualize([X, y], labels=[f"{a}/{b}" for a, b in names])


def main():
    torch.manual_seed(0)
    data = Digits()
    look_at(data)
    definitions()
    overflow()
    scratch = SoftmaxRegressionScratch(num_inputs=64, num_outputs=10, lr=0.3)
    train(scratch, data)
    mistakes(scratch, data)
    train(SoftmaxRegression(num_outputs=10, lr=0.3), data)


if __name__ == "__main__":
    main()
