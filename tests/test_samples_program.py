"""Every sample traced: its text read back, its file loaded, the same results."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tracefuse as torch
from samples import BRANCHING, NOT_TRACED, SAMPLES, each
from sampling import assert_close, assert_same, tensors
from tracefuse.tracer.interpret import interpret
from tracefuse.tracer.structure import same
from tracefuse.tracer.texts.text import parse_graph, print_graph

TRACED = [s for s in SAMPLES if s.name not in NOT_TRACED]


def arguments(sample, seed=1):
    torch.manual_seed(5)
    return tensors(sample.make_args(seed, sample.dtypes[0]))


def traced(sample):
    return torch.jit.trace(sample.function, tuple(arguments(sample)))


@each(TRACED)
def test_the_text_is_read_back(sample):
    graph = traced(sample).graph
    text = print_graph(graph)
    again = parse_graph(text)
    assert same(again, graph) and print_graph(again) == text


@each(TRACED)
def test_a_loaded_program_gives_the_same(sample):
    program, file = traced(sample), io.BytesIO()
    program.save(file)
    file.seek(0)
    loaded = torch.jit.load(file)
    for seed in (1, 1) if sample.name in BRANCHING else (2, 3):
        want = sample.function(*arguments(sample, seed))
        assert_close(program(*arguments(sample, seed)), want, sample.rtol)
        assert_same(loaded(*arguments(sample, seed)), program(*arguments(sample, seed)))


@each([s for s in SAMPLES if s.name in NOT_TRACED])
def test_what_cannot_be_traced_says_so(sample):
    with pytest.raises(torch.TraceError):
        traced(sample)


@each([s for s in TRACED if s.name in BRANCHING])
def test_a_way_that_was_not_recorded_says_so(sample):
    program = traced(sample)
    with pytest.raises(torch.GuardError, match="never recorded"):
        for seed in range(2, 6):
            program(*arguments(sample, seed))


def test_an_altered_text_is_another_graph():
    sample = next(s for s in SAMPLES if s.name == "logaddexp")
    graph = traced(sample).graph
    text = print_graph(graph)
    assert "sub(" in text
    altered = parse_graph(text.replace("sub(", "add("))
    assert not same(altered, graph)
    arrays = sample.make_args(1, "float32")
    assert not np.array_equal(interpret(altered, arrays), interpret(graph, arrays))
