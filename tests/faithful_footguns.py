"""The everyday patterns that tracing compilers bake or refuse, and known pains."""

from __future__ import annotations

import tracefuse as torch
import tracefuse.nn.functional as F
from faithful_rows import Box, neg, pos, row, vec
from tracefuse import nn

FACTOR = 2.0
W = [1.0]


@row
def global_float_changed():
    def change():
        globals()["FACTOR"] = 5.0 - FACTOR

    return (lambda x: x * FACTOR), [pos(), change, pos(), change, pos()]


@row
def attribute_of_captured_object_changed():
    c = Box(k=2.0)
    change = lambda: setattr(c, "k", 5.0 - c.k)
    return (lambda x: x * c.k), [pos(), change, pos(), change, pos()]


@row
def captured_array_rebound():
    c = {"w": vec(1, 2, 3)}
    change = lambda: c.update(w=c["w"] * 2)
    return (lambda x: x * c["w"]), [pos(), change, pos(), change, pos()]


@row(saved=True)
def branch_on_tensor_value():
    return (lambda x: x + 1 if x.mean() > 0 else x - 1), [pos(), neg(), pos()]


@row(saved=True)
def loop_over_the_first_size():
    def f(x):
        y = x[0] * 0
        for i in range(x.shape[0]):
            y = y + x[i]
        return y

    return f, [(torch.ones(n, 2),) for n in (2, 5, 3, 2)]


@row(saved=True)
def item_in_an_expression():
    return (lambda x: x / x.max().item()), [pos(), neg(), pos()]


@row(saved="has no recording to save")
def round_trip_through_numpy():
    f = lambda x: torch.from_numpy(x.numpy() * 2) + 1
    return f, [pos(), neg(), pos()]


@row
def train_to_eval():
    m = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    x = torch.arange(6.0).reshape(2, 3)
    return m, [(x,), m.eval, (x,), m.train, (x,)], m


@row(saved=True)
def fresh_random_each_call():
    return (lambda x: x + torch.rand(3)), [pos(), pos(), pos()]


@row(saved=True)
def write_into_an_argument():
    def f(x):
        x[0] += 1
        return x.sum()

    return f, [pos(), pos()]


@row(saved=True)
def write_through_a_view():
    def f(x):
        v = x[1:]
        v += 1
        return x * 1

    return f, [pos(), pos()]


@row(saved="has no recording to save")
def earlier_output_after_the_next_call():
    kept = []

    def f(x):
        return x * 2

    def call(x):
        kept.append(f(x))
        return kept[-1]

    return call, [pos(), neg(), pos()], kept


@row(saved=True)
def dtype_changed_on_the_second_call():
    kinds = (torch.float32, torch.float64, torch.int32, torch.float32)
    return (lambda x: x * 2), [(torch.ones(2).to(k),) for k in kinds]


@row(saved=True)
def dict_argument():
    f = lambda d: {"y": d["x"] * d["k"]}
    return f, [({"x": vec(1), "k": k},) for k in (1, 2, 3, 1)]


@row(saved="has no recording to save")
def list_append_side_effect():
    log = []

    def f(x):
        log.append("called")
        return x * 2

    return f, [pos(), neg(), pos()], log


@row(saved=True)
def second_derivative():
    second = torch.grad(lambda x: torch.grad(lambda y: (y**4).sum())(x).sum())
    return second, [pos(), neg()]


# -- the public list of silent mismatches of another tracer


@row(saved=True)
def duplicate_inputs():
    x, y = vec(1, 2), vec(3, 4)
    return (lambda a, b: a * 2 + b), [(x, y), (x, x), (y, x)]


@row(saved=True)
def views_with_other_offsets():
    base = torch.arange(8.0)
    f = lambda v: v * 2
    return f, [(base[i : i + 2],) for i in (0, 2, 5, 0)]


@row(saved=True)
def views_with_other_strides():
    base = torch.arange(16.0).reshape(4, 4)
    views = (base[:2, :2], base[::2, ::2], base.T[:2, :2], base[:2].T[:2])
    return (lambda v: v.reshape(-1) * 2), [(v,) for v in views]


@row(saved=True)
def a_method_shared_across_instances():
    class Net:
        def __init__(self, k):
            self.w = torch.full((3,), k)

        @torch.jit
        def go(self, x):
            return x * self.w

    nets = [Net(1.0), Net(2.0)]
    return (lambda x, i: nets[i].go(x)), [(vec(1, 2, 3), i) for i in (0, 1, 0)]


