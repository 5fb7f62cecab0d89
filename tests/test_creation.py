"""Tensors from numbers, lists, arrays and sizes; NumPy, DLPack, copy and pickle."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import tracefuse as tf
from recording_tools import recorded


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        (3, tf.int64, 3),
        (True, tf.bool, True),
        (2.5, tf.float32, 2.5),
        ([1, 2.5, True], tf.float32, [1, 2.5, 1]),
        ([[1, 2], [3, 4]], tf.int64, [[1, 2], [3, 4]]),
        ((True, 2), tf.int64, [1, 2]),
        (range(3), tf.int64, [0, 1, 2]),
        (np.float64(1), tf.float64, 1),
        ([np.float32(1), 2], tf.float32, [1, 2]),
        ([np.int32(1)], tf.int32, [1]),
        ([np.ones(2), np.ones(2)], tf.float64, [[1, 1], [1, 1]]),
        (np.arange(3, dtype=np.uint8), tf.uint8, [0, 1, 2]),
        ([], tf.float32, []),
        ([[], []], tf.float32, [[], []]),
    ],
)
def test_types_of_data(data, dtype, expected):
    t = tf.tensor(data)
    assert t.dtype is dtype and t.tolist() == expected


def test_the_default_dtype_is_that_of_floats():
    tf.set_default_dtype(tf.float64)
    try:
        assert tf.tensor(1.0).dtype is tf.float64 and tf.zeros(1).dtype is tf.float64
    finally:
        tf.set_default_dtype(tf.float32)
    with pytest.raises(TypeError, match="only floating-point types"):
        tf.set_default_dtype(tf.int64)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (
            [[1, 2], [3]],
            ValueError,
            r"expected sequence of length 2 at dim 1 \(got 1\)",
        ),
        ([1, [2]], TypeError, "list"),
        ([[1], 2], TypeError, "not a sequence"),
        ("a", TypeError, "invalid data type 'str'"),
        ([None], RuntimeError, "Could not infer dtype of NoneType"),
        (2**70, ValueError, "without overflow"),
        ([np.ones(2, complex)], TypeError, "no tensor has the element type"),
    ],
)
def test_data_that_is_none(data, error, text):
    with pytest.raises(error, match=text):
        tf.tensor(data)


def test_tensor_copies_and_as_tensor_does_not():
    array = np.zeros(2)
    copied, shared = tf.tensor(array), tf.as_tensor(array)
    array[0] = 1
    assert copied.tolist() == [0, 0] and shared.tolist() == [1, 0]
    assert tf.as_tensor(shared) is shared and tf.tensor(shared) is not shared
    assert tf.as_tensor(array, dtype=tf.float32).dtype is tf.float32


# -- by sizes


def test_fillers():
    assert tf.zeros(2, 3).shape == tf.ones((2, 3)).shape == tf.empty([2, 3]).shape
    assert tf.full((2,), 7).dtype is tf.int64 and tf.full((2,), True).dtype is tf.bool
    assert tf.full_like(tf.ones(2), 3).tolist() == [3, 3]
    assert tf.ones_like(tf.ones(2), dtype=tf.bool).tolist() == [True, True]
    x = tf.ones(2, dtype=tf.float16)
    assert x.new_zeros(3).dtype is tf.float16 and x.new_tensor([1]).dtype is tf.float16
    assert tf.zeros(1, requires_grad=True).requires_grad


def test_ranges():
    assert tf.arange(5).tolist() == [0, 1, 2, 3, 4]
    assert tf.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert tf.arange(10, 1, -3).tolist() == [10, 7, 4]
    assert tf.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert tf.linspace(3, 4, 1).tolist() == [3]
    assert tf.logspace(0, 3, 4, base=2).tolist() == [1, 2, 4, 8]
    assert tf.linspace(-0.1, 0.7, 23)[-1].item() == np.float32(0.7)


def test_grids():
    assert tf.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    a, b = tf.meshgrid(tf.arange(2), tf.arange(3), indexing="xy")
    assert a.tolist() == [[0, 1]] * 3 and b.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert tf.tril_indices(3, 3).tolist() == [list(i) for i in np.tril_indices(3)]
    found = tf.triu_indices(3, 4, 1).tolist()
    assert found == [list(i) for i in np.triu_indices(3, 1, 4)]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tf.zeros(-1), RuntimeError),
        (lambda: tf.zeros((2, 3.0)), TypeError),
        (lambda: tf.zeros("a"), TypeError),
        (lambda: tf.zeros(2, colour=3), TypeError),
        (lambda: tf.zeros(2, dtype="float"), TypeError),
        (lambda: tf.zeros(2, dtype=tf.int64, requires_grad=True), RuntimeError),
        (lambda: tf.zeros(2, device="cuda"), tf.DeviceError),
        (lambda: tf.device("toaster"), RuntimeError),
        (lambda: tf.arange(0, 1, 0), RuntimeError),
        (lambda: tf.arange(5, 1), RuntimeError),
        (lambda: tf.linspace(0, 1, -1), RuntimeError),
        (lambda: tf.eye(-1), RuntimeError),
        (lambda: tf.finfo(tf.int64), TypeError),
        (lambda: tf.iinfo(tf.float32), TypeError),
    ],
)
def test_wrong_calls(call, error):
    with pytest.raises(error):
        call()


def test_devices():
    assert tf.device("cuda:1") == tf.device("cuda", 1) != tf.device("cpu")
    assert repr(tf.device("cpu")) == "device(type='cpu')"
    assert tf.ones(1).device == tf.device("cpu") and str(tf.ones(1).device) == "cpu"


def test_legacy_constructors():
    assert tf.Tensor(2, 3).shape == (2, 3) and tf.Tensor([1, 2]).dtype is tf.float32
    assert tf.LongTensor([1, 2]).dtype is tf.int64 and tf.LongTensor(2).shape == (2,)
    assert isinstance(tf.ones(1), tf.FloatTensor)
    assert not isinstance(tf.ones(1), tf.LongTensor)


# -- while recording


def test_python_numbers_become_constants():
    program = lambda x: x + tf.tensor([1.0, 2.0]) * tf.tensor(3) + tf.arange(2)  # noqa
    run = recorded(program, tf.zeros(2))
    assert run.outputs[0].tolist() == [3, 7]
    assert len(run.recorder.inputs) == 1 and run.recorder.volatile is None


def test_recorded_tensors_in_a_list_are_stacked():
    run = recorded(lambda x: tf.tensor([x.sum(), 1.0, x[0]]), tf.ones(3))
    assert run.outputs[0].tolist() == [3, 1, 1] and not run.recorder.guards


def test_arrays_are_read_anew():
    run = recorded(lambda x: x + tf.tensor(np.ones(2, np.float32)), tf.zeros(2))
    assert run.outputs[0].tolist() == [1, 1]
    (met,) = run.recorder.arrays.values()
    assert met.sites and not met.shared and not run.recorder.volatile


# -- NumPy and DLPack


def test_numpy_shares_memory_both_ways():
    array = np.zeros(3, np.float32)
    t = tf.from_numpy(array)
    array[0] = 1
    t[1] = 2
    t.numpy()[2] = 3
    assert t.tolist() == array.tolist() == [1, 2, 3]
    assert np.asarray(t).base is not None or np.shares_memory(np.asarray(t), array)
    assert not np.shares_memory(np.array(t), array)
    assert np.asarray(t, dtype=np.float64).dtype == np.float64


def test_numpy_functions_take_tensors():
    x = tf.tensor([3.0, 4.0])
    assert np.linalg.norm(x) == 5
    assert isinstance(np.exp(x), tf.Tensor) and isinstance(np.add(x, x), tf.Tensor)
    assert (x * np.float64(2)).dtype is tf.float32
    assert np.stack([x, x]).shape == (2, 2)


def test_numpy_refuses_what_is_differentiated():
    x = tf.ones(2, requires_grad=True)
    for call in (x.numpy, lambda: np.asarray(x)):
        with pytest.raises(RuntimeError, match="Can't call numpy"):
            call()
    assert x.numpy(force=True).tolist() == [1, 1]


def test_from_numpy_refuses_what_it_cannot_share():
    with pytest.raises(ValueError, match="negative"):
        tf.from_numpy(np.ones(3)[::-1])
    with pytest.raises(TypeError, match="no tensor has the element type"):
        tf.from_numpy(np.array(["a"]))
    with pytest.raises(TypeError, match=r"expected np.ndarray \(got list\)"):
        tf.from_numpy([1])


def test_dlpack_shares_memory_both_ways():
    t = tf.zeros(3)
    array = np.from_dlpack(t)
    t[0] = 1
    assert array.tolist() == [1, 0, 0]

    class Foreign:
        """Another library's array."""

        __dlpack__ = staticmethod(t.__dlpack__)
        __dlpack_device__ = staticmethod(t.__dlpack_device__)

    back = tf.from_dlpack(Foreign())
    t[1] = 2
    assert back.tolist() == [1, 2, 0]


# -- copy and pickle


def test_deepcopy_keeps_what_was_shared():
    x = tf.ones(2, 2, requires_grad=True)
    pair = {"x": x, "row": x.detach()[0], "again": x}
    copied = copy.deepcopy(pair)
    assert copied["x"] is copied["again"] is not x and copied["x"].requires_grad
    copied["row"][0] = 5
    assert copied["x"].tolist() == [[5, 1], [1, 1]] and x.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)


def test_copy_shares_memory():
    x = tf.ones(2)
    y = copy.copy(x)
    y[0] = 3
    assert y is not x and x.tolist() == [3, 1]


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.int64, tf.bool])
def test_pickle(dtype):
    x = tf.ones(2, 3, dtype=dtype)
    y = pickle.loads(pickle.dumps(x.t()))
    assert y.dtype is dtype and y.shape == (3, 2) and tf.equal(y, x.t())


def test_pickle_keeps_requires_grad():
    assert pickle.loads(pickle.dumps(tf.ones(1, requires_grad=True))).requires_grad
