"""Calls of the public mathematics, as text that any `torch` can evaluate.

`CALLS` are evaluated over the tensors of `tensors()`; `GRADIENTS` over float64 ones,
and differentiated by all of them; `ERRORS` raise. The text is the test's name.
"""

from __future__ import annotations

import numpy as np

INF, NAN = float("inf"), float("nan")


def calls(text: str) -> list[str]:
    """The calls in a text, separated by semicolons."""
    return " ".join(text.split()).split("; ")


def arrays() -> dict[str, np.ndarray]:
    """x, y, z floats [3, 4]; v [4]; s 0-d; p in (0, 1); i, j, n integers; m bools."""
    rng = np.random.default_rng(3)
    i = rng.integers(-5, 6, (3, 4))
    named = {
        "x": rng.normal(size=(3, 4)).astype(np.float32),
        "y": rng.normal(size=(3, 4)).astype(np.float32),
        "z": np.array([0, -0.0, 1, -1, 2.5, -2.5, INF, -INF, NAN, 0.5, 3, 9], "f4"),
        "v": rng.normal(size=4).astype(np.float32),
        "s": np.array(1.5, np.float32),
        "d": rng.normal(size=(3, 4)),
        "e": np.zeros((0, 4), np.float32),
        "p": rng.uniform(0.05, 0.95, (3, 4)).astype(np.float32),
        "i": i,
        "j": np.where(i == 0, 3, i)[::-1].copy(),
        "n": rng.integers(0, 3, (3, 4)),
        "k": np.array([2, 0, 1, 2]),
        "u": rng.integers(0, 200, (3, 4)).astype(np.uint8),
        "h": rng.normal(size=(3, 4)).astype(np.float16),
        "m": rng.integers(0, 2, (3, 4)).astype(bool),
        "a": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "b": rng.normal(size=(2, 4, 5)).astype(np.float32),
        "w": rng.normal(size=(4, 5)).astype(np.float32),
        "r": np.array([[0.0, 2, 2, -1], [0, 0, 5, 5], [3, 1, 0, 2]]),
        "sq": rng.normal(size=(2, 4, 4)).astype(np.float32),
    }
    named["z"] = named["z"].reshape(3, 4)
    return named


UNARY = """neg abs sign floor ceil trunc round sqrt rsqrt square reciprocal exp exp2
expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
sigmoid erf erfc erfinv logit relu deg2rad rad2deg sinc isnan isinf isfinite logical_not
nan_to_num isposinf isneginf negative absolute arcsin arctanh fix""".split()
SCALED = """add sub mul div true_divide eq ne lt le gt ge remainder fmod pow
floor_divide""".split()
BINARY = (
    """maximum minimum atan2 logical_and logical_or logical_xor fmax
fmin""".split()
    + SCALED
)
FLOAT_BINARY = "hypot logaddexp logaddexp2 xlogy".split()
BITS = "bitwise_and bitwise_or bitwise_xor".split()