@row(saved=True)
def keywords_and_positions_mixed():
    f = lambda x, y: x - y
    call = lambda a, b, how: (
        f(a, y=b) if how == "y" else f(y=a, x=b) if how else f(a, b)
    )
    return call, [(vec(1), vec(5), how) for how in ("y", "x", "", "y")]


@row(saved="has no recording to save")
def masked_select_and_tolist():
    f = lambda x: (x.masked_select(x > 0), x.tolist())
    return f, [pos(), neg(), (vec(1, -1, 1),)]


@row
def an_assignment_that_no_result_shows():
    c = Box(last=vec(0, 0, 0))

    def f(x):
        c.last.copy_(x)
        return None

    return f, [pos(), neg()], c


@row(saved=True)
def list_arguments():
    return (lambda xs: xs[0] + xs[-1]), [
        ([vec(1), vec(2)],),
        ([vec(3)],),
        ([vec(1)] * 3,),
    ]


@row(saved=True)
def one_buffer_returned_twice():
    def f(x):
        y = x + 1
        return y, y, y[1:]

    return f, [pos(), neg()]


@row(saved=True)
def const_inputs_only():
    return (lambda: torch.ones(2) * 3), [(), ()]


@row()
def no_tensor_at_all():
    return (lambda a, b: (a + b, a > b)), [(1, 2), (2, 1), (1.5, 2), ("a", "b")]


# -- the pains


@row(saved=True)
def constant_baking():
    def f(x):
        h, w = x.shape
        scale = torch.tensor(float(h * w))
        return x / scale + torch.arange(w)

    return f, [(torch.ones(s),) for s in ((2, 3), (3, 2), (4, 4), (2, 3))]


@row()
def rate_in_a_closure():
    c = Box(lr=0.1, t=0)
    w = vec(1, 2, 3)

    def step(g):
        c.t += 1
        w.sub_(g * (c.lr / (1 - 0.9**c.t)))
        return w * 1

    half = lambda: setattr(c, "lr", c.lr * 0.5)
    return step, [pos(), half, pos(), half, pos()], c, w


@row(saved=True)
def immutable_arrays():
    def f(x, v):
        x[1] = v
        x[::2] *= 2
        x += 1
        return x

    return f, [(vec(1, 2, 3), v) for v in (5.0, 6.0)]


@row(saved=True)
def a_mask_that_is_not_updated():
    f = lambda x: F.dropout(x, 0.5) * (torch.rand(3) > 0.5)
    return f, [pos(), pos(), pos()]


@row
def the_sign_of_a_gradient_penalty():
    w = vec(1, 2, 3).requires_grad_()

    def f(x):
        (g,) = torch.autograd.grad((w**3 * x).sum(), w, create_graph=True)
        w.grad = None
        (g**2).sum().backward()
        return g.detach(), w.grad * 1

    return f, [pos(), neg()], w


@row
def the_output_is_the_same_whatever_the_input():
    m = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    f = lambda x: m(x) if x.abs().sum() > 4 else m(x * 2)
    return f, [(torch.full((2, 3), k),) for k in (1.0, 0.1, -1.0, 1.0)], m


@row(saved=True)
def errors_of_eager_are_kept():
    w = torch.ones(3, 2)
    return (lambda x: x @ w), [
        (torch.ones(2, 3),),
        (torch.ones(2, 4),),
        (torch.ones(3),),
    ]


@row
def drop_block_frozen():
    c = Box(p=0.1)
    up = lambda: setattr(c, "p", min(c.p + 0.3, 1.0))
    return (lambda x: F.dropout(x, c.p)), [pos(), up, pos(), up, pos(), up, pos()], c


@row(saved=True)
def loops_in_place_of_scans():
    def f(x, n):
        out = torch.zeros(n)
        for i in range(n):
            out[i] = x[i % 3] + (out[i - 1] if i else 0)
        return out

    return f, [(vec(1, 2, 3), n) for n in (4, 6, 4, 1)]


@row(saved=True)
def nan_is_not_hidden():
    f = lambda x: (x.log(), torch.isnan(x.log()).any().item(), x.log().sum())
    return f, [pos(), neg(), pos()]


@row(saved=True)
def sort_is_stable_and_ties_are_shared():
    f = lambda x: (x.sort(stable=True)[1], x.max(), x.argmax())
    return f, [(vec(1, 1, 0),), (vec(2, 2, 2),), (vec(0, 1, 1),)]
