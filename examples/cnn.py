"""Convolutional networks: two of them, trained by a loop over a DataLoader.

The first takes colour images of 32x32 (here: squares and stripes, made up on the fly),
the second the 8x8 digits that come with tracefuse.
"""

import tracefuse as torch
import tracefuse.nn as nn
import tracefuse.optim as optim
from tracefuse.utils.data import DataLoader, TensorDataset, random_split


class SimpleCNN(nn.Module):
    """Two convolutions with pooling, two fully connected layers; 3x32x32 images."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(64 * 6 * 6, 128)
        self.fc2 = nn.Linear(128, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv2(x)), 2)
        x = x.view(-1, 64 * 6 * 6)
        x = nn.functional.relu(self.fc1(x))
        return self.fc2(x)


class DigitCNN(nn.Module):
    """The same idea as a Sequential, for one channel of 8x8."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16 * 4 * 4, 10),
        )

    def forward(self, x):
        return self.net(x)


def pictures(count):
    """Stripes across (label 0) and stripes down (label 1), in noise."""
    labels = torch.randint(0, 2, (count,))
    wave = torch.sin(torch.arange(32.0) + 6.3 * torch.rand(count, 1))
    down = wave[:, None, None, :].expand(count, 3, 32, 32)
    across = down.transpose(2, 3)
    images = torch.where(labels.reshape(-1, 1, 1, 1) == 1, down, across)
    return TensorDataset(images + 0.5 * torch.randn(count, 3, 32, 32), labels)


def train(model, loader, epochs):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.003)

    @torch.jit
    def step(inputs, targets):
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        return loss

    model.train()
    for epoch in range(epochs):
        for inputs, targets in loader:
            loss = step(inputs.to(device), targets.to(device))
        print(f"Epoch [{epoch + 1}/{epochs}], Loss: {loss.item():.4f}")
    assert step.cache_info()["recordings"] <= 4


@torch.no_grad()
def accuracy(model, dataset):
    model.eval()
    correct = total = 0
    for inputs, targets in DataLoader(dataset, batch_size=256):
        correct += (model(inputs).argmax(1) == targets).sum().item()
        total += len(targets)
    return correct / total


def stripes():
    model = SimpleCNN(classes=2)
    assert model(torch.randn(4, 3, 32, 32)).shape == (4, 2)
    train(model, DataLoader(pictures(128), batch_size=32, shuffle=True), epochs=3)
    found = accuracy(model, pictures(64))
    print(f"stripes: {found:.0%}")
    assert found > 0.9


def digits():
    images, labels = map(torch.from_numpy, torch.data.digits())
    dataset = TensorDataset(images.reshape(-1, 1, 8, 8), labels)
    learn, held_out = random_split(dataset, [0.8, 0.2])
    model = DigitCNN()
    train(model, DataLoader(learn, batch_size=64, shuffle=True), epochs=6)
    found = accuracy(model, held_out)
    print(f"digits: {found:.1%}")
    assert found > 0.94


def main():
    torch.manual_seed(0)
    stripes()
    digits()


if __name__ == "__main__":
    main()