CALLS = [
    *(f"torch.{name}({a})" for name in UNARY for a in ("x", "z", "i", "u", "p", "s")),
    *calls("""
    torch.frac(x); torch.frac(z)
    """),
    *(f"torch.{name}(x * 30)" for name in "sigmoid tanh erf sinh asinh exp".split()),
    *(
        f"torch.{name}({pair})"
        for name in BINARY
        for pair in ("x, y", "x, v", "i, j", "x, j", "u, j", "x, s", "x, d", "z, y")
    ),
    *(f"torch.{name}({pair})" for name in SCALED for pair in ("x, 2", "i, 3", "u, .5")),
    *(f"torch.{name}({pair})" for name in FLOAT_BINARY for pair in ("x, y", "p, v")),
    *(f"torch.{name}({pair})" for name in BITS for pair in ("i, j", "m, m", "u, 3")),
    *calls("""
    x + 1; i + 1; i + 1.5; m + 1; m + m; u + 300; h + 1.5; h + x; h + s; 1 - x;
    2 / i; i / 2; i // 2; -7 // j; i % 3; x % 0.7; -i % -3; x ** 2; x ** 3; p ** 0.5;
    i ** 2; i ** 2.0; 2 ** x; 2 ** n; x ** -1; m ** 2; ~m; ~i; ~u; i & 3; m | m;
    i ^ 1; i << 2; i >> 1; x > 0; 0 < x; x == x; i != 2; x >= s; u == -1; abs(x); +x;
    -x; x @ w; z == z; torch.add(x, y, alpha=2); torch.add(i, j, alpha=-3);
    torch.sub(x, y, alpha=0.5); torch.rsub(x, 3)
    """),
    *(
        f"torch.div({pair}, rounding_mode={mode!r})"
        for pair in ("x, y", "i, j", "i, 2", "u, 7")
        for mode in ("trunc", "floor", None)
    ),
    *calls("""
    torch.round(x, decimals=2); torch.round(x * 1000, decimals=-2);
    torch.clamp(x, 0); torch.clamp(x, max=0.5); x.clamp(-0.5, 0.5);
    torch.clamp(i, -1, 2); torch.clamp(i, 0.5); torch.clamp(x, v, s); x.clamp_min(0);
    x.clamp_max(v); torch.clip(z, -1, 1); h.clamp(0, 1); torch.lerp(x, y, 0.3);
    torch.lerp(x, y, 0.8); torch.lerp(x, y, p); torch.addcmul(x, y, v, value=2);
    torch.addcdiv(x, y, p, value=0.5);
    torch.nan_to_num(z, nan=5.0, posinf=1.0, neginf=-1.0); torch.where(m, x, y);
    torch.where(m, 1, x); torch.where(m, x, 0.5); torch.where(m, 1, 2);
    torch.where(m, i, x); torch.where(m, h, s); torch.where(x > 0, x, d);
    x.where(m, 0); torch.where(m); h.where(m, 1.5); torch.isclose(x, x + 1e-7);
    torch.isclose(z, z, equal_nan=True); torch.allclose(x, x); torch.equal(x, y);
    torch.equal(i, i); torch.equal(x, v)
    """),
    *(
        f"torch.{name}({args})"
        for name in ("sum", "prod", "all", "any")
        for args in ("x", "i", "m", "u", "s", "e", "x, 0", "i, -1", "a, 1, True")
    ),
    *(
        f"torch.{name}({args})"
        for name in ("mean", "std", "var", "amax", "amin", "logsumexp", "norm")
        for args in ("x, dim=1", "x, dim=(0, 1)", "a, dim=(0, -1), keepdim=True")
    ),
    *calls("""
    x.sum((0, 1)); a.sum(dim=(0, 2)); a.sum(axis=0, keepdims=True); x.mean();
    x.std(); x.var(); h.sum(); h.mean(0); h.var(1); h.norm();
    torch.sum(i, dtype=torch.float32); torch.mean(i, dtype=torch.float64);
    x.var(0, False); x.var(unbiased=False); x.std(0, correction=0);
    x.var(1, keepdim=True, correction=2); torch.var_mean(x, 1); x[:1].var(0);
    torch.std_mean(x, 0, keepdim=True); torch.nansum(z); torch.nanmean(z, 1);
    torch.count_nonzero(i); torch.count_nonzero(i, 1); s.sum(0); s.mean(-1);
    e.sum(0); e.mean(); e.prod(1); torch.all(e, 0); e.sum(dim=()); x.amax();
    m.amax(1); torch.logsumexp(x * 100, 1); torch.amax(z[:2], 0);
    torch.logsumexp(z[1:2], 1); s.logsumexp(0); torch.aminmax(x);
    torch.aminmax(x, dim=1, keepdim=True)
    """),
    *(
        f"torch.{name}({args})"
        for name in ("max", "min", "argmax", "argmin")
        for args in ("x", "z", "i", "s", "x, 1", "a, 0", "a, -2, True", "s, 0", "z, 1")
    ),
    *calls("""
    torch.max(x, y); torch.min(i, j); x.max(dim=0).values; x.max(1)[1];
    x.argmax(keepdim=True); a.argmax(1, keepdim=True)
    """),
    *(
        f"torch.{name}({args})"
        for name in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")
        for args in ("x, 0", "a, -1", "s, 0", "z, 1")
    ),
    *calls("""
    i.cumsum(0); m.cumsum(1); u.cumprod(0); n.cummax(1); h.cumsum(1); x.softmax(0);
    torch.softmax(a, -1); x.log_softmax(1); h.softmax(1); (x * 1e4).log_softmax(1);
    z[1:2].softmax(1); s.softmax(0); torch.softmax(i, 1, dtype=torch.float64)
    """),
    *(
        f"torch.norm({args})"
        for args in ("x", "x, 1", "x, 3", "x, 0.5", "x, 0", "a, 2, 1", "e, 2")
    ),
    *calls("""
    x.norm(float('inf')); x.norm(float('-inf'), dim=1); x.norm(-1); s.norm();
    x.norm(dim=1, keepdim=True); x.norm('fro'); x.norm(2, -1, True);
    torch.linalg.norm(x); torch.linalg.norm(x, 1); torch.linalg.norm(v, 3);
    torch.linalg.norm(x, float('inf')); torch.linalg.norm(a, dim=(1, 2));
    torch.linalg.norm(a, dim=1); torch.linalg.vector_norm(a, 2, (0, 1));
    torch.linalg.matrix_norm(a); torch.linalg.matrix_norm(a, -1, keepdim=True);
    torch.matmul(v, v); x @ v; v @ w; a @ w; a @ b; a @ v; v @ b; x @ b;
    a[:, None] @ b; i @ j.T; h @ h.T; torch.mm(x, w); v.dot(v); torch.bmm(a, b);
    x.mv(v); torch.outer(v, v); torch.inner(x, y); torch.inner(x, v);
    torch.inner(x, s); e.T @ e; e @ w; torch.addmm(y @ w, x, w, beta=0.5, alpha=2);
    torch.baddbmm(a @ b, a, b, alpha=0.5); torch.addmv(x[:, 0], x, v);
    torch.addr(w, v, w[0]); torch.vdot(v, v); torch.addbmm(w[:3], a, b);
    torch.tensordot(a, w, 1); torch.tensordot(a, b, ([0, 2], [0, 1]));
    torch.tensordot(x, y, 2); torch.kron(x, w); torch.kron(v, x)
    """),
    *calls("""
    torch.einsum('ij,jk->ik', x, w); torch.einsum('ij,jk', x, w);
    torch.einsum('ij->ji', x); torch.einsum('ij->', x); torch.einsum('i,j->ij', v, v);
    torch.einsum('bij,bjk->bik', a, b); torch.einsum('...ij,...jk->...ik', a, b);
    torch.einsum('bii->bi', sq); torch.einsum('bii', sq); torch.einsum('ij,ij', x, y);
    torch.einsum('ij,ij->i', x, y); torch.einsum('bij,jk,bkl->il', sq, w @ w.T, sq);
    torch.einsum('...i->...', a); torch.einsum('ij,j', x, v); torch.einsum('ji', x);
    torch.einsum('b...,b...->...', a, a); torch.einsum('i...,i...', v, sq[0]);
    torch.einsum('i,i', v, v); torch.einsum('bij,kl->bkl', a, w);
    torch.einsum('ab,cd,ef->bdf', x, w, x); torch.einsum('bij,cij->bc', a, a);
    torch.einsum('ij,jk->ik', i, j.T); torch.einsum('ij , jk -> ki', x, w);
    torch.einsum('xij,xij->xij', a, a); torch.einsum('ij,kj->ik', x[:, :1], y);
    torch.einsum('bqd,bkd->bqk', a, a); torch.einsum(',ij', s, x)
    """),
    *calls("""
    torch.tril(x); torch.triu(a, 1); torch.tril(sq, -1); torch.triu(i, -1);
    torch.diag(v); torch.diag(v, -1); torch.diag(x); torch.diag(x, 2); x.diagonal();
    a.diagonal(1, 0, 2); sq.diagonal(dim1=-2, dim2=-1); x.diagonal(-1);
    x.diagonal(9); torch.diag_embed(x); sq[0].trace(); torch.diag_embed(x, 1);
    torch.diag_embed(x, 0, 0, 2); i[:, :3].trace(); torch.diagflat(x[:2, :2]);
    x.sort(); x.sort(0, descending=True); z.sort(1); z.sort(1, descending=True);
    i.sort(stable=True); torch.argsort(x, 0); s.sort(); torch.msort(x);
    torch.topk(x, 2); torch.topk(x, 2, 0, largest=False); x.kthvalue(2);
    x.kthvalue(1, 0, True); x.median(); x.median(1); z.median(1).values;
    x.median(0, True); torch.nanmedian(z); z.nanmedian(1).values; i.median();
    torch.quantile(x, 0.3); torch.quantile(x, p[0], 1); torch.quantile(z, 0.5, 1);
    torch.quantile(x, p[0], 0, True, interpolation='lower');
    torch.quantile(x, 0.4, 1, True, interpolation='midpoint'); torch.gather(x, 1, n);
    torch.gather(x, 0, n); a.gather(1, n[None]); torch.gather(x, 0, n[:2, :3]);
    torch.take(x, n); s.gather(0, k[0] * 0); torch.take_along_dim(x, n[:, :1], 1);
    torch.take_along_dim(x, x.argsort(1), 1); torch.index_select(x, 0, k);
    a.index_select(2, k); a.index_select(1, k); x.scatter(1, n, y);
    x.scatter(0, n, 7); x.scatter(0, n[:2, :3], y);
    x.scatter(1, n, 2.0, reduce='multiply'); i.scatter(1, n, j, reduce='add');
    x.scatter_add(0, n, y); x.scatter_add(1, n[:, :2], y)
    """),
    *(
        f"x.scatter_reduce(0, n, y, {how!r}, include_self={own})"
        for how in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    ),
    *calls("""
    w.index_add(0, k, w, alpha=2); x.index_add(1, k, y); a.index_copy(2, k, a);
    x.index_fill(1, k[:2], 5); x.masked_fill(m, 0); i.masked_fill(m, -1);
    x.masked_fill(m, s); h.masked_fill(m, -1e4); v.masked_fill(m, 1.0);
    x.masked_scatter(m, y); torch.masked_select(x, m); x.masked_select(v > 0);
    torch.nonzero(i); i.nonzero(as_tuple=True); s.nonzero(); torch.argwhere(m);
    torch.unique(i); torch.unique(n, return_inverse=True, return_counts=True);
    torch.unique(n, dim=0); torch.unique_consecutive(k, return_counts=True);
    torch.searchsorted(v.sort()[0], x); torch.bucketize(n, k.sort()[0], right=True);
    torch.searchsorted(x.sort()[0], y);
    torch.searchsorted(k.sort()[0], n, right=True, out_int32=True);
    torch.bincount(k); torch.bincount(k, v, minlength=6); torch.isin(i, k);
    torch.histc(x, 5); torch.histc(x, 4, -1, 1); torch.isin(n, k, invert=True)
    """),
]

