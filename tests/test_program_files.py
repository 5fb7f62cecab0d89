"""Program files: what they hold, who can read them, and what is refused."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import golden_files
import numpy as np
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.files import container
from tracefuse.tracer.errors import FormatError, GuardError, ShapeError

STATE, MODEL, WAYS = (
    golden_files.FOLDER / f"{name}.v1.tracefuse" for name in ("state", "model", "ways")
)

GIVEN = golden_files.FOLDER / "given.v3.tracefuse"


def rewritten(metadata, arrays) -> io.BytesIO:
    file = io.BytesIO()
    container.pack(file, arrays, metadata)
    file.seek(0)
    return file


def parts(path) -> tuple[dict, dict, dict]:
    """Structure, metadata and arrays of a program file."""
    arrays, metadata = container.read(path)
    return json.loads(metadata["structure"]), metadata, arrays


def with_structure(structure, metadata, arrays):
    text = json.dumps(structure)
    return torch.jit.load(rewritten({**metadata, "structure": text}, arrays))


# -- golden files: every later version reads them


def test_the_golden_state():
    found = torch.load(STATE)
    assert list(found) == ["weight", "half", "mask", "nest", "order", 3]
    assert isinstance(found["weight"], nn.Parameter) and found["weight"].requires_grad
    assert found["weight"].tolist() == [[0, 0.25, 0.5], [0.75, 1, 1.25]]
    assert found["half"].dtype is torch.bfloat16 and found["half"].tolist() == [1.5, -2]
    assert found["mask"].tolist() == [True, False]
    shared, (again, *plain) = found["nest"]
    assert shared is again and shared.tolist() == [1, 2, 3]
    assert repr(plain) == repr([None, True, 7, 0.1, float("inf"), "é"])
    assert found["order"] == {"b": torch.uint8, "a": torch.Size([2, 3])}
    assert next(iter(found["order"])) == "b" and found[3]["variable"].requires_grad


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_golden_model(n):
    program = torch.jit.load(MODEL)
    assert str(program.signature) == "Model(float32[batch, 3], 2.0)"
    x = torch.ones(n, 3)
    x[0] = torch.tensor([1.0, 0.0, -1.0])
    for calls in (1, 2):
        found = program(x, 2.0)
        assert found["y"].tolist() == [[0, 0]] + [[2.5, 5]] * (n - 1)
        turned, first, same = found["views"]
        assert same is x and found["rows"] == n and turned.shape == (2, n)
        first.detach().fill_(9)
        assert turned[1, 0] == 9
        assert program.state_dict()["calls"] == calls
    with pytest.raises(ShapeError, match="at least 1 and at most 64"):
        program(torch.ones(65, 3), 2.0)


def test_the_golden_ways():
    program = torch.jit.load(WAYS)
    x = torch.arange(4.0)
    assert program(x, 1.0) is x and x.tolist() == [1, 2, 3, 4]
    torch.manual_seed(0)
    drawn = program(torch.full((4,), -1.0), 1.0)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.full((4,), -1.0) - torch.rand(4))


# -- a process that has nothing of the source


ELSEWHERE = """
import pickle, sys
import tracefuse

pickle.load = pickle.loads = pickle.Unpickler = None
sys.addaudithook(lambda event, args: event.startswith("pickle") and sys.exit(event))
program = tracefuse.jit.load(sys.argv[1], map_location="cpu")
for n in (1, 4):
    x = tracefuse.arange(n * 3.0).reshape(n, 3)
    print(program(x, 2.0)["y"].sum().item())
