"""Linear algebra: scalars to matrices, sums and means along axes, products, norms."""

import numpy as np
import tracefuse as torch


def scalars_and_vectors():
    """Tensors of no and of one dimension."""
    x, y = torch.tensor(3.0), torch.tensor(2.0)
    print(x + y, x * y, x / y, x**y)
    assert [t.item() for t in (x + y, x * y, x / y, x**y)] == [5.0, 6.0, 1.5, 9.0]

    v = torch.arange(4)
    print(v[3])
    assert v[3] == 3 and len(v) == 4 and v.shape == (4,)


def matrices():
    """Transposes, symmetry, products of elements, tensors of any order."""
    a = torch.arange(20).reshape(5, 4)
    print(a.T)
    assert a.T.shape == (4, 5) and a.T[1].tolist() == [1, 5, 9, 13, 17]

    symmetric = torch.tensor([[1, 2, 3], [2, 0, 4], [3, 4, 5]])
    assert (symmetric == symmetric.T).all()

    a = torch.arange(20, dtype=torch.float32).reshape(5, 4)
    b = a.clone()  # memory of its own
    print(a + b, a * b, sep="\n")
    assert (a + b).equal(2 * a) and (a * b).equal(a**2)

    cube = torch.arange(24).reshape(2, 3, 4)
    assert (2 + cube)[1, 2, 3] == 25 and (2 * cube).shape == (2, 3, 4)


def sums():
    """Sums and means of everything or along axes, keeping the axis or not."""
    a = torch.arange(20, dtype=torch.float32).reshape(5, 4)
    print(a.sum(axis=0), a.sum(axis=1))
    assert a.sum() == a.sum(axis=[0, 1]) == 190
    assert a.sum(axis=0).tolist() == [40.0, 45.0, 50.0, 55.0]
    assert a.sum(axis=1).tolist() == [6.0, 22.0, 38.0, 54.0, 70.0]
    assert a.mean() == a.sum() / a.numel() == 9.5
    assert a.mean(axis=0).equal(a.sum(axis=0) / a.shape[0])

    rows = a.sum(axis=1, keepdims=True)
    print(a / rows)
    assert rows.shape == (5, 1) and torch.allclose((a / rows).sum(1), torch.ones(5))
    assert a.cumsum(axis=0)[-1].equal(a.sum(axis=0))

    cube = torch.arange(24).reshape(4, 3, 2)
    shapes = [tuple(cube.sum(axis=axis).shape) for axis in range(3)]
    assert shapes == [(3, 2), (4, 2), (4, 3)]
    assert cube.sum(axis=0).tolist() == [[36, 40], [44, 48], [52, 56]]
    assert cube.sum(axis=2)[3].tolist() == [37, 41, 45]


def a_mistake():
    """A sum that lost its axis no longer fits its matrix: 4 columns, 5 sums."""
    a = torch.arange(20, dtype=torch.float32).reshape(5, 4)
    try:
        a / a.sum(axis=1)
    except RuntimeError as error:
        print("RuntimeError:", error)
    else:
        raise AssertionError("shapes (5, 4) and (5,) do not broadcast")


def products():
    """Dot products, a matrix times a vector, a matrix times a matrix."""
    a, x = torch.arange(20.0).reshape(5, 4), torch.arange(4.0)
    y, b = torch.ones(4, dtype=torch.float32), torch.ones(4, 3)
    print(torch.dot(x, y), torch.mv(a, x))
    assert torch.dot(x, y) == torch.sum(x * y) == 6
    assert torch.mv(a, x).tolist() == [14.0, 38.0, 62.0, 86.0, 110.0]
    assert torch.mm(a, b).equal(a.sum(1, keepdims=True).expand(5, 3))
    assert torch.mv(a, x).equal(a @ x) and torch.mm(a, b).equal(a @ b)


def norms():
    """Lengths; NumPy's own functions take tensors too."""
    u = torch.tensor([3.0, -4.0])
    print(torch.norm(u), torch.abs(u).sum())
    assert torch.norm(u) == 5 and torch.abs(u).sum() == 7
    assert torch.norm(torch.ones((4, 9))) == 6

    for shape, length in [((4, 3, 2), 65.757128), ((4, 3, 2, 2), 188.997354)]:
        x = torch.arange(int(np.prod(shape))).reshape(shape)
        assert np.isclose(np.linalg.norm(x), length)  # of all elements, as one vector
        assert np.isclose(torch.norm(x.double()).item(), length)


def main():
    scalars_and_vectors()
    matrices()
    sums()
    a_mistake()
    products()
    norms()


if __name__ == "__main__":
    main()
