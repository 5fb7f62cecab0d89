"""The table of small programs that tracing JITs get wrong: every one comes out right.

The plain function runs on its own fresh state beside the jitted one: every call twice
(the second one from the cache), the whole list of steps twice. Results, what aliases
what, exceptions, arguments and state are compared after every call.
"""

from __future__ import annotations

import dataclasses
import io
import warnings

import faithful_aliases  # noqa: F401
import faithful_callables  # noqa: F401
import faithful_captured  # noqa: F401
import faithful_control  # noqa: F401
import faithful_exceptions  # noqa: F401
import faithful_footguns  # noqa: F401
import faithful_hunted  # noqa: F401
import faithful_modes  # noqa: F401
import faithful_moved  # noqa: F401
import faithful_mutation  # noqa: F401
import faithful_sizes  # noqa: F401
import faithful_state  # noqa: F401
import faithful_values  # noqa: F401
import faithful_variables  # noqa: F401
import numpy as np
import pytest
import tracefuse as torch
from faithful_known import KNOWN
from faithful_rows import ROWS
from tracefuse.tracer.errors import TraceError
from tracefuse.tracer.pytree import flatten, rebuild

Tensor, Module, Optimizer = torch.Tensor, torch.nn.Module, torch.optim.Optimizer


def each(check, kind=lambda entry: True):
    """The rows of a kind; those known to fail this check must fail."""
    return pytest.mark.parametrize(
        "entry",
        [
            pytest.param(entry, id=name, marks=known(check, name))
            for name, entry in ROWS.items()
            if kind(entry)
        ],
    )


def known(check, name):
    reason = KNOWN[check].get(name.partition("-")[2])
    return [pytest.mark.xfail(strict=True, reason=reason)] if reason else []


@pytest.fixture(autouse=True)
def untouched():
    """Warnings are not the matter here; modes end as they began."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_default_dtype(dtype), torch.set_grad_enabled(grad)


def test_the_table_is_long_enough():
    assert len(ROWS) >= 150


@each("jitted")
def test_jitted_as_plain(entry):
    compare(entry, torch.jit)


@each("jitted")
def test_by_kernels_as_plain(entry):
    pytest.importorskip("triton")
    compare(entry, lambda f: torch.jit(f, backend="triton-interpreter"))


@each("grad", lambda entry: entry.grad)
def test_gradients_as_plain(entry):
    compare(entry, torch.jit, call=slopes)


@each("saved", lambda entry: entry.saved)
def test_saved_as_plain(entry):
    if isinstance(entry.saved, str):
        with pytest.raises(TraceError, match=entry.saved):
            reloaded(entry.make()[0], entry)
        return
    compare(entry, lambda f: reloaded(f, entry), messages=False)


def reloaded(f, entry):
    """The function from a file, with every way that the steps go."""
    script = torch.jit.script(entry.make()[0])
    trail(entry, lambda plain: script, lambda f, *args: f(*args), False)
    file = io.BytesIO()
    script.save(file)
    return torch.jit.load(io.BytesIO(file.getvalue()))


# -- running


def compare(entry, compiled, call=lambda f, *args: f(*args), messages=True):
    """The same steps, plain and compiled, each on its own state."""
    want = trail(entry, lambda f: f, call, messages)
    got = trail(entry, compiled, call, messages)
    for n, (a, b) in enumerate(zip(want, got)):
        assert alike(a, b), f"call {n}:\nplain  {a}\njitted {b}"
    assert len(want) == len(got) > 1


def trail(entry, compiled, call, messages):
    """What every call returned, raised and left behind."""
    torch.manual_seed(7)
    plain, steps, *seen = entry.make()
    f, found = compiled(plain), []
    torch.manual_seed(7)  # compiling by examples has drawn
    for step in steps + steps:
        if callable(step):
            step()
            continue
        for _ in range(2):
            result = outcome(lambda *args: call(f, *args), step, seen)
            if result[0] == "raised" and not messages:
                result = result[:1]  # GuardError where the exception was never met
            found.append(result)
    return found


def outcome(f, args, seen):
    try:
        result = f(*args)
    except Exception as error:
        return "raised", type(error).__name__, str(error), shown([args, seen])
    return "returned", shown(result), aliases(result, args), shown([args, seen])


def slopes(f, *args):
    """What f returns and its gradients by its arguments, as new leaves."""
    leaves, spec = flatten(args)
    leaves = [variable(x) for x in leaves]
    results = flatten(f(*rebuild(spec, leaves)))[0]
    inputs = [x for x in leaves if isinstance(x, Tensor) and x.requires_grad]
    total = sum((y * y).sum() for y in results if floats(y) and y.requires_grad)
    if isinstance(total, Tensor):
        total.backward()
    return results, [x.grad for x in inputs]


def variable(x):
    return x.detach().clone().requires_grad_() if floats(x) else x


def floats(x):
    return isinstance(x, Tensor) and x.dtype.is_floating_point


# -- comparing


def aliases(result, args):
    """Which tensors are the same object and which share memory."""
    found = [t for t in flatten((result, args))[0] if isinstance(t, Tensor)]
    arrays = [t.detach().numpy() for t in found]
    same = [[a is b for b in found] for a in found]
    return same, [[np.shares_memory(a, b) for b in arrays] for a in arrays]


def shown(x, depth=0):
    """Anything as numbers, texts and arrays that can be compared."""
    if depth > 8:
        return "..."
    below = lambda y: shown(y, depth + 1)
    if isinstance(x, Tensor):
        grad = None if not x.is_leaf or x.grad is None else below(x.grad)
        array = x.detach().numpy().copy()
        return "Tensor", str(x.dtype), array, x.requires_grad, x.is_leaf, grad
    if isinstance(x, np.ndarray):
        return "array", str(x.dtype), x.copy()
    if isinstance(x, Module):
        state = {k: v for k, v in vars(x).items() if not k.startswith("_")}
        parts = [*x.named_parameters(), *x.named_buffers()]
        return type(x).__name__, below(dict(parts)), below(state)
    if isinstance(x, Optimizer):
        return type(x).__name__, below(x.state_dict())
    if isinstance(x, torch.Generator):
        return "Generator", below(x.get_state())
    if isinstance(x, dict):
        return type(x).__name__, [(str(k), below(v)) for k, v in x.items()]
    if isinstance(x, (set, frozenset)):
        return type(x).__name__, sorted(map(str, x))
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [below(each) for each in x]
    if callable(x):
        return type(x).__name__, getattr(x, "__name__", "")
    if dataclasses.is_dataclass(x) or type(x).__repr__ is object.__repr__:
        return type(x).__name__, below(dict(getattr(x, "__dict__", {})))
    return type(x).__name__, x if isinstance(x, float) else repr(x)


def alike(a, b):
    """Equal, floats within a few roundings."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        close = a.dtype.kind == "f" and b.dtype == a.dtype and a.shape == b.shape
        if close:
            return np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return np.isclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b
