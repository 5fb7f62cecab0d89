"""`save` and `load`: what goes in comes out; what cannot is refused by its place."""

from __future__ import annotations

import io
import math
import os
import pickle
import threading
from collections import OrderedDict, defaultdict

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import tracefuse as torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tracefuse import nn
from tracefuse.api.files import container
from tracefuse.api.files.container_check import KNOWN
from tracefuse.tracer.errors import DeviceError, FormatError, TraceError
from tracefuse.tracer.types import DTYPES


def stored(obj) -> bytes:
    file = io.BytesIO()
    torch.save(obj, file)
    return file.getvalue()


def through(obj):
    return torch.load(io.BytesIO(stored(obj)))


def same(a, b) -> bool:
    """Equal in type, value and bits, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        bits = (a.dtype, a.shape, a.requires_grad, a.detach().numpy().tobytes())
        return bits == (b.dtype, b.shape, b.requires_grad, b.detach().numpy().tobytes())
    if isinstance(a, dict):
        return same(list(a), list(b)) and same([*a.values()], [*b.values()])
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.booleans()
PLAIN = st.none() | NUMBERS | st.text(max_size=8) | st.sampled_from([*DTYPES.values()])
NAMES = st.text(max_size=6)
KEYS = NAMES | st.integers(-9, 99) | st.floats(allow_nan=False) | st.none()
DTYPE = st.sampled_from([d for d in KNOWN.values() if d != ml_dtypes.bfloat16])
SHAPES = st.lists(st.integers(0, 3), max_size=3)


@st.composite
def tensors(draw):
    shape, dtype = draw(SHAPES), draw(DTYPE)
    count = math.prod(shape)
    bits = draw(st.binary(min_size=count * 8, max_size=count * 8))
    array = np.frombuffer(bits, np.uint8)[: count * dtype.itemsize]
    array = array % 2 if dtype == np.bool_ else array
    return torch.from_numpy(array.view(dtype).reshape(shape).copy())


def nests(leaf):
    return st.recursive(
        leaf,
        lambda below: (
            st.lists(below, max_size=3)
            | st.lists(below, max_size=3).map(tuple)
            | st.dictionaries(KEYS, below, max_size=3)
            | st.dictionaries(KEYS, below, max_size=3).map(OrderedDict)
        ),
        max_leaves=12,
    )


@given(nests(PLAIN | tensors()))
@settings(max_examples=150, deadline=None)
def test_round_trip(obj):
    assert same(through(obj), obj)


def test_every_dtype_and_every_kind_of_tensor(tmp_path):
    bare = {name: torch.zeros(2, 3, dtype=t) for name, t in DTYPES.items()}
    kinds = {
        "parameter": nn.Parameter(torch.ones(2)),
        "frozen": nn.Parameter(torch.arange(2), requires_grad=False),
        "variable": torch.ones(2, requires_grad=True),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "size": torch.ones(2, 3).shape,
    }
    torch.save({**bare, **kinds}, tmp_path / "all")
    assert same(torch.load(tmp_path / "all"), {**bare, **kinds})


def test_one_tensor_stays_one():
    x, p = torch.zeros(2), nn.Parameter(torch.ones(3))
    found = through({"a": x, "b": [x, x.detach()], "p": p, "q": p.data, "r": p})
    a, (b, c) = found["a"], found["b"]
    assert a is b and c is not a
    a += 1
    assert c.tolist() == [1, 1]
    assert found["p"] is found["r"] and found["q"] is not found["p"]
    found["q"].zero_()
    assert found["p"].tolist() == [0, 0, 0]
    assert not found["q"].requires_grad and found["p"].is_leaf
    assert len(stored([x] * 50)) < 3000


def test_tied_weights():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    state = through(model.state_dict())
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    state["0.weight"].zero_()
    assert not state["1.weight"].any()


def test_a_state_dict_is_readable_by_anyone(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    torch.save(model.state_dict(), tmp_path / "model")
    found = safetensors.numpy.load_file(tmp_path / "model")
    for name, t in model.state_dict().items():
        assert np.array_equal(found[name], t.numpy())
    state = torch.load(tmp_path / "model", map_location="cpu", weights_only=True)
    assert isinstance(state, OrderedDict)
    fresh = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    fresh.load_state_dict(state)
    assert same(fresh.state_dict(), model.state_dict())


def test_a_checkpoint_continues_training_where_it_was(tmp_path):
    def setting():
        torch.manual_seed(1)
        model = nn.Linear(3, 2)
        return model, torch.optim.Adam(model.parameters(), lr=0.1)

    def train(model, optimizer, steps):
        for k in range(steps):
            optimizer.zero_grad()
            model(torch.ones(4, 3) * k).pow(2).sum().backward()
            optimizer.step()

    model, optimizer = setting()
    train(model, optimizer, 3)
    states = {"model": model.state_dict(), "optim": optimizer.state_dict()}
    checkpoint = {"epoch": 3, **states}
    torch.save(checkpoint, tmp_path / "checkpoint")
    train(model, optimizer, 2)
    resumed, other = setting()
    found = torch.load(tmp_path / "checkpoint")
    assert list(found["optim"]["state"]) == [0, 1] and found["epoch"] == 3
    resumed.load_state_dict(found["model"])
    other.load_state_dict(found["optim"])
    train(resumed, other, 2)
    assert torch.equal(resumed.weight, model.weight)


def test_numbers_of_numpy_become_plain():
    found = through([np.float64(0.1), np.int32(3), np.bool_(True), np.float32(0.5)])
    assert same(found, [0.1, 3, True, 0.5])


# -- files


def test_writing_into_loaded_tensors_leaves_the_file(tmp_path):
    path = tmp_path / "weights"
    torch.save({"w": torch.ones(1000)}, path)
    before = path.read_bytes()
    state = torch.load(path)
    state["w"].mul_(3)
    assert path.read_bytes() == before and torch.load(path)["w"][0] == 1
    torch.save(state, path)  # onto the file that it is mapped from
    assert torch.load(path)["w"][0] == 3 and state["w"][999] == 3


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "old"
    torch.save([1], path)
    for bad in ([torch.ones(2), print], {(1, 2): 3}, [10**400]):
        with pytest.raises((TypeError, ValueError)):
            torch.save(bad, path)
    assert torch.load(path) == [1] and os.listdir(tmp_path) == ["old"]
    with pytest.raises(FileNotFoundError, match="missing"):
        torch.save([1], tmp_path / "missing" / "file")
    with pytest.raises(FileNotFoundError, match="nothing"):
        torch.load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        torch.save([1], tmp_path)


def test_file_objects(tmp_path):
    with open(tmp_path / "stream", "wb") as file:
        file.write(b"before")
        torch.save({"x": torch.ones(2)}, file)
    with open(tmp_path / "stream", "rb") as file:
        file.seek(6)
        assert torch.load(file)["x"].add_(1).tolist() == [2, 2]

    class Pipe(io.RawIOBase):
        content = b""

        def write(self, data):
            Pipe.content += bytes(data)
            return len(data)

    torch.save([1, 2], Pipe())
    assert torch.load(io.BytesIO(Pipe.content)) == [1, 2]
    with pytest.raises(TypeError, match="binary"):
        torch.load(io.StringIO("text"))
    with pytest.raises(TypeError, match="a path or a binary file object, not a int"):
        torch.load(3)


@pytest.mark.parametrize("where", [None, "cpu", torch.device("cpu"), {"cuda:0": "cpu"}])
def test_places_that_exist(where):
    assert torch.load(io.BytesIO(stored([1])), map_location=where) == [1]
    lambdas = torch.load(io.BytesIO(stored([2])), map_location=lambda s, place: s)
    assert lambdas == [2]


def test_a_place_that_does_not_exist():
    with pytest.raises(DeviceError, match="cuda"):
        torch.load(io.BytesIO(stored([1])), map_location="cuda")


def test_a_plain_safetensors_file_is_a_dict(tmp_path):
    arrays = {"b": np.arange(3), "a": np.ones((2, 2), np.float32)}
    safetensors.numpy.save_file(arrays, tmp_path / "foreign")
    found = torch.load(tmp_path / "foreign")
    assert type(found) is dict and found["b"].tolist() == [0, 1, 2]
    assert found["a"].dtype is torch.float32


# -- refusals


class Odd:
    """A class that a file knows nothing of."""


CIRCLE: list = []
CIRCLE.append(CIRCLE)
UNSAVABLE = {
    "a module": ({"m": [nn.Linear(1, 1)]}, r"obj\['m'\]\[0\], a Linear: .*state_dict"),
    "a function": ([len], r"obj\[0\], a builtin_function_or_method: jit.trace"),
    "an array": ({"x": np.ones(2)}, r"obj\['x'\], a ndarray: .*from_numpy"),
    "a set": ({"s": {1}}, r"obj\['s'\], a set: make it a plain"),
    "a defaultdict": (defaultdict(list), "obj, a defaultdict: make it a plain"),
    "an object": ((Odd(),), r"obj\[0\], a Odd: a file keeps tensors"),
    "a tuple as key": ({"a": {(1,): 2}}, r"obj\['a'\] has a key of type tuple"),
}


@pytest.mark.parametrize("obj, message", UNSAVABLE.values(), ids=UNSAVABLE)
def test_what_cannot_be_saved_is_named_by_its_place(obj, message):
    with pytest.raises(TypeError, match=message):
        stored(obj)


def test_circles_and_depth():
    with pytest.raises(ValueError, match="100 levels deep"):
        stored(CIRCLE)


def test_not_while_recording(tmp_path):
    @torch.jit
    def f(x):
        torch.save(x, tmp_path / "x")

    with pytest.raises(TraceError, match="call it outside"):
        f(torch.ones(2))
    assert not list(tmp_path.iterdir())


PROGRAM = torch.jit.trace(lambda x: x + 1, torch.ones(2))


def program() -> bytes:
    file = io.BytesIO()
    PROGRAM.save(file)
    return file.getvalue()


FOREIGN = {
    "pickle": (pickle.dumps([1]), "a pickle.* convert it with safetensors.torch"),
    "zip": (b"PK\x03\x04" + bytes(90), "a zip archive.* convert it"),
    "npy": (b"\x93NUMPY\x01\0v\0{", "numpy.load reads it"),
    "text": (b"hello, world, this is text", "another format"),
    "nothing": (b"", "0 bytes long"),
    "program": (program(), "this is a program: tracefuse.jit.load"),
    "cut": (stored([torch.ones(99)])[:-1], "leave|truncated|bytes"),
    "altered": (stored([torch.ones(99)])[:-1] + b"!", "altered"),
}


@pytest.mark.parametrize("content, message", FOREIGN.values(), ids=FOREIGN)
def test_other_files_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "given.pt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"given.pt: .*{message}|given.pt: {message}"):
        torch.load(path)
    with pytest.raises(FormatError, match=message):
        torch.load(io.BytesIO(content))


def test_tensors_are_no_program(tmp_path):
    torch.save({"w": torch.ones(2)}, tmp_path / "w")
    safetensors.numpy.save_file({"w": np.ones(2)}, tmp_path / "v")
    for name in "wv":
        with pytest.raises(FormatError, match="no program: tracefuse.load reads it"):
            torch.jit.load(tmp_path / name)
    container.write(tmp_path / "u", {}, {"kind": "other"})
    for load, kind in ((torch.load, "'state'"), (torch.jit.load, "a 'program'")):
        with pytest.raises(FormatError, match=f"kind 'other', expected {kind}"):
            load(tmp_path / "u")


def test_two_threads_write_one_path(tmp_path):
    path = tmp_path / "shared"

    def write(k):
        for _ in range(10):
            torch.save([k] * 2 + [torch.full((100,), float(k))], path)
            a, b, t = torch.load(path)
            assert a == b == t[0] == t[99]

    threads = [threading.Thread(target=write, args=(k,)) for k in range(2)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert os.listdir(tmp_path) == ["shared"]
