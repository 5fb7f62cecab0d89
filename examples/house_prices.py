"""From a small table with gaps to tensors, and from tensors to predicted prices.

The table is read with Python's own csv module: missing numbers become the mean of
their column, categories become one column of zeros and ones each.
"""

import csv
import math
import tempfile
from pathlib import Path

import tracefuse as torch
from tracefuse import nn

TABLE = """NumRooms,RoofType,Price
NA,NA,127500
2,NA,106000
4,Slate,178100
NA,NA,140000
"""


def read_table(path):
    """A dict of columns; what is missing is None."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: [None if row[name] == "NA" else row[name] for row in rows]
        for name in rows[0]
    }


def numbers(column):
    """A float64 column with the mean of what is known where something is missing."""
    known = [math.nan if x is None else float(x) for x in column]
    values = torch.tensor(known, dtype=torch.float64)
    return torch.where(values.isnan(), values.nanmean(), values)


def indicators(column):
    """One column for each category; a missing one is a category of its own."""
    categories = sorted(set(column) - {None}) + [None]
    columns = [torch.tensor([x == c for x in column]) for c in categories]
    return torch.stack(columns, dim=1).double(), categories


def as_tensors(table):
    """(inputs, prices), both float64."""
    rooms = numbers(table["NumRooms"])
    roofs, categories = indicators(table["RoofType"])
    print("NumRooms", *(f"RoofType_{c}" for c in categories))
    return torch.cat((rooms[:, None], roofs), dim=1), numbers(table["Price"])


def fit(inputs, prices):
    """A line through the standardised table: least squares by gradient descent."""
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    scale = prices.std()
    targets = ((prices - prices.mean()) / scale).reshape(-1, 1)
    model = nn.Linear(3, 1, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @torch.jit
    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(500):
        loss = step()
    assert step.cache_info()["recordings"] <= 3
    with torch.no_grad():
        return model(inputs).reshape(-1) * scale + prices.mean(), loss.item()


def main():
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "house_tiny.csv")
        path.write_text(TABLE)
        table = read_table(path)
    assert table["NumRooms"] == [None, "2", "4", None]
    inputs, prices = as_tensors(table)
    print(inputs, prices, sep="\n")
    assert inputs.dtype is prices.dtype is torch.float64
    assert inputs.tolist() == [
        [3.0, 0.0, 1.0],
        [2.0, 0.0, 1.0],
        [4.0, 1.0, 0.0],
        [3.0, 0.0, 1.0],
    ]
    assert prices.tolist() == [127500.0, 106000.0, 178100.0, 140000.0]

    predicted, loss = fit(inputs, prices)
    print("predicted:", [round(p) for p in predicted.tolist()], f"loss {loss:.4f}")
    # Two houses look alike, so the best line gives both the mean of their prices.
    expected = prices.clone()
    expected[[0, 3]] = prices[[0, 3]].mean()
    assert torch.allclose(predicted, expected, rtol=1e-3)


if __name__ == "__main__":
    main()