SMOOTH = """neg abs sqrt rsqrt square reciprocal exp exp2 expm1 log log2 log10 log1p sin
cos tan asin acos atan sinh cosh tanh asinh atanh sigmoid erf erfc erfinv logit sinc
relu frac deg2rad""".split()
GRADIENTS = [
    *(f"torch.{name}(p)" for name in SMOOTH),
    *calls("""
    torch.acosh(p + 1); torch.sigmoid(x * 50); torch.asinh(x * 1e9)
    """),
    *(f"torch.{name}(x, {b})" for name in ("add", "sub", "mul", "div") for b in "yvs"),
    *calls("""
    x ** 2; x ** 3; p ** 1.5; p ** y; 2 ** x; x * 0 + s; 3 / x
    """),
    *(f"torch.{name}(x, v)" for name in "atan2 maximum minimum fmax fmin".split()),
    *calls("""
    x % v; torch.fmod(x, v); torch.hypot(x, y); torch.logaddexp(x, v);
    torch.logaddexp2(x, y); torch.xlogy(x, p); torch.maximum(x, x);
    torch.clamp(x, -0.5, 0.5); torch.clamp(x, v, s); torch.lerp(x, y, p);
    torch.lerp(x, v, 0.7); torch.addcmul(x, y, v); torch.addcdiv(x, y, p);
    torch.where(m, x, v); torch.where(m, x, 0.0); torch.nan_to_num(x);
    torch.clamp(r, 0, 2); torch.relu(r); torch.abs(r); torch.fmax(r, 2 * r); x.sum();
    x.sum(0); a.sum((0, 2), True); x.mean(1); x.prod(); r.prod(); x.prod(1); x.var();
    x.std(1); x.var(0, False); (r * 0).std(); torch.logsumexp(x * 50, 1);
    x.softmax(1); x.log_softmax(0); x.amax(1); x.max(); r.max(); r.amin(0);
    r.max(1).values; r.min(0)[0]; x.cumsum(1); x.cumprod(0); r.cumprod(1);
    x.cummax(1).values; r.cummin(0).values; torch.logcumsumexp(x, 1);
    torch.nansum(x); torch.var_mean(x, 0)[1]; x.norm(); x.norm(1); x.norm(3, 1);
    (r * 0).norm(); (r * 0).norm(3); r.norm(1.5, 0); x.norm(float('inf'));
    r.norm(0.5); r.norm(1); torch.linalg.norm(x); torch.linalg.norm(a, dim=(1, 2));
    x @ w; v @ v; x @ v; v @ w; a @ w; a @ b; a @ v; x @ b; v @ b; torch.inner(x, y);
    torch.outer(v, v); torch.kron(x, v); x.mv(v);
    torch.addmm(s, x, w, beta=2, alpha=3); torch.tensordot(a, b, ([0, 2], [0, 1]));
    torch.einsum('bij,bjk->ik', a, b); torch.einsum('bii->b', sq);
    torch.einsum('ij,ij->i', x, y); torch.einsum('bij,jk,cd->bikd', a, w, x);
    x.tril(); x.triu(1); x.diagonal(); torch.diag(v, 1); torch.diag_embed(x);
    sq[0].trace(); x.sort(1).values; x.topk(2).values; x.kthvalue(2)[0];
    x.median(1)[0]; torch.quantile(x, 0.3, 1); x.gather(1, n); x.take(n);
    x.gather(0, n[:2, :3]); x.index_select(0, k); a.index_select(2, k);
    x.scatter(1, k[:3, None], y[:, :1]); x.scatter_add(0, n, y);
    x.index_add(1, k, y); x.scatter_reduce(0, n, y, 'sum');
    x.scatter_reduce(0, n, y, 'mean'); x.scatter_reduce(0, n, y, 'amax');
    x.scatter_reduce(0, n, y, 'prod'); x.index_copy(0, k[:3], y);
    x.index_fill(1, k[:1], 5); x.masked_fill(m, 0); torch.masked_select(x, m);
    x.masked_scatter(m, y); x.take_along_dim(n, 1)
    """),
]

