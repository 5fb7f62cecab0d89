"""What tests of loops and branches have in common."""

from __future__ import annotations

import io

import numpy as np
import tracefuse as torch
from tracefuse.tracer.structure import same


def rand(*shape, seed=0, dtype=torch.float32):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=shape), dtype=dtype)


def each_way(f, *args):
    """What `f` returns eager, jitted (twice) and as a loaded program."""
    jitted, file = torch.jit(f), io.BytesIO()
    program = torch.jit.trace(f, args)
    torch.jit.save(program, file)
    file.seek(0)
    loaded = torch.jit.load(file)
    assert same(loaded.graph, program.graph)
    return [f(*args), jitted(*args), jitted(*args), program(*args), loaded(*args)]


def check(f, plain, *args):
    """Every way gives what plain Python gives."""
    wanted = flat(plain(*args))
    for result in each_way(f, *args):
        found = flat(result)
        assert len(found) == len(wanted)
        for x, y in zip(found, wanted):
            assert x.dtype is y.dtype and torch.allclose(x, y, rtol=1e-5, atol=1e-6)


def flat(tree):
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    return [x for part in tree for x in flat(part)] if tree is not None else []
