"""Scripts and programs of several signatures: which one a call takes, and files."""

from __future__ import annotations

import copy
import io
import json
import random

import golden_files
import pytest
import tracefuse as torch
from tracefuse import nn
from tracefuse.api.cli.main import main
from tracefuse.api.files import container
from tracefuse.tracer.errors import (
    DTypeError,
    FormatError,
    GuardError,
    ShapeError,
    TraceError,
)

GOLDEN = golden_files.FOLDER / "signatures.v2.tracefuse"


def reloaded(program):
    file = io.BytesIO()
    torch.jit.save(program, file)
    file.seek(0)
    return torch.jit.load(file)


def spelled(program) -> list[str]:
    return [str(variant) for variant in program.variants]


# -- which recordings become a signature


def test_ranks_types_and_containers_are_signatures_of_one_program():
    def f(x, scale=None):
        pair = isinstance(x, tuple)
        x = x[0] + x[1] if pair else x
        return x * 2 if scale is None else x * scale

    script = torch.jit.script(f)
    one, many = torch.ones(3), torch.ones(2, 3)
    calls = [(one,), (many,), (one.long(),), ((one, many),), (one, many)]
    for args in calls:
        script(*args)
    program = reloaded(script)
    assert len(program.signatures) == 5
    for args in calls:
        assert torch.equal(program(*args), f(*args))
        assert program(*args).dtype is f(*args).dtype
    with pytest.raises(ShapeError) as error:
        program(torch.ones(4, 3))
    text = str(error.value)
    assert "f was called as f(float32[4, 3]), and holds" in text
    assert text.count("\n  f(") == 5
    assert "The nearest: input 0 of f(float32[2, 3]) has shape [4, 3]" in text
    with pytest.raises(DTypeError, match="float64.* expected .*int64|float32"):
        program(torch.ones(3, dtype=torch.float64))
    with pytest.raises(TypeError, match="was called as f.1., and holds"):
        program(1)


def test_plain_values_choose_too():
    script = torch.jit.script(lambda x, k: x * k)
    for k in (2, 2.0, True):
        script(torch.arange(3), k)
    program = reloaded(script)
    for k in (2, 2.0, True):
        found, expected = program(torch.arange(3), k), torch.arange(3) * k
        assert torch.equal(found, expected) and found.dtype is expected.dtype
    with pytest.raises(TypeError, match="The nearest: input 1 .* is 3, expected"):
        program(torch.arange(3), 3)


def test_the_same_tensor_twice_comes_before_two():
    def f(x, y):
        x += 1
        return x * y

    script = torch.jit.script(f)
    script(torch.ones(2), torch.ones(2))
    x = torch.ones(2)
    script(x, x)
    program, x = reloaded(script), torch.ones(2)
    assert program(x, x).tolist() == [4, 4]
    assert program(torch.ones(2), torch.ones(2)).tolist() == [2, 2]


def test_an_error_lists_some_of_many_signatures():
    script = torch.jit.script(lambda x, k: x * k)
    for k in range(12):
        script(torch.ones(1), k)
    program = reloaded(script)
    with pytest.raises(TypeError, match="and 4 more"):
        program(torch.ones(1), 12)
    assert "and 11 more" in repr(program)


# -- sizes


def test_a_second_batch_size_gives_a_program_for_any():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    script = torch.jit.script(model)
    for n in (4, 6, 9, 5):
        script(torch.randn(n, 3))
    assert script.cache_info()["recordings"] == 2
    program = reloaded(script)
    assert spelled(program) == ["Sequential(float32[s0, 3])"]
    for n in (1, 2, 4, 7, 0):
        x = torch.randn(n, 3)
        assert torch.allclose(program(x), model(x), atol=1e-6)


def test_sizes_that_go_together_share_a_symbol():
    script = torch.jit.script(lambda x, y: x @ y)
    for n in (2, 3):
        script(torch.ones(4, n), torch.ones(n, 5))
    program = reloaded(script)
    assert spelled(program) == ["program(float32[4, s0], float32[s0, 5])"]
    assert program(torch.ones(4, 7), torch.ones(7, 5))[0, 0] == 7
    with pytest.raises(ShapeError, match="s0 is 7"):
        program(torch.ones(4, 7), torch.ones(6, 5))


