"""Multilayer perceptrons on handwritten digits: from scratch, concise, and bare.

The first two use the trainer of this folder, the third is a training loop as most
PyTorch programs write it.
"""

import tracefuse as torch
import tracefuse.nn.functional as F
from softmax_regression import Digits
from tracefuse import nn
from trainer import Classifier, Trainer


def relu(X):
    return torch.max(X, torch.zeros_like(X))


class MLPScratch(Classifier):
    """One hidden layer made of bare parameters."""

    def __init__(self, num_inputs, num_outputs, num_hiddens, lr, sigma=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.W1 = nn.Parameter(torch.randn(num_inputs, num_hiddens) * sigma)
        self.b1 = nn.Parameter(torch.zeros(num_hiddens))
        self.W2 = nn.Parameter(torch.randn(num_hiddens, num_outputs) * sigma)
        self.b2 = nn.Parameter(torch.zeros(num_outputs))

    def forward(self, X):
        X = X.reshape((-1, self.num_inputs))
        H = relu(torch.matmul(X, self.W1) + self.b1)
        return torch.matmul(H, self.W2) + self.b2


class MLP(Classifier):
    """The same network; each LazyLinear learns its input size from the first batch."""

    def __init__(self, num_outputs, num_hiddens, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.LazyLinear(num_hiddens),
            nn.ReLU(),
            nn.LazyLinear(num_outputs),
        )


class Net(nn.Module):
    """Two fully connected layers."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def with_trainer(model, data):
    trainer = Trainer(max_epochs=8)
    trainer.fit(model, data)
    accuracy = model.board.curves["val_acc"][-1][1]
    assert accuracy > 0.85, accuracy
    assert trainer.step.cache_info()["recordings"] <= 6  # of 184 steps


def bare_loop(data, epochs=10):
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    @torch.jit
    def step(inputs, labels):
        optimizer.zero_grad()
        outputs = net(inputs.view(-1, 64))
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    for epoch in range(epochs):
        running_loss, loader = 0.0, data.train_dataloader()
        for inputs, labels in loader:
            running_loss += step(inputs, labels).item()
        losses.append(running_loss / len(loader))
        print(f"Epoch {epoch + 1}, Loss: {losses[-1]:.4f}")
    assert losses[-1] < losses[0] / 5


def main():
    torch.manual_seed(0)
    data = Digits()
    scratch = MLPScratch(num_inputs=64, num_outputs=10, num_hiddens=64, lr=0.2)
    with_trainer(scratch, data)
    with_trainer(MLP(num_outputs=10, num_hiddens=64, lr=0.2), data)
    bare_loop(data)


if __name__ == "__main__":
    main()
