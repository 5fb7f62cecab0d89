"""Random programs that write: views of views, overlaps, masks, repeats, aliases.

A program is a text that runs with any library named like PyTorch; `trail` says what it
returns, raises and leaves behind, call after call.
"""

from __future__ import annotations

import linecache
import re

import numpy as np
from hypothesis import strategies as st

VIEWS = """
X[S] | X[I] | X[..., S] | X[:, I] | X[S, S] | X.T | X.view(-1) | X.reshape(-1)[S]
X.unsqueeze(0) | X.diagonal() | X.transpose(0, -1) | X.narrow(0, 1, 1) | X[None]
X.select(-1, I) | X.flatten()[S] | X.chunk(2, -1)[0] | X.squeeze() | X.movedim(0, -1)
X.expand(2, *X.shape)[1] | X.view_as(X) | X.unbind(0)[-1] | X.contiguous()
"""
VALUES = """
X * N | X + Y | X - Y | X * Y | X.sin() | X.sum(0) | X.mean(-1, keepdim=True)
X.cumsum(0) | X.flip(0) | X.clone() | torch.where(X > 0, X, Y) | X / 2 | X.relu()
torch.cat([X, X], -1) | torch.stack([X, X * 2])[1] | X[torch.tensor([0, 0, 1])]
X.amax(0) | X.sort(-1).values | X.clamp(-1, 1) | X * w | X.softmax(-1) | X.roll(1, 0)
X @ Y.T | X.prod(-1) | torch.maximum(X, Y) | X.tril() | -X | X.masked_fill(X < 0, 3)
X.gather(0, X.argsort(0)) | X.logsumexp(0) | torch.outer(X.flatten()[:2], w)
"""
TYPES = """
X.double() | X.float() | X.long() | (X > N) | X.int() | X.to(torch.float16) | X[X > 0]
X.argmax(-1) | X // 2 | X.detach() | X.nonzero()[:, 0]
"""
WRITES = """
X.add_(N) | X.mul_(N) | X[S] = N | X[I] = Y[I] | X[X > 0] = N | X += Y | X *= Y
X[torch.tensor([0, 0])] = N | X[torch.tensor([0, 2, 1])] += 1 | X.copy_(Y) | X.zero_()
X.fill_(N) | X[S] += Y[S] | X[1:] = X[:-1].clone() | X.masked_fill_(X < 1, 2)
X.index_add_(0, torch.tensor([0, 0]), Y[:2]) | X.clamp_(-1, 2) | X.T[S] = N
torch.add(X, Y, out=X) | torch.mul(Y, 2, out=X) | X.scatter_(0, Y.argsort(0), 2.0)
X.index_copy_(0, torch.tensor([1, 0]), Y[:2]) | X.neg_() | X.view(-1)[::2] *= 2
X.diagonal().add_(1) | X.scatter_add_(0, Y.argsort(0), Y) | X.div_(2) | X.pow_(2)
X[..., S].mul_(Y) | X.swapaxes(0, -1)[I] = N | X.addcmul_(Y, Y) | X[X > 0] += Y.sum()
X.index_put_((torch.tensor([0, 0]),), Y[:1], accumulate=True) | X.cumsum_(0)
"""
MOVES = """
X.t_() | X.unsqueeze_(0) | X.squeeze_() | X.data = X * 2 | X.data = Y | X.resize_(2)
X.set_(Y) | X.detach().add_(1) | h.data = X
"""
NUMBERS = """
p = h.sum().item() | p = float(X.sum()) | k = int(X.abs().sum()) % 3 | p = X.shape[0]
h.add_(1) | h[k % 2] += X.sum() | h.mul_(0.5) | h[X.argmax() % 2] = 1
"""
HEADS = (
    *("if a.sum() > 0:", "if k > 1:", "if n > 2:", "for q in range(k):"),
    *("if (b > 1).any():", "if p > 1:", "for row in a[:2]:", "if a.shape == b.shape:"),
)


def _lines(text, name):
    found = [part.strip() for line in text.split("\n") for part in line.split("|")]
    return [f"{name} = {part}" if name else part for part in found if part]


SMOOTH = _lines(VIEWS, "Z") + _lines(VALUES, "Z") + _lines(WRITES, "")
ALL = SMOOTH + _lines(TYPES, "Z") + _lines(MOVES, "") + _lines(NUMBERS, "")
SLOTS = {
    **dict.fromkeys("XYZ", ("a", "b", "v", "u", "t")),
    "S": ("1:", ":-1", "::2", ":2", ":", "1:3", "n//2:", "-2:"),
    "I": ("0", "1", "-1", "k", "n-1"),
    "N": ("0.5", "2", "-1.5", "p", "k"),
}