"""


def test_it_runs_where_the_source_is_not(tmp_path):
    path = tmp_path / "model"
    golden_files.model().save(path)
    command = [sys.executable, "-W", "error", "-c", ELSEWHERE, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    model = golden_files.Model()
    for n, line in zip((1, 4), done.stdout.split()):
        x = torch.arange(n * 3.0).reshape(n, 3)
        assert float(line) == pytest.approx(model(x, 2.0)["y"].sum().item())


# -- files on disk


def test_it_is_mapped_and_the_file_stays(tmp_path):
    path = tmp_path / "big"
    model = nn.BatchNorm1d(4)
    model.register_buffer("ballast", torch.zeros(5_000_000))
    program = torch.jit.trace(lambda x: model(x) + model.ballast[0], torch.ones(2, 4))
    program.save(path)
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    start = time.perf_counter()
    loaded = torch.jit.load(path)
    seconds = time.perf_counter() - start
    for _ in range(3):
        loaded(torch.randn(2, 4))
    for t in loaded.parameters():
        t.detach().fill_(7)
    assert path.read_bytes() == before and path.stat().st_mtime_ns == stamp
    assert seconds < 5  # of reading and checking everything nothing was done
    data = bytearray(before)
    data[-1] ^= 1
    path.write_bytes(data)
    torch.jit.load(path)  # large, so its data are compared only when asked
    with pytest.raises(FormatError, match="the data was altered"):
        torch.jit.load(path, verify=True)


def test_truncated_and_altered_files(tmp_path):
    content = MODEL.read_bytes()
    path = tmp_path / "cut"
    generator = random.Random(1)
    for at in sorted(generator.sample(range(len(content)), 60)):
        path.write_bytes(content[:at])
        with pytest.raises(FormatError, match="cut"):
            torch.jit.load(path)
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(FormatError, match="cut"):
            torch.jit.load(path)


def test_an_old_file_survives_a_failure(tmp_path):
    path = tmp_path / "old"
    golden_files.ways().save(path)
    before = path.read_bytes()
    bad = torch.jit.trace(lambda x, o: x, (torch.ones(1), object()))
    with pytest.raises(torch.TraceError):
        bad.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["old"]


def test_the_same_program_gives_the_same_bytes(tmp_path):
    for name in "ab":
        golden_files.model().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -- hostile structures


def put(document, keys, value):
    for key in keys[:-1]:
        document = document[key]
    document[keys[-1]] = value


PATH = ("paths", 0)
REFUSED = {
    "no identifier": (("name",), "a b", "structure.name is 'a b'"),
    "a keyword": (("name",), "class", "expected a Python identifier"),
    "symbol twice": (("sizes",), [["batch", 1, 64, 2]] * 2, "no other size"),
    "odd bounds": (("sizes", 0), ["batch", 9, 3, 9], r"sizes\[0\]\[2\] is 3"),
    "example outside": (("sizes", 0, 3), 65, "integer from 1 to 64"),
    "a symbol more": (("sizes",), [["batch", 1, 64, 2], ["b", 0, None, 1]], "no oth"),
    "symbol unknown": (("arguments", 0, "shape", 0), "c", "one of batch"),
    "an expression": (("arguments", 0, "shape", 0), "2*batch", "one of batch"),
    "negative size": (("arguments", 0, "shape", 1), -3, "integer from 0"),
    "other shape": (("arguments", 0, "shape", 1), 4, r"f32\[batch, 3\]"),
    "other dtype": (("arguments", 0, "tensor"), "f64", "not for f64"),
    "no dtype": (("arguments", 0, "tensor"), "complex", "one of bool"),
    "too few leaves": (("arguments",), [], "a list of 2"),
    "tag": (("arguments", 1), {"eval": "1"}, "a value, dtype or size"),
    "no such class": (("tree", "tuple", 0), {"object": []}, "named"),
    "state missing": (("state",), [["calls", "tensor"]], "layer.bias' is missing"),
    "state twice": (("state",), [["calls", "tensor"]] * 2, "in the file, once"),
    "state kind": (("state", 0, 1), "module", "expected tensor, variable"),
    "int parameter": (("state", 0, 1), "parameter", "expected floats"),
    "a number too large": ((*PATH, "inputs", 0), 7, "integer from 0 to 1"),
    "not a tensor": ((*PATH, "inputs", 0), 1, "argument that is a tensor"),
    "unknown state": ((*PATH, "inputs", 0), "layer", "one of calls"),
    "the generator": ((*PATH, "inputs", 0), None, r"i64\[\], not for i64\[2\]"),
    "other input": ((*PATH, "inputs", 0), "layer.bias", "a place for"),
    "fresh": ((*PATH, "fresh"), 3, "integer from 0 to 2"),
    "write elsewhere": ((*PATH, "writes"), ["layer.bias"], "a place for i64"),
    "no result": ((*PATH, "results", 0), {"new": 1, "steps": []}, "0 to 0"),
    "two kinds": (
        (*PATH, "results", 0),
        {"new": 0, "view": 0, "steps": []},
        "an object of new, steps",
    ),
    "again later": ((*PATH, "results", 0), {"again": 0}, "from 0 to -1"),
    "unknown step": ((*PATH, "results", 1, "steps", 0), ["exec", {}], "one of reshape"),
    "leaf step": ((*PATH, "results", 1, "steps", 0), ["leaf", {}], "one of reshape"),
    "step attributes": (
        (*PATH, "results", 1, "steps", 0),
        ["permute", {"axes": [-1, -1]}],
        "none twice",
    ),
    "step outside": (
        (*PATH, "results", 1, "steps", 0),
        ["slice", {"axis": -1, "start": 0, "length": 9, "step": 1}],
        "a slice that leaves",
    ),
    "step axis": (
        (*PATH, "results", 1, "steps", 0),
        ["permute", {"axes": [-1]}],
        "a step that fits",
    ),
    "wrong reshape": (
        (*PATH, "results", 1, "steps", 0),
        ["reshape", {"shape": [7, "batch"]}],
        "a step that fits",
    ),
    "many steps": (
        (*PATH, "results", 1, "steps"),
        [["stop_gradient", {}]] * 200,
        "at most 100",
    ),
    "bomb": (
        (*PATH, "draws"),
        "*".join(["(batch+batch//2+batch//3+batch//5+batch//7)"] * 20),
        "size",
    ),
    "deep": ((*PATH, "draws"), "(" * 400 + "batch" + ")" * 400, "line 1"),
    "code": ((*PATH, "draws"), "__import__('os')", "line 1"),
    "draws": ((*PATH, "draws"), -1, "no negative number"),
    "comparison": ((*PATH, "sizes"), [["batch", "in", 3, True]], "one of ==, <"),
    "extra field": ((*PATH, "code"), "1", "an object of inputs"),
    "grad of nothing": ((*PATH, "grads"), [[None, None]], "a tensor"),
    "grad of a number": ((*PATH, "grads"), [["calls", {"value": 1}]], "an object of"),
    "no paths": (("paths",), [], "a list of 1 to"),
    "two paths": (("paths", 1), "x", "no metadata key 'graph.1'"),
}


@pytest.mark.parametrize("keys, value, message", REFUSED.values(), ids=REFUSED)
def test_a_wrong_field_is_named(keys, value, message):
    structure, metadata, arrays = parts(MODEL)
    if keys == ("paths", 1):
        structure["paths"].append(structure["paths"][0])
    else:
        put(structure, keys, value)
    with pytest.raises(FormatError, match=message):
        with_structure(structure, metadata, arrays)


MANY = [f"f{i}" for i in range(1200)]


@pytest.mark.parametrize("fields", [["def"], ["_x"], ["x", "x"], ["x y"], [3], MANY])
def test_named_tuples_of_odd_fields(fields):
    structure, metadata, arrays = parts(MODEL)
    named = ["Point", [[name, None] for name in fields]]
    structure["paths"][0]["tree"] = {"named": named}
    structure["paths"][0]["results"] = [{"value": 1}] * len(fields)
    with pytest.raises(FormatError, match="named"):
        with_structure(structure, metadata, arrays)


@pytest.mark.parametrize(
    "text", ["", "[", '{"a":1,"a":1}', "NaN", "1e999", "9" * 4000, "[" * 10**5, "null"]
)
def test_structures_that_are_no_json(text):
    _, metadata, arrays = parts(MODEL)
    with pytest.raises(FormatError, match="structure"):
        torch.jit.load(rewritten({**metadata, "structure": text}, arrays))
    state = rewritten({"kind": "state", "structure": text}, {})
    if text != "null":
        with pytest.raises(FormatError, match="structure"):
            torch.load(state)


VALUES = [
    *(None, True, False, 0, 1, 2, -1, 64, 2**63, 10**30, 0.5, "", "batch", "2*batch"),
    *("calls", "layer.weight", "f32", "i64", "slice", "new", "batch*batch - 1", "nan"),
    *([], {}, [0], ["batch"], {"new": 0, "steps": []}, {"again": 0}, {"value": 2}),
    *({"tuple": []}, {"tuple": [None]}, {"list": [None]}, {"float": "nan"}),
]


def places(document, above=()) -> list[tuple]:
    """All keys that lead somewhere in a document."""
    found = [above] if above else []
    rows: list = [*enumerate(document)] if isinstance(document, list) else []
    rows += [*document.items()] if isinstance(document, dict) else []
    for key, below in rows:
        found += places(below, (*above, key))
    return found


def mutate(structure, generator) -> None:
    everywhere = places(structure)
    keys = generator.choice(everywhere)
    holder = structure
    for key in keys[:-1]:
        holder = holder[key]
    kind = generator.randrange(4)
    if kind == 0:
        holder[keys[-1]] = copy.deepcopy(generator.choice(VALUES))
    elif kind == 1:
        del holder[keys[-1]]
    elif kind == 2 and isinstance(holder, list):
        holder.insert(keys[-1], copy.deepcopy(holder[keys[-1]]))
    else:
        other = structure
        for key in generator.choice(everywhere):
            other = other[key]
        holder[keys[-1]] = copy.deepcopy(other)


MEANT = (FormatError, GuardError, ShapeError, TypeError, RuntimeError, ValueError)


@pytest.mark.parametrize("path", [MODEL, WAYS, GIVEN], ids=lambda path: path.name)
def test_a_mutated_structure_is_refused_or_harmless(path):
    """Whatever stands in the file: a FormatError, or a program that can be called."""
    structure, metadata, arrays = parts(path)
    generator = random.Random(path.name)
    examples = {MODEL: (torch.ones(2, 3), 2.0), WAYS: (torch.ones(4), 1.0)}
    example = examples.get(path, (torch.ones(2, 3),))
    loaded = 0
    for _ in range(2000):
        mutant = copy.deepcopy(structure)
        for _ in range(generator.choice((1, 1, 2))):
            mutate(mutant, generator)
        try:
            program = with_structure(mutant, metadata, arrays)
        except FormatError:
            continue
        loaded += 1
        try:
            program(*example)
        except MEANT:
            pass
    assert 0 < loaded < 1000


def test_a_mutated_graph_is_refused_or_harmless():
    structure, metadata, arrays = parts(MODEL)
    generator, text = random.Random(2), metadata["graph"]
    words = "0 1 2 3 -1 x %1 %2 %4 batch f32 i64 add dot permute ( ) , nan".split()
    for _ in range(1000):
        at = generator.randrange(len(text))
        after = text[at + generator.randrange(3) :]
        mutant = text[:at] + generator.choice(words) + after
        try:
            program = torch.jit.load(rewritten({**metadata, "graph": mutant}, arrays))
            program(torch.ones(2, 3), 2.0)
        except MEANT:
            pass


def test_a_mutated_state_is_refused_or_plain():
    arrays, metadata = container.read(STATE)
    structure = {"top": json.loads(metadata["structure"])}
    generator = random.Random(3)
    for _ in range(2000):
        mutant = copy.deepcopy(structure)
        mutate(mutant, generator)
        text = json.dumps(mutant.get("top"))
        try:
            torch.load(rewritten({"kind": "state", "structure": text}, arrays))
        except FormatError:
            pass


def test_the_folder_holds_what_the_script_makes():
    names = {p.name for p in Path(golden_files.FOLDER).glob("*.v1.tracefuse")}
    assert names == {p.name for p in (STATE, MODEL, WAYS)}
    assert np.array_equal(parts(MODEL)[2]["layer.bias"], np.float32([0.5, -0.5]))