ERRORS = [
    *calls("""
    x + w; torch.add(x, [1]); m - m; -m; x & 1; ~x; torch.exp('a'); x.sum(5);
    x.sum((0, 0)); x.mean(-3); i.mean(); i.var(); e.max(); e.max(0); e.argmax();
    e.amax(0); x.cumsum(2); x.softmax(7); x.sort(4); x @ y; torch.mm(x, v);
    torch.bmm(a, x); torch.bmm(a, a); v.dot(x[:, 0]); x.mv(x[:, 0]); x @ d.T; s @ x;
    torch.addmm(x, x, y); x.norm('nuc2'); i.norm(); torch.einsum('ij,jk', x);
    torch.einsum('ij', x, y); torch.einsum('ijk', x); torch.einsum('ij,jk', x, y);
    torch.einsum('ij->k', x); torch.einsum('i1', x); torch.topk(x, 9); x.kthvalue(0);
    x.gather(1, m); x.gather(1, k); x.index_select(0, n); x.index_select(0, k + 9);
    x.scatter(1, n, d); x.scatter(1, n, y, reduce='mode'); x.masked_fill(i, 0);
    x.masked_fill(m, v); torch.where(i, x, y); torch.clamp(x); i ** -1; i // 0;
    i % (i * 0); torch.fmod(i, 0); torch.add(i, i, alpha=0.5);
    torch.div(x, y, rounding_mode='up'); torch.isclose(x, d); torch.relu(m);
    torch.bincount(i); torch.bincount(x); torch.tril(v); torch.diag(a);
    x.sum(dims=0); torch.exp(x, 1, 2); torch.tensordot(x, y, 1); x.trace().sort(2);
    a.trace(); x.diagonal(0, 1, 1); torch.quantile(i, 0.5); x.max(dim='a')
    """),
]