def test_a_size_used_as_a_number_stays_one():
    def f(x):
        return x * int(x.shape[0])

    script = torch.jit.script(f)
    for n in (2, 3, 4):
        script(torch.ones(n))
    program = reloaded(script)
    for n in (2, 3, 4):
        assert program(torch.ones(n)).tolist() == [n] * n
    with pytest.raises((ShapeError, GuardError), match="and holds"):
        program(torch.ones(5))


def by_size(x):
    if x.shape[0] > 4:
        return x * 2
    if x.sum() > 0:
        return x + 1
    return x - 1


def test_ways_of_sizes_and_of_values():
    script = torch.jit.script(by_size)
    for n in (2, 3, 5, 7):
        for sign in (1, -1):
            script(torch.ones(n) * sign)
    program = reloaded(script)
    assert len(program.plans) == 3
    for n in (0, 1, 3, 4, 5, 100):
        for sign in (1, -1):
            x = torch.ones(n) * sign
            assert torch.equal(program(x), by_size(x))


def test_an_exact_size_keeps_the_ways_only_it_took():
    def f(x):
        return x + 1 if x.sum() > 0 else x - 1

    script = torch.jit.script(f)
    script(torch.ones(2))
    script(-torch.ones(3))
    program = reloaded(script)
    assert len(program.signatures) == 2
    assert program(torch.ones(2)).tolist() == [2, 2]
    assert program(-torch.ones(5)).tolist() == [-2] * 5
    with pytest.raises(GuardError, match="the program saw True"):
        program(torch.ones(5))


def test_marked_sizes_in_a_script():
    script = torch.jit.script(lambda x: x * 2, {"x": {0: torch.Dim("rows", max=9)}})
    script(torch.ones(3, 2))
    program = reloaded(script)
    assert spelled(program) == ["program(float32[rows, 2])"]
    assert program(torch.ones(9, 2)).shape == (9, 2)


# -- further traces


@pytest.mark.parametrize("late", [False, True])
def test_further_traces_add_ways_and_signatures(late):
    def f(x):
        if x.sum() > 0:
            return x * 2
        return x[:3] - 1 if x.shape[0] > 2 else x

    rows = {"x": {0: torch.Dim("n")}}
    examples = (torch.ones(4), -torch.ones(4), -torch.ones(2), torch.ones(2, 2))
    programs = [torch.jit.trace(f, x, dynamic_shapes=rows) for x in examples]
    program = programs.pop(0)
    for other in programs[::-1] if late else programs:
        program.update(other)
    program.update(torch.jit.trace(f, torch.ones(5), dynamic_shapes=rows))
    assert len(program.plans) == 4
    program = reloaded(program)
    for x in (*examples, torch.ones(1), -torch.ones(1), -torch.ones(7)):
        assert torch.equal(program(x), f(x))
    with pytest.raises(GuardError, match="the program saw False"):
        program(-torch.ones(2, 2))


def test_a_further_trace_that_cannot_be_told_apart_changes_nothing():
    asks = [True]

    def f(x):
        return x * 2 if asks[0] and x.sum() > 0 else x - 1

    program = torch.jit.trace(f, torch.ones(2))
    asks[0] = False
    with pytest.raises(TraceError, match="was traced twice, and looked at other"):
        program.update(torch.jit.trace(f, torch.ones(2)))
    assert len(program.plans) == 1 and program(torch.ones(2)).tolist() == [2, 2]


def test_further_traces_are_of_the_same_tensors():
    first, second = (torch.jit.trace(nn.Linear(1, 1), torch.ones(1)) for _ in "ab")
    with pytest.raises(TraceError, match="weight of .* is another tensor"):
        first.update(second)


# -- modes, and Python that has changed


def test_both_modes_of_a_module():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    script, x = torch.jit.script(model), torch.randn(4, 3)
    script(x)
    model.eval()
    script(x)
    program = reloaded(script)
    assert program.training is False
    assert spelled(program) == [
        "Sequential(float32[4, 3])  # eval()",
        "Sequential(float32[4, 3])  # train()",
    ]
    inside = torch.jit(lambda x: program(x))
    for mode in (False, True, False, True):
        program.train(mode), model.train(mode)
        for f in (program, inside):
            torch.manual_seed(3)
            found = f(x)
            torch.manual_seed(3)
            assert torch.allclose(found, model(x))
    assert inside.cache_info()["recordings"] == 2


