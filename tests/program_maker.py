"""Random Python programs over a few tensors and Python variables (for hypothesis)."""

from __future__ import annotations

import linecache

import tracefuse as torch
from hypothesis import strategies as st

# What a program may say. `x`, `y` are (n, 3) tensors, `k` an int, `s` a float, `box` a
# plain object with t (int), v (float), w (tensor) and log (list); a, b: (n, 3) tensors;
# p, q: floats; i: an int.
SIMPLE = (
    "a = x * 2 + y",
    "a = a * s",
    "a = a + k",
    "a = a - b",
    "b = a.relu() * 0.5",
    "b = torch.where(a > 0, a, y * p)",
    "a = a / x.shape[0]",
    "b = b + a[: x.shape[0] // 2 + 1].sum()",
    "b = (a.reshape(-1) * i).reshape(x.shape[0], 3)",
    "b = torch.full(tuple(x.shape), p) + y",
    "b = torch.zeros(x.shape[0], 3) + torch.arange(3) * i",
    "b = b.clone(); b[0] = s",
    "b = torch.cat([a, y])[: len(x)]",
    "p = s * 0.5 + k",
    "p = p if p > 1 else -p",
    "p = a.sum().item() * 0.25",
    "q = p * q + s / 3",
    "q = (b.mean().item() + p) / 2",
    "q = max(p, q, 0.25)",
    "q = abs(q) ** 0.5",
    "q = p // 0.5 + p % 0.75",
    "q = float(i) - s",
    "q = round(p, 1)",
    "q = p / x.shape[0] + 0.5 * x.shape[0]",
    "i = k + 1",
    "i = int(a.sum()) % 3",
    "i = (i * 2 + k) % 5 - 1",
    "i = k // 2 if k else 7",
    "i = int(p) % 4",
    "i = len(box.log) + x.shape[0] % 2",
    "i = [4, 5, 6][(a.sum() > 0).long()]",
    "i = (i & 3) | 4",
    "box.t += 1",
    "box.v = box.v * 0.5 + p",
    "box.v = q",
    "box.w.add_(a.mean())",
    "box.w = a.sum(0)",
    "box.log.append(i)",
    "box.log.append(p)",
    "box.log = []",
    "a = a + box.t",
    "a = a * box.v",
    "b = b + box.w",
    "p = p + box.v",
    "x.add_(1)",
    "x[0].mul_(2)",
    "y = y.t().contiguous().t()",
    "name = f'{k}:{i}'",
    "flag = isinstance(p, float) and isinstance(i, int)",
    "i = {0: 3, 1: 5}.get(k, i)",
    "i = i if k in (1, 2) else 2",
    "p = dict(u=p)['u'] + sum([s, q])",
    "q = (lambda z: z * s)(p)",
    "i, p = k, q",
    "assert k < 9, 'k is too large'",
    "a = a + torch.rand(3).round()",
    "v = x.t(); v[1].add_(s)",
    "x, y = y, x",
    "a, b = b, a",
    "box.pair = (k, s, a.sum().item())",
    "p = box.pair[1] + p; i = box.pair[0]",
    "box.n['k'] += k; box.n['s'] *= s",
    "a = a * box.n['s'] + box.n['k']",
    "TOTAL['v'] = TOTAL['v'] + s",
    "(x * box.g).sum().backward()",
    "box.g.grad = None",
    "p = p if box.g.grad is None else box.g.grad.sum().item() + p",
    "b = b + (box.g * s).detach()",
    "b = b * 2 if box.g.grad is None else b + box.g.grad",
    "torch.no_grad()(lambda: box.g.sub_(0.5))()",
    "a = a.double() * s; a = a.float()",
    "b = (x > 1).float() * k - (y <= 2).long() * i",
    "b = x[x[:, 0].argsort()] * i",
    "a = a.index_select(0, torch.tensor([0])) + y",
    "q = [p, q, s][k % 3]; box.v, p = p, box.v",
    "p, q = sorted([p, q])",
    "i = sum(1 for v in x[:, 0] if v > 1)",
    "p = p and q or s",
    "i = (k > 1) + (s > 0.5) + bool(p)",
    "b = x.expand(2, *x.shape)[0] * p",
    "y = y.clone(); y[0, 1] = q; y[-1] += i",
    "name += str(i) + ('+' if p > 0 else '-')",
)
HEADS = (
    "if a.sum() > 0:",
    "if k > 1:",
    "if s > 0.5:",
    "if box.t % 2:",
    "if x.shape[0] > 2:",
    "if p < q and k or i == 2:",
    "if not (b > 1).any():",
    "if box.v:",
    "for i in range(k):",
    "for j in range(x.shape[0] % 3):",
    "for row in (x if k == 2 else y)[:2]:",
    "for u in [s, p]:",
)
WHOLE = (
    ("n = 0", "while b.sum() < 6 and n < 5:", "    b = b + 1", "    n += 1"),
    ("try:", "    p = 1 / k", "except ZeroDivisionError:", "    p = 0.5"),
    ("try:", "    i = [1, 2][k]", "except IndexError:", "    i = 9"),
    ("if k == 3:", "    return a, q"),
    ("if a.sum() > 40:", "    raise ValueError(f'{k} is too much')"),
    ("def inner(z):", "    return z * p + i", "b = inner(b)"),
)


