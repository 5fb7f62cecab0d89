"""The public mathematics beside PyTorch's: results, types, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import tracefuse
from math_calls import CALLS, ERRORS, GRADIENTS, arrays

torch = pytest.importorskip("torch")

# A halved error bound in ulp of the type: kernels of either side may round otherwise.
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}


def evaluate(text: str, module, names: dict):
    return eval(text, {"torch": module, **names})


def tensors(module) -> dict:
    return {name: module.tensor(array) for name, array in arrays().items()}


def flatten(result) -> list:
    """The tensors, numbers and so on of a result, one after the other."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in flatten(part)]
    return [result]


def seen(leaf) -> tuple:
    """(type, shape, numbers) of one leaf."""
    if not hasattr(leaf, "dtype"):
        return type(leaf).__name__, (), np.asarray(leaf)
    name = str(leaf.dtype).split(".")[1]
    wide = leaf.detach().double() if leaf.dtype.is_floating_point else leaf.detach()
    return name, tuple(leaf.shape), wide.numpy()


def compare(ours, theirs) -> None:
    ours, theirs = flatten(ours), flatten(theirs)
    assert len(ours) == len(theirs)
    for one, two in zip(map(seen, ours), map(seen, theirs)):
        assert one[:2] == two[:2]
        bound = TOLERANCE.get(one[0], 0)
        np.testing.assert_allclose(one[2], two[2], bound, bound)


@pytest.mark.parametrize("text", CALLS)
def test_results(text):
    theirs = evaluate(text, torch, tensors(torch))
    compare(evaluate(text, tracefuse, tensors(tracefuse)), theirs)


def gradients(text: str, module) -> list:
    """The result, and the gradients of its weighted sum by every float input."""
    names = {}
    for name, array in arrays().items():
        kind = np.float64 if array.dtype.kind == "f" else array.dtype
        names[name] = module.tensor(array.astype(kind))
        if kind is np.float64:
            names[name].requires_grad_()
    result = evaluate(text, module, names)
    count = int(np.prod(result.shape))
    weights = module.tensor(np.cos(np.arange(count)).reshape(tuple(result.shape)))
    (result * weights).sum().backward()
    grads = [names[name].grad for name in sorted(names)]
    return [result, *(g for g in grads if g is not None and bool((g != 0).any()))]


@pytest.mark.parametrize("text", GRADIENTS)
def test_gradients(text):
    compare(gradients(text, tracefuse), gradients(text, torch))


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text):
    with pytest.raises(Exception) as theirs:
        evaluate(text, torch, tensors(torch))
    kind = theirs.type
    if kind is NotImplementedError:  # PyTorch's word for a type it has no kernel for
        kind = RuntimeError
    with pytest.raises((kind, NotImplementedError)):
        evaluate(text, tracefuse, tensors(tracefuse))
