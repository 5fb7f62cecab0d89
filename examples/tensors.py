"""Tensors: making them, looking at them, indexing, arithmetic, broadcasting, memory.

Everything here is PyTorch as it is taught; only the import differs.
"""

import math

import numpy as np
import tracefuse as torch


def making():
    """From lists and arrays, by shape, by chance."""
    x = torch.arange(12, dtype=torch.float32)
    print(x)
    assert x.numel() == 12 and x.shape == torch.Size([12])

    from_list = torch.tensor([[2, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    from_array = torch.tensor(np.array([[1, 2, 3], [4, 5, 6]]))
    assert from_list.dtype is from_array.dtype is torch.int64

    zeros, ones = torch.zeros((2, 3, 4)), torch.ones((2, 3, 4))
    print(zeros)
    assert zeros.sum() == 0 and ones.sum() == ones.numel() == 24
    assert torch.empty(2, 4).shape == (2, 4)  # whatever numbers were there

    uniform, normal = torch.rand(3, 3), torch.randn(3, 4)
    print(normal)
    assert ((uniform >= 0) & (uniform < 1)).all() and normal.isfinite().all()


def looking():
    """Shape, type and place of a tensor."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float32)
    print(x.shape, x.dtype, x.device)
    assert x.shape == x.size() == (2, 2) and len(x) == x.size(0) == 2
    assert x.dtype is torch.float32 and str(x.device) == "cpu"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert x.to(device).device.type == device.type

    for shape in [(2, 3, 4), (3, 2, 4), (4, 3, 2)]:
        assert len(torch.arange(24).reshape(shape)) == shape[0]  # the first axis


def indexing():
    """Rows, ranges of rows, single elements, elements picked by lists; writing too."""
    grid = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    print(grid[-1], grid[1:3])
    assert grid[-1].tolist() == [8.0, 9.0, 10.0, 11.0]
    assert grid[1:3].tolist() == [[4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]

    grid[1, 2] = 17
    assert grid[1].tolist() == [4.0, 5.0, 17.0, 7.0]
    grid[:2, :] = 12
    assert grid[:2].eq(12).all() and grid[2, 0] == 8

    chances = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    print(chances[[0, 1], torch.tensor([0, 2])])
    assert chances[[0, 1], [0, 2]].equal(torch.tensor([0.1, 0.5]))


def arithmetic():
    """Operators work element by element; integers join floats as floats."""
    x, y = torch.tensor([1.0, 2, 4, 8]), torch.tensor([2, 2, 2, 2])
    results = x + y, x - y, x * y, x / y, x**y
    print(*results, sep="\n")
    assert [r.tolist() for r in results] == [
        [3.0, 4.0, 6.0, 10.0],
        [-1.0, 0.0, 2.0, 6.0],
        [2.0, 4.0, 8.0, 16.0],
        [0.5, 1.0, 2.0, 4.0],
        [1.0, 4.0, 16.0, 64.0],
    ]
    powers = torch.exp(torch.arange(12, dtype=torch.float32))
    print(powers)
    assert torch.allclose(powers, torch.tensor([math.exp(i) for i in range(12)]))


def joining_and_comparing():
    """Tensors side by side or on top of each other; comparisons give booleans."""
    x = torch.arange(12, dtype=torch.float32).reshape((3, 4))
    y = torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
    below, beside = torch.cat((x, y), dim=0), torch.cat((x, y), dim=1)
    print(below, beside, sep="\n")
    assert below.shape == (6, 4) and beside.shape == (3, 8)
    assert below[3:].equal(y) and beside[:, 4:].equal(y)

    print(x == y)
    assert (x == y).tolist() == [[False, True, False, True], [False] * 4, [False] * 4]
    assert x.sum() == 66
    differ = (x < y) | (x > y)
    assert differ.equal(x != y)
    cubes = x.reshape((1, 3, 4)), y.reshape((1, 3, 4))
    assert ((cubes[0] < cubes[1]) | (cubes[0] > cubes[1])).equal(differ[None])


def broadcasting():
    """Axes of length one stretch: a column plus a row is a table."""
    column, row = torch.arange(3).reshape((3, 1)), torch.arange(2).reshape((1, 2))
    print(column + row)
    assert (column + row).tolist() == [[0, 1], [1, 2], [2, 3]]


def memory():
    """`y = y + x` makes a new tensor; slices and `+=` write into the old one."""
    x = torch.arange(12, dtype=torch.float32).reshape((3, 4))
    y = torch.ones(3, 4)
    before = id(y)
    y = y + x
    assert id(y) != before

    z = torch.zeros_like(y)
    before, address = id(z), z.data_ptr()
    z[:] = x + y
    assert id(z) == before and z.data_ptr() == address and z.equal(x + y)

    before = id(x)
    x += y
    assert id(x) == before and x.equal(z)


def with_numpy():
    """Arrays and tensors share memory both ways; one element is a Python number."""
    x = torch.ones(3)
    array = x.numpy()
    again = torch.from_numpy(array)
    print(type(array), type(again))
    array[0] = 5
    assert x.tolist() == again.tolist() == [5.0, 1.0, 1.0]

    a = torch.tensor([3.5])
    print(a, a.item(), float(a), int(a))
    assert (a.item(), float(a), int(a)) == (3.5, 3.5, 3)


@torch.jit
def update(table, rows):
    """Writes mean inside a jitted function what they mean outside."""
    table[1, 2] = 17
    table[:] = table + rows
    table += rows
    return table


def jitted():
    table, rows = torch.zeros(3, 4), torch.arange(3.0).reshape(3, 1)
    for _ in range(3):
        assert update(table, rows) is table
    print(table)
    assert table[0].tolist() == [0.0] * 4 and table[2].tolist() == [12.0] * 4
    assert table[1].tolist() == [6.0, 6.0, 19.0, 6.0]


def main():
    torch.manual_seed(0)
    making()
    looking()
    indexing()
    arithmetic()
    joining_and_comparing()
    broadcasting()
    memory()
    with_numpy()
    jitted()


if __name__ == "__main__":
    main()
