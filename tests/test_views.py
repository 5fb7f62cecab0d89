"""Views and copies: values and shared memory; eager, recorded, and as PyTorch."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tracefuse as tf
from recording_tools import recorded


def dim_of(r, ndim):
    return r.randint(-max(ndim, 1), max(ndim, 1) - 1)


def split_up(r, n, parts):
    """Sizes whose product is `n`."""
    sizes = []
    for _ in range(parts - 1):
        size = r.choice([d for d in range(1, n + 1) if n % d == 0] or [1])
        sizes.append(size)
        n //= size
    return (*sizes, n)


def random_step(r, t):
    """A name and a function (library, tensor) -> tensor that fits the shape of `t`."""
    shape, ndim = tuple(t.shape), t.ndim
    d, e = dim_of(r, ndim), dim_of(r, ndim)
    n = shape[d] if ndim else 1
    k, m = r.randint(1, 3), r.randint(0, n)
    target = split_up(r, int(np.prod(shape)), r.randint(1, 4))
    wide = (
        *[2] * r.randint(0, 1),
        *(r.choice((-1, 3)) if s == 1 else s for s in shape),
    )
    steps = {
        "reshape": lambda lib, x: x.reshape(target),
        "flatten": lambda lib, x: x.flatten(),
        "squeeze": lambda lib, x: x.squeeze(),
        "unsqueeze": lambda lib, x: x.unsqueeze(d),
        "expand": lambda lib, x: x.expand(wide or (1,)),
        "contiguous": lambda lib, x: x.contiguous(),
        "clone": lambda lib, x: x.contiguous().clone(),
        "detach": lambda lib, x: x.detach(),
        "atleast_3d": lambda lib, x: lib.atleast_3d(x),
        "stack": lambda lib, x: lib.stack([x, x], d),
    }
    if ndim:
        order = r.sample(range(ndim), ndim)
        counts = [r.randint(1, 2) for _ in shape]
        steps |= {
            "permute": lambda lib, x: x.permute(order),
            "transpose": lambda lib, x: x.transpose(d, e),
            "movedim": lambda lib, x: x.movedim(d, e),
            "squeeze one": lambda lib, x: x.squeeze(d),
            "unflatten": lambda lib, x: x.unflatten(d, (1, -1) if n else (1, 0)),
            "narrow": lambda lib, x: x.narrow(d, m, n - m),
            "split": lambda lib, x: x.split(k, d)[0],
            "chunk": lambda lib, x: x.chunk(k, d)[-1],
            "tensor_split": lambda lib, x: x.tensor_split(k, d)[-1],
            "roll": lambda lib, x: x.roll(m, d).contiguous(),
            "flip": lambda lib, x: x.contiguous().flip(d),
            "repeat": lambda lib, x: x.repeat(counts),
            "interleave": lambda lib, x: x.repeat_interleave(k, d),
            "cat": lambda lib, x: lib.cat([x, x], d).contiguous(),
        }
    if ndim and n:
        steps["select"] = lambda lib, x: x.select(d, m % n)
        steps["unbind"] = lambda lib, x: x.unbind(d)[-1]
        steps["windows"] = lambda lib, x: (
            x.contiguous().unfold(d, min(k, n), 1).contiguous()
        )
    return r.choice(sorted(steps.items()))


def random_program(r, array):
    """Up to four steps that fit one after the other."""
    t, names, functions = tf.from_numpy(array.copy()), [], []
    for _ in range(r.randint(1, 4)):
        name, function = random_step(r, t)
        t = function(tf, t)
        names.append(name)
        functions.append(function)

    def program(lib, x):
        for function in functions:
            x = function(lib, x)
        return x

    return names, program


def samples(seed, count=60):
    r = random.Random(seed)
    for _ in range(count):
        shape = tuple(r.choice((1, 2, 3, 4)) for _ in range(r.randint(0, 4)))
        array = np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
        yield array, *random_program(r, array)


def overwritten(program, lib):
    """The result, its strides (of sizes above 1), and what a write to it leaves."""

    def run(x):
        y = program(lib, x)
        before = y * 1
        layout = [s for s, n in zip(y.stride(), y.shape) if n > 1]
        run.seen = (layout, y.is_contiguous()) if y.numel() else ()
        try:
            y.add_(100)
        except RuntimeError:  # the memory of an expanded tensor
            run.seen = (*run.seen, "refused")
        return before

    return run


@pytest.mark.parametrize("seed", range(8))
def test_recorded_views_are_eager_views(seed):
    for array, names, program in samples(seed):
        eager, traced = overwritten(program, tf), overwritten(program, tf)
        x = tf.from_numpy(array.copy())
        y = eager(x)
        run = recorded(traced, tf.from_numpy(array.copy()))
        assert run.outputs[0].shape == tuple(y.shape), names
        assert (run.outputs[0] == y.numpy()).all(), names
        assert traced.seen == eager.seen, names
        assert (run.arguments[0] == x.numpy()).all(), names


@pytest.mark.parametrize("seed", range(8))
def test_views_are_torch_views(seed):
    torch = pytest.importorskip("torch")
    for array, names, program in samples(seed):
        ours, theirs = overwritten(program, tf), overwritten(program, torch)
        x, z = tf.from_numpy(array.copy()), torch.from_numpy(array.copy())
        y, expected = ours(x), theirs(z)
        assert tuple(y.shape) == tuple(expected.shape), names
        assert (y.numpy() == expected.numpy()).all(), names
        if "refused" not in ours.seen:  # PyTorch looks closer: a part may be writable
            assert ours.seen == theirs.seen, names
            assert (x.numpy() == z.numpy()).all(), names


# -- one by one


def test_reshape_copies_only_where_it_must():
    x = tf.arange(6.0).reshape(2, 3)
    x.reshape(3, 2)[0] = 9
    assert x.tolist() == [[9, 9, 2], [3, 4, 5]]
    x.t().reshape(6)[0] = 7
    assert x[0, 0] == 9


def test_view_refuses_to_copy():
    x = tf.zeros(2, 3).t()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.view(6)
    with pytest.raises(RuntimeError, match=r"shape '\[4, -1\]' is invalid for input"):
        x.reshape(4, -1)
    with pytest.raises(RuntimeError, match="only one dimension can be inferred"):
        x.reshape(-1, -1)


def test_numbers_of_dimensions():
    x = tf.zeros(2, 3)
    for call in (x.squeeze, x.select, x.unbind, x.size, x.flip):
        args = (5, 0) if call == x.select else (5,)
        with pytest.raises(IndexError, match=r"range of \[-2, 1\], but got 5"):
            call(*args)
    with pytest.raises(RuntimeError, match="duplicate dims"):
        x.permute(0, 0)
    with pytest.raises(RuntimeError, match="not equal to len"):
        x.permute(0)


def test_parts_that_do_not_fit():
    x = tf.zeros(4)
    with pytest.raises(RuntimeError, match=r"start \(3\) \+ length \(2\) exceeds"):
        x.narrow(0, 3, 2)
    with pytest.raises(RuntimeError, match="to sum exactly to 4"):
        x.split([1, 2])
    with pytest.raises(RuntimeError, match="greater than 0"):
        x.chunk(0)
    with pytest.raises(RuntimeError, match="maximum size for tensor"):
        x.unfold(0, 5, 1)


def test_joining_that_does_not_fit():
    a, b = tf.zeros(2, 3), tf.zeros(2, 4)
    with pytest.raises(RuntimeError, match="Expected size 3 but got size 4"):
        tf.cat([a, b])
    with pytest.raises(RuntimeError, match="same number of dimensions: got 2 and 1"):
        tf.cat([a, tf.zeros(3)])
    with pytest.raises(RuntimeError, match="equal size, but got .* at entry 1"):
        tf.stack([a, b])
    with pytest.raises(TypeError, match="expected Tensor as element 1"):
        tf.cat([a, [1]])
    assert tf.cat([a, tf.zeros(0), b], 1).shape == (2, 7)


def test_stretched_memory_is_not_written():
    x = tf.zeros(1, 3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to"):
        x.expand(2, 3).add_(1)
    with pytest.raises(RuntimeError, match=r"expanded size of the tensor \(4\)"):
        x.expand(2, 4)


def test_detach_shares_memory_but_no_gradient():
    x = tf.ones(2, requires_grad=True)
    y = x.detach()
    y[0] = 5
    assert x.tolist() == [5, 1] and not y.requires_grad and x.requires_grad


def test_data_exchanges_the_numbers():
    x = tf.ones(2, requires_grad=True)
    new = tf.zeros(2)
    x.data = new
    new[0] = 3
    assert x.tolist() == [3, 0] and x.is_leaf and x.requires_grad
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]
    x.data.mul_(2)
    assert x.tolist() == [6, 0]


def test_data_is_written_when_recorded():
    def step(x):
        x.data = x.data - 1
        return x * 2

    run = recorded(step, tf.ones(2))
    assert run.outputs[0].tolist() == [0, 0] and run.arguments[0].tolist() == [0, 0]


def test_arrays_on_the_same_memory_share_a_storage():
    array = np.zeros((3, 4), np.float32)
    whole, column, again = map(tf.from_numpy, (array, array[:, 1], array.T))

    def program(whole, column, again):
        column += 1
        return whole * 1, again * 1

    run = recorded(program, whole, column, again)
    assert run.outputs[0][:, 1].tolist() == [1, 1, 1]
    assert run.outputs[1][1].tolist() == [1, 1, 1]


def test_conversion_keeps_what_fits():
    x = tf.ones(2)
    assert x.to(tf.float32) is x and x.float() is x and x.cpu() is x
    assert x.to(tf.float32, copy=True) is not x
    assert x.to("cpu", tf.int64).dtype is tf.int64
    assert (
        x.type() == "tracefuse.FloatTensor"
        and x.type("torch.LongTensor").dtype is tf.long
    )
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        x.to(foo=1)
    with pytest.raises(tf.DeviceError, match="device='cpu'"):
        x.to("cuda")


def test_a_tensor_is_a_sequence():
    x = tf.arange(6).reshape(3, 2)
    assert len(x) == 3 and [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    assert 5 in x and 7 not in x
    with pytest.raises(TypeError, match="len\\(\\) of a 0-d tensor"):
        len(tf.tensor(1))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(tf.tensor(1))


@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_torch_gradients(seed):
    torch = pytest.importorskip("torch")
    for array, names, program in samples(seed, 30):
        grads = []
        for lib in (tf, torch):
            x = lib.from_numpy(array.copy()).requires_grad_()
            y = program(lib, x * 1) + 0 * x.sum()
            (y * y).sum().backward()
            grads.append(x.grad.numpy())
        np.testing.assert_allclose(*grads, rtol=1e-5, err_msg=str(names))