def _block(depth):
    line = st.sampled_from(SIMPLE).map(lambda text: [text])
    kinds = [line, line, line, line, st.sampled_from(WHOLE).map(list)]
    if depth:
        below = _block(depth - 1)
        kinds.append(st.tuples(st.sampled_from(HEADS), below).map(_nested))
    return st.lists(st.one_of(kinds), min_size=1, max_size=4).map(
        lambda parts: [line for part in parts for line in part]
    )


def _nested(pair):
    head, body = pair
    return [head, *("    " + line for line in body)]


def sources():
    """Source texts of a function f(x, y, k, s, box)."""
    return st.lists(_block(2), min_size=1, max_size=3).map(
        lambda blocks: source_of([line for block in blocks for line in block])
    )


def source_of(lines):
    """The text of a function f(x, y, k, s, box) with these lines."""
    body = [
        *("a, b, p, q, i = x, y, s, 0.5, 1", "name, flag, j, n = '', True, 0, 0"),
        *lines,
        "return a, b, p, q, i, {'name': name, 'more': [flag, box.t]}",
    ]
    return "def f(x, y, k, s, box):\n" + "\n".join("    " + line for line in body)


def compiled(source):
    """The function of a source text."""
    name = f"<program {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    scope = {"torch": torch, "__name__": "program", "TOTAL": {"v": 0.5}}
    exec(compile(source, name, "exec"), scope)
    return scope["f"]


class Box:
    def __init__(self):
        self.t, self.v, self.log = 0, 0.25, []
        self.w, self.pair, self.n = torch.ones(3), (1, 0.5, 0.0), {"k": 1, "s": 1.5}
        self.g = torch.ones(3, requires_grad=True)


def calls():
    """Lists of (n, k, s, sign): the arguments of calls that follow each other."""
    one = st.tuples(
        st.sampled_from([2, 3, 4, 1]),
        st.sampled_from([0, 1, 2, 3]),
        st.sampled_from([0.25, 0.5, 0.75, 2.0]),
        st.sampled_from([1.0, -1.0]),
    )
    return st.lists(one, min_size=3, max_size=7)


def plain(x):
    """A result as something to compare: types, values, what is what."""
    if isinstance(x, torch.Tensor):
        return ("tensor", str(x.dtype), repr(x.tolist()))
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [plain(each) for each in x]
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    return type(x).__name__, repr(x)


def trail(function, sequence):
    """What a function returns, raises and writes, call after call."""
    box, found, total = Box(), [], function.__globals__["TOTAL"]
    torch.manual_seed(0)
    for n, k, s, sign in sequence:
        x = torch.arange(n * 3.0).reshape(n, 3) * sign
        y = torch.ones(n, 3) * 2
        try:
            result = plain(function(x, y, k, s, box))
        except Exception as error:
            result = (type(error).__name__, str(error))
        state = plain([x, y, vars(box), box.g.grad, total])
        found.append((result, state))
    return found
