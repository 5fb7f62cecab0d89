"""Sizes that change, and what is computed from them."""

from __future__ import annotations

import numpy as np
import tracefuse as torch
from faithful_rows import row, vec

SIZES = (3, 4, 5, 1, 3, 6, 0, 2)


def each_size(f, width=2, sizes=SIZES):
    make = lambda n: torch.arange(float(n * width)).reshape(n, width) - 2.0
    return f, [(make(n),) for n in sizes]


@row(saved=True)
def a_new_batch_size():
    return each_size(lambda x: x.relu() * 2 + x.shape[0])


@row(saved=True)
def a_loop_over_the_size():
    def f(x):
        y = torch.zeros(2)
        for i in range(x.shape[0]):
            y = y + x[i] * i
        return y

    return each_size(f)


@row(saved=True)
def minus_one_in_reshape():
    return each_size(lambda x: (x.reshape(-1), x.reshape(2, -1), x.view(-1, 1, 2)))


@row(saved=True)
def a_slice_by_a_computed_size():
    return each_size(lambda x: x[: x.shape[0] // 2] * 2)


@row(saved=True)
def the_last_half():
    return each_size(lambda x: x[-(x.shape[0] // 2) :].sum(0))


@row(saved=True)
def a_guard_on_the_size():
    return each_size(lambda x: x.sum(0) if x.shape[0] > 3 else x)


@row(saved=True)
def a_size_of_one_broadcasts():
    f = lambda x: x + torch.ones(4, 2)
    return each_size(f, sizes=(4, 1, 3, 4, 1))


@row(saved=True)
def a_size_divided():
    return each_size(lambda x: x.sum() / x.shape[0] if len(x) else x.sum())


@row(saved=True)
def the_size_as_a_number():
    return each_size(lambda x: (x.numel(), len(x), x.shape, x.size(0) * 2.5))


@row(saved=True)
def a_square_when_the_sizes_agree():
    f = lambda x: x.T + x if x.shape[0] == x.shape[1] else x * 2
    return each_size(f, sizes=(3, 2, 4, 2, 5))


@row(saved=True)
def sizes_of_two_arguments():
    f = lambda x, y: torch.cat([x, y]) * (2 if len(x) > len(y) else 1)
    sizes = [(2, 3), (3, 3), (3, 2), (5, 1), (2, 3), (4, 4)]
    return f, [(torch.ones(a), torch.ones(b)) for a, b in sizes]


@row(saved=True)
def a_matrix_product():
    w = torch.arange(6.0).reshape(2, 3)
    return each_size(lambda x: x @ w)


@row(saved=True)
def the_mean_of_nothing():
    return each_size(lambda x: x.mean(0), sizes=(2, 0, 1, 0))


@row(saved=True)
def the_max_of_nothing_raises():
    return each_size(lambda x: x.max(), sizes=(2, 0, 1, 0))


@row(saved=True)
def the_number_of_axes():
    f = lambda x: x.sum(-1) if x.ndim > 1 else x * 2
    shapes = [(2, 3), (3,), (2, 2, 3), (), (2, 3)]
    return f, [(torch.ones(s),) for s in shapes]


@row(saved=True)
def another_layout():
    f = lambda x: (x.is_contiguous(), x.stride(), x.reshape(-1) * 2)
    a = torch.arange(6.0).reshape(2, 3)
    return f, [(a,), (a.T,), (a[:, :2],), (a.T.contiguous(),), (a,)]


@row(saved="has no recording to save")
def a_mask_as_long_as_the_batch():
    return each_size(lambda x: x[torch.arange(x.shape[0]) % 2 == 0])


@row(saved=True)
def chunks_and_splits():
    return each_size(lambda x: [p.sum(0) for p in x.split(2)] + list(x.chunk(2)))


@row(saved=True)
def an_empty_tensor_then_a_full_one():
    return (lambda x: x * 2 + 1), [(vec(),), (vec(1),), (vec(),), (vec(1, 2),)]


@row(saved=True)
def new_tensors_by_size():
    f = lambda x: torch.zeros(x.shape) + torch.arange(x.shape[1]) + x.new_ones(x.shape)
    return each_size(f)


@row(saved=True)
def a_triangle_by_size():
    f = lambda x: torch.ones(len(x), len(x)).tril() @ x
    return each_size(f)


@row(saved="has no recording to save")
def a_size_from_numpy():
    f = lambda x, a: x.reshape(a.shape) * a.size
    pairs = [np.ones((2, 3)), np.ones((3, 2)), np.ones(6), np.ones((2, 3))]
    return f, [(torch.arange(6.0), a) for a in pairs]


@row(saved=True)
def padding_to_a_multiple():
    f = lambda x: torch.nn.functional.pad(x, (0, 0, 0, -x.shape[0] % 4))
    return each_size(f)


@row(saved=True)
def a_dtype_that_changes():
    f = lambda x: x * 2 + 1
    kinds = (torch.float32, torch.float64, torch.float32)
    return f, [(torch.ones(3, dtype=d),) for d in kinds]


@row
def sizes_in_a_text():
    f = lambda x: (x * 2, f"{x.shape[0]}", repr(x.shape), str(x.size(0)))
    return each_size(f)


@row
def sizes_in_the_text_of_a_tuple():
    return each_size(lambda x: (x * 2, str(tuple(x.shape)), repr(list(x.shape))))


@row
def sizes_as_keys():
    seen = {}

    def f(x):
        seen[x.shape] = seen.get(x.shape, 0) + 1
        return x * seen[x.shape]

    return *each_size(f), seen


@row
def sizes_sorted_and_hashed():
    f = lambda x: (x * 2, sorted(x.shape), max(x.shape), len({*x.shape}))
    return each_size(f)


@row
def the_type_of_a_size():
    f = lambda x: (x + 1, isinstance(x.shape[0], int), type(x.shape[0]).__name__)
    return each_size(f)


@row
def a_size_in_floats():
    f = lambda x: (x * x.shape[0] ** 0.5, float(x.shape[0]), x.shape[0] / 2)
    return each_size(f)