def line(templates):
    """Lines of a program, made of these."""
    kinds = [st.sampled_from(SLOTS[slot]) for slot in SLOTS]
    return st.builds(_filled, st.sampled_from(templates), *kinds)


def _filled(template, *values):
    known = dict(zip(SLOTS, values))
    return re.sub(r"\b[XYZSIN]\b", lambda m: known[m[0]], template)


def programs(templates=ALL, heads=HEADS):
    """Lists of lines, some under a head."""
    one = line(templates)
    block = one.map(lambda text: [text])
    if heads:
        pair = st.tuples(st.sampled_from(heads), one)
        nested = pair.map(lambda p: [p[0], "    " + p[1]])
        block = st.one_of(block, block, block, nested)
    return st.lists(block, min_size=1, max_size=7).map(lambda bs: sum(bs, []))


def calls():
    """(rows, seed, how the arguments alias, k): sizes change, aliases do."""
    one = st.tuples(
        st.sampled_from([3, 3, 4, 2, 1]),
        st.integers(0, 99),
        st.sampled_from([0, 0, 0, 1, 2, 3]),
        st.integers(0, 2),
    )
    return st.lists(one, min_size=3, max_size=5)


def compiled(lib, lines):
    """The function f(x, y, w, h, k) of these lines."""
    head = ["a, b, v, u, t, p = x, y, y * 2, x.view(-1), y * 1, 0.5", "n = x.shape[0]"]
    body = [*head, *lines, "return a, b, v, u, t, p, k"]
    text = "def f(x, y, w, h, k):\n" + "".join(f"    {one}\n" for one in body)
    name = f"<program {lib.__name__} {hash(text)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    scope = {"torch": lib, "__name__": "program"}
    exec(compile(text, name, "exec"), scope)
    return scope["f"]


def numbers(call):
    """Two arrays without ties."""
    rng = np.random.default_rng(call[1])
    return [rng.permutation(call[0] * 3).reshape(-1, 3) / 4 - 1.3 for _ in "xy"]


def given(lib, call, grad):
    """The arguments of a call, and the leaves behind them."""
    x, y = (lib.tensor(each.tolist()) for each in numbers(call))
    leaves = [x.requires_grad_(), y.requires_grad_()] if grad else []
    if grad:
        x, y = x * 1, y * 1
    y = (y, x, x[:], x[1:] if call[0] > 1 else y)[call[2]]
    return x, y, leaves


def trail(lib, f, sequence, grad=False):
    """What the calls return, raise, write, and their gradients."""
    w, h, found = lib.tensor([0.5, -1.0, 2.0]), lib.ones(2), []
    for call in sequence:
        x, y, leaves = given(lib, call, grad)
        try:
            result = f(x, y, w, h, call[3])
            found.append(("returned", shown(result), slopes(result, leaves)))
        except Exception as error:
            found.append(("raised", type(error).__name__, str(error)))
        found.append(shown([x, y, h]))
    return found


def slopes(results, leaves):
    """The gradients of all results, weighed."""
    parts = [
        (i + 1) * (y.double() * y.double()).sum()
        for i, y in enumerate(results)
        if getattr(y, "requires_grad", False)
    ]
    if parts and leaves:
        sum(parts).backward()
    return shown([leaf.grad for leaf in leaves])


def shown(x):
    """Tensors as (type, shape, whether it requires grad, numbers)."""
    if isinstance(x, (list, tuple)):
        return [shown(each) for each in x]
    if not hasattr(x, "detach"):
        return type(x).__name__, x
    wide = np.array(x.detach().tolist(), np.float64)
    shape = tuple(map(int, x.shape))
    return str(x.dtype).split(".")[-1], shape, x.requires_grad, wide.reshape(shape)


def alike(a, b, tolerance=1e-4):
    """Equal up to rounding."""
    if isinstance(a, np.ndarray):
        return np.allclose(a, b, tolerance, tolerance, equal_nan=True)
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, tolerance, tolerance, equal_nan=True))
    if isinstance(a, (list, tuple)) and type(a) is type(b) and len(a) == len(b):
        wide = 0.02 if "float16" in map(str, a[:1]) else tolerance
        return all(alike(p, q, wide) for p, q in zip(a, b))
    return type(a) is type(b) and a == b