def test_modes_that_do_the_same_are_one():
    model = nn.Linear(3, 2)
    script = torch.jit.script(model)
    for mode in (True, False):
        model.train(mode)
        script(torch.ones(1, 3))
    program = script.program()
    assert spelled(program) == ["Linear(float32[1, 3])"]
    assert program.eval() is program


def test_only_what_holds_now_is_saved():
    factor = {"k": 2}

    def f(x):
        return x * factor["k"]

    script = torch.jit.script(f)
    script(torch.ones(2))
    factor["k"] = 5
    script(torch.ones(2))
    program = reloaded(script)
    assert len(program.plans) == 1 and program(torch.ones(2)).tolist() == [5, 5]


def test_a_signature_that_went_stale_is_not_saved():
    factor = {"k": 2}
    script = torch.jit.script(lambda x: x * factor["k"])
    script(torch.ones(2))
    factor["k"] = 5
    script(torch.ones(2, 2))
    assert spelled(script.program()) == ["program(float32[2, 2])"]


def test_calls_with_and_without_gradients_are_one_signature():
    script = torch.jit.script(lambda x: (x * x).sum())
    with torch.no_grad():
        script(torch.ones(2))
    script(torch.ones(2, requires_grad=True))
    script(torch.ones(2))
    program = reloaded(script)
    assert len(program.plans) == 1
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    program(x).backward()
    assert x.grad.tolist() == [2, 6]


# -- files


def test_the_golden_signatures():
    program = torch.jit.load(GOLDEN)
    assert program.training is False
    for x in (torch.ones(2), torch.ones(1, 2), torch.ones(7, 2)):
        assert torch.equal(program(x), x * torch.tensor([1.0, 2.0]))
        torch.manual_seed(1)
        found = program.train()(x)
        torch.manual_seed(1)
        assert torch.equal(found, x * torch.tensor([1.0, 2.0]) + torch.rand(2))
        program.eval()
    assert list(program.state_dict()) == ["scale"]


def test_one_signature_is_a_file_that_the_first_version_reads(tmp_path):
    for name, made in ("v1", golden_files.ways()), ("v2", golden_files.signatures()):
        made.save(tmp_path / name)
        start = (tmp_path / name).read_bytes()[:400]
        assert f'"version":"{name[1]}"'.encode() in start
    content = (tmp_path / "v2").read_bytes()
    assert torch.jit.load(tmp_path / "v2").signatures
    (tmp_path / "v2").write_bytes(content.replace(b'"version":"2"', b'"version":"4"'))
    with pytest.raises(FormatError, match="version '4'.*newer"):
        torch.jit.load(tmp_path / "v2")


def parts(path=GOLDEN) -> tuple[dict, dict, dict]:
    arrays, metadata = container.read(path)
    return json.loads(metadata["structure"]), metadata, arrays


def load(structure, metadata, arrays):
    file = io.BytesIO()
    metadata = {**metadata, "structure": json.dumps(structure)}
    container.pack(file, arrays, metadata, version=2)
    file.seek(0)
    return torch.jit.load(file)


FIRST = ("signatures", 0)
REFUSED = {
    "no list": (("signatures",), {}, "signatures is .*a list"),
    "none": (("signatures",), [], "a list of 1 to 1000"),
    "too many": (("signatures",), [{}] * 1001, "a list of 1 to 1000"),
    "a mode too many": (("training",), None, "the program has no mode"),
    "a mode of text": (("training",), "eval", "true or false"),
    "mode of one": ((*FIRST, "training"), 1, "true or false"),
    "a field more": ((*FIRST, "name"), "f", "an object of sizes, tree"),
    "its own state": ((*FIRST, "state"), [], "an object of sizes, tree"),
    "paths beside": (("paths",), [], "an object of name, training"),
    "no paths": ((*FIRST, "paths"), [], "a list of 1 to"),
    "other leaves": ((*FIRST, "arguments"), [], "a list of 1"),
    "symbols of others": ((*FIRST, "sizes"), [["s9", 0, None, 1]], "and no others"),
    "rank": ((*FIRST, "arguments", 0, "shape"), [3, 2, 2], "a place for"),
}


