"""Nothing public is without a sample, and no primitive without a graph."""

from __future__ import annotations

import inspect

import pytest
import tracefuse as torch
from samples import NOT_TRACED, SAMPLES
from sampling import lookup, tensors
from tracefuse.tracer.ops import OPS

STATE = "sets or reads the state of the process"
SCOPE = "a switch of recording or of gradients, not a function of tensors"
LOOK = "tells about a tensor, its memory or its types; no numbers"
DEVICE = "needs a device that a test machine may lack"
ESCAPE = "hands the numbers to others: tested with them"
COPIED = "Python's own protocol, tested with copies and files"
EXCLUDED = {
    **dict.fromkeys(
        (
            "seed",
            "initial_seed",
            "get_rng_state",
            "set_rng_state",
            "fork_rng",
            "set_default_dtype",
            "get_default_dtype",
            "set_printoptions",
            "get_printoptions",
            "printoptions",
            "set_default_device",
            "get_default_device",
            "set_float32_matmul_precision",
            "get_float32_matmul_precision",
            "is_autocast_available",
            "is_autocast_enabled",
            "set_autocast_enabled",
            "get_autocast_dtype",
            "set_autocast_dtype",
            "is_autocast_cache_enabled",
            "set_autocast_cache_enabled",
            "clear_autocast_cache",
        ),
        STATE,
    ),
    **dict.fromkeys(("is_grad_enabled", "jit", "save", "load"), SCOPE),
    **dict.fromkeys(
        ("can_cast", "promote_types", "Tensor.data_ptr", "Tensor.get_device"), LOOK
    ),
    **dict.fromkeys(("Tensor.cuda", "Tensor.is_pinned"), DEVICE),
    **dict.fromkeys(
        (
            "Tensor.numpy",
            "Tensor.__array__",
            "Tensor.__array_wrap__",
            "Tensor.__dlpack__",
            "Tensor.__dlpack_device__",
            "Tensor.__complex__",
            "Tensor.__trunc__",
        ),
        ESCAPE,
    ),
    **dict.fromkeys(
        (
            "Tensor.__deepcopy__",
            "Tensor.__reduce_ex__",
            "Tensor.__reduce__",
            "Tensor.__setstate__",
        ),
        COPIED,
    ),
    **dict.fromkeys(
        ("Tensor.set_", "Tensor.resize_", "Tensor.resize_as_"),
        "other memory for a tensor: test_memory.py",
    ),
    **dict.fromkeys(
        (
            "Tensor.register_hook",
            "Tensor.register_post_accumulate_grad_hook",
            "Tensor.retain_grad",
        ),
        "called by backward: test_hooks.py",
    ),
}
# Primitives that no single sample records, and who tests them.
ELSEWHERE = {
    "input": "every graph",
    "call": "test_jit.py",
    "item": "test_jit.py",
    "leaf": "every gradient",
    "again": "test_checkpoint.py",
    "stop_gradient": "test_vjp.py; finished programs drop it",
}


def functions(module, prefix=""):
    """The public functions of a module or class, by name."""
    for name, thing in vars(module).items():
        plain = inspect.isfunction(thing) or inspect.isbuiltin(thing)
        if plain and (not name.startswith("_") or dunder(prefix, name)):
            yield prefix + name, thing


def dunder(prefix, name):
    return prefix and name.startswith("__") and name not in dir(object)


PUBLIC = {
    **dict(functions(torch)),
    **dict(functions(torch.Tensor, "Tensor.")),
    **dict(functions(torch.nn.functional, "nn.functional.")),
    **dict(functions(torch.linalg, "linalg.")),
}
SAMPLED = {id(lookup(s.name)) for s in SAMPLES}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_a_sample(name):
    assert id(PUBLIC[name]) in SAMPLED or name in EXCLUDED, "write a sample"


def test_exclusions_are_not_stale():
    sampled = [name for name in EXCLUDED if any(s.name == name for s in SAMPLES)]
    assert not sampled


def recorded():
    """The names of all primitives that the samples record."""
    found = set()
    for sample in SAMPLES:
        if sample.name not in NOT_TRACED:
            given = tensors(sample.make_args(1, sample.dtypes[0]), grad=True)
            lowered = torch.jit(sample.function).lower(*given)
            found.update(v.op for v in lowered.graph.nodes())
    return found


def test_every_primitive_is_recorded_by_a_sample():
    missing = OPS.keys() - recorded() - ELSEWHERE.keys()
    assert not missing