@pytest.mark.parametrize("keys, value, message", REFUSED.values(), ids=REFUSED)
def test_a_wrong_field_is_named(keys, value, message):
    structure, metadata, arrays = parts()
    holder = structure
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    with pytest.raises(FormatError, match=message):
        load(structure, metadata, arrays)


def test_a_signature_stands_once_and_has_all_its_graphs():
    structure, metadata, arrays = parts()
    rows = structure["signatures"]
    twice = {**structure, "signatures": [*rows, rows[0]]}
    graphs = {f"graph.{len(rows)}": metadata["graph"]}
    with pytest.raises(FormatError, match="a signature that stands there once"):
        load(twice, {**metadata, **graphs}, arrays)
    with pytest.raises(FormatError, match=f"no metadata key 'graph.{len(rows)}'"):
        load(twice, metadata, arrays)
    turned = {**structure, "signatures": rows[::-1]}
    with pytest.raises(FormatError):
        load(turned, metadata, arrays)


def test_doubled_keys_and_cut_or_altered_files(tmp_path):
    structure, metadata, arrays = parts()
    text = json.dumps(structure)
    doubled = text.replace('"training"', '"training": null, "training"', 1)
    file = io.BytesIO()
    container.pack(file, arrays, {**metadata, "structure": doubled}, version=2)
    file.seek(0)
    with pytest.raises(FormatError, match="structure"):
        torch.jit.load(file)
    content, generator, path = GOLDEN.read_bytes(), random.Random(4), tmp_path / "cut"
    for at in generator.sample(range(len(content)), 30):
        path.write_bytes(content[:at])
        with pytest.raises(FormatError, match="cut"):
            torch.jit.load(path)
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with pytest.raises(FormatError, match="cut"):
            torch.jit.load(path)


def test_a_mutated_structure_is_refused_or_harmless():
    structure, metadata, arrays = parts()
    generator, loaded = random.Random(5), 0
    values = [None, True, 0, 3, -1, "", "s0", [], {}, {"value": 2}]
    for _ in range(400):
        mutant = copy.deepcopy(structure)
        holder, row = mutant, generator.choice(mutant["signatures"])
        holder = generator.choice([mutant, row, row, row["paths"][0]])
        holder[generator.choice([*holder])] = copy.deepcopy(generator.choice(values))
        try:
            program = load(mutant, metadata, arrays)
        except FormatError:
            continue
        loaded += 1
        try:
            program(torch.ones(3, 2))
        except (FormatError, GuardError, ShapeError, TypeError, RuntimeError):
            pass
    assert 0 < loaded < 200


def test_more_ways_than_a_file_holds(monkeypatch):
    monkeypatch.setattr("tracefuse.api.program.storing.MOST_PATHS", 1)
    with pytest.raises(TraceError, match="at most 1"):
        golden_files.signatures().save(io.BytesIO())


# -- show


def test_show_prints_signatures_sizes_and_control(tmp_path, capsys):
    def f(x):
        if x.shape[0] > 1 and x.sum() > 0:
            x = x + torch.rand(x.shape)
        return torch.cond(x.max() > 2, lambda x: x * 2, lambda x: x, x)

    script = torch.jit.script(f)
    for example in (torch.ones(3), torch.ones(4), -torch.ones(5), torch.ones(2, 2)):
        script(example)
    script.save(tmp_path / "f")
    assert main(["show", str(tmp_path / "f")]) == 0
    text = capsys.readouterr().out
    assert "f(float32[2, 2])\n" in text and "f(float32[s0])\n" in text
    assert "s0 from 0 to any" in text and "only where s0 > 1 is True" in text
    assert "way 2: False at test_program_signatures.py" in text
    assert "blocks from the generator" in text and "cond(" in text
    assert main(["show", "--source", str(tmp_path / "f")]) == 0
    assert capsys.readouterr().out.count("def f") >= 3
