"""Storage and views: what a write means, and what an alias sees of it.

A tensor is a storage and a chain of view steps from the storage's root. A write
through a view makes a new value of the whole root (`put`); a read through any other
view derives from the current root (`derive`). Eager tensors keep the numbers in NumPy
arrays that are views of each other in the same way, so the two never disagree.

Two steps move no memory. `stop_gradient` is `detach()`: the same numbers, out of
reach of gradients. `leaf` is `requires_grad_()`: from here on a variable of its own,
known by its `Leaf`, so that two variables made of one tensor stay two.
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Optional

import numpy as np

from .graph import Value, make
from .meaning import window_counts
from .ops import OPS
from .sizes import Dim, Int, hint, same_size
from .texts.spelled import evaluate

__all__ = ["Storage", "Leaf", "derive", "put", "view_array", "view_strides", "resized"]

Steps = tuple  # of (op, attrs)


class Storage:
    """Memory that several tensors may look at.

    `array` is the root's NumPy array (None while it is only recorded), `value` the
    root's SSA value where one is kept (recorded, or tracked for a gradient),
    `version` counts writes, `maker` is the recording that created it.
    """

    __slots__ = ("array", "value", "version", "maker", "__weakref__")

    def __init__(
        self, array: Any = None, value: Optional[Value] = None, maker: Any = None
    ):
        self.array, self.value, self.version, self.maker = array, value, 0, maker


class Leaf:
    """A variable of differentiation: `tensor()` is the tensor whose `grad` it fills.

    `value` is its SSA value while the storage is at `version` (eager tensors; a
    recording keeps its own). `hooks` see its gradient, those in `after` the tensor
    once the gradient has been added to `grad`; `mark` says which there are.
    """

    __slots__ = ("tensor", "value", "version", "hooks", "after", "mark")

    def __init__(self, tensor: Callable[[], Any]):
        self.tensor = tensor
        self.hooks: dict[int, Callable] = {}
        self.after: dict[int, Callable] = {}
        self.mark: Optional[tuple] = None
        self.value: Optional[Value] = None
        self.version = -1


def derive(root: Value, steps: Steps, leaf: Callable[[Leaf, Value], Value]) -> Value:
    """What a view sees of `root`; `leaf(which, value)` finds a variable's own value."""
    for op, attrs in steps:
        if op == "leaf":
            root = leaf(attrs["of"], root)
        else:
            root = make(op, (root,), **attrs)
    return root


def resized(steps: Steps, sizes: dict) -> Steps:
    """The steps with numbers for symbolic sizes: those given, else the example's."""

    def renew(attr: Any) -> Any:
        if isinstance(attr, tuple):
            return tuple(map(renew, attr))
        if isinstance(attr, Dim):
            return evaluate(attr, sizes) if sizes else hint(attr)
        return attr

    return tuple((op, {k: renew(a) for k, a in attrs.items()}) for op, attrs in steps)


def memory_steps(steps: Steps) -> Steps:
    """The steps without the marks of differentiation that end them."""
    while steps and steps[-1][0] in ("leaf", "stop_gradient"):
        steps = steps[:-1]
    return steps


def tracked(storage: Storage, steps: Steps) -> bool:
    """Whether gradients flow into what an eager tensor sees."""
    live = storage.value is not None and storage.value.live
    for op, _ in steps:
        live = op == "leaf" or (live and op != "stop_gradient")
    return live


def put(root: Value, steps: Steps, new: Value) -> Value:
    """`root` after the view `steps` of it was overwritten with `new`."""
    steps = tuple(step for step in steps if step[0] in _PUT)
    chain = [root]
    for op, attrs in steps[:-1]:
        chain.append(make(op, (chain[-1],), **attrs))
    for seen, (op, attrs) in zip(reversed(chain), reversed(steps)):
        new = _PUT[op](seen, new, attrs)
    return new


def _put_permute(seen: Value, new: Value, attrs: dict) -> Value:
    axes = attrs["axes"]
    back = sorted(range(len(axes)), key=lambda i: axes[i])
    return new.permute(tuple(i - len(axes) for i in back))


def _put_slice(seen: Value, new: Value, attrs: dict) -> Value:
    place = {key: attrs[key] for key in ("axis", "start", "step")}
    return make("update_slice", (seen, new), **place)


SHARED = (
    "unsupported operation: more than one element of the written-to tensor refers to "
    "a single memory location. Please clone() the tensor before performing the "
    "operation."
)


def _put_expand(seen: Value, new: Value, attrs: dict) -> Value:
    raise RuntimeError(SHARED)


def check_writable(array: Any, whole: Any) -> None:
    """An error where `array`, seen in the memory `whole`, cannot be written.

    RuntimeError for what was stretched or overlaps, ValueError for a read-only array.
    """
    if not isinstance(array, np.ndarray) or array.flags.writeable:
        return
    if whole.flags.writeable:
        raise RuntimeError(SHARED)
    raise ValueError(
        "the tensor shares the memory of a NumPy array that is read-only: write to a "
        "copy (Tensor.clone) instead"
    )


_PUT = {
    "reshape": lambda seen, new, attrs: new.reshape(seen.shape),
    "permute": _put_permute,
    "slice": _put_slice,
    "expand": _put_expand,
    "windows": _put_expand,
}


def view_array(array: np.ndarray, steps: Steps) -> np.ndarray:
    """The same view of a NumPy array (shares its memory)."""
    for op, attrs in steps:
        if op in _PUT:
            meaning, here = OPS[op].meaning, isinstance(array, np.ndarray)
            array = meaning(array, **attrs) if here else array.seen(meaning, attrs)
    return array


def row_major(shape: tuple) -> tuple:
    """Strides in elements of a C-contiguous array."""
    strides: list[Int] = []
    step: Int = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def step_strides(shape: tuple, strides: tuple, op: str, attrs: dict) -> tuple:
    """(shape, strides) after one view step."""
    if op == "permute":
        axes = attrs["axes"]
        return tuple(shape[a] for a in axes), tuple(strides[a] for a in axes)
    if op == "slice":
        new, at = list(strides), attrs["axis"]
        new[at] = new[at] * attrs["step"]
        sizes = list(shape)
        sizes[at] = attrs["length"]
        return tuple(sizes), tuple(new)
    if op == "expand":
        lead = (0,) * (len(attrs["shape"]) - len(shape))
        kept = (0 if same_size(n, 1) else s for n, s in zip(shape, strides))
        return attrs["shape"], lead + tuple(kept)
    if op == "reshape":
        return attrs["shape"], view_strides(shape, strides, attrs["shape"])
    if op == "windows":
        return _step_windows(shape, strides, **attrs)
    return shape, strides


def _step_windows(
    shape: tuple, strides: tuple, size: tuple, stride: tuple, dilation: tuple
) -> tuple:
    lead = len(shape) - len(size)
    counts = window_counts(shape[lead:], size, stride, dilation)
    steps = strides[lead:]
    apart = tuple(a * s for a, s in zip(steps, stride))
    inside = tuple(a * d for a, d in zip(steps, dilation))
    return shape[:lead] + tuple(counts) + size, strides[:lead] + apart + inside


Equal = Callable[[Int, Int], bool]


def contiguous(shape: tuple, strides: tuple, equal: Equal = same_size) -> bool:
    """Whether the elements lie in row-major order without gaps.

    Here and below a symbol stands for any size: nothing is concluded from its being
    0 or 1 in the example, so that a program serves both. (`equal=operator.eq` answers
    for the example alone, with guards.)
    """
    expected: Int = 1
    for size, step in zip(reversed(shape), reversed(strides)):
        if not equal(step, expected) and not equal(size, 1):
            return any(equal(n, 0) for n in shape)
        expected = expected * size
    return True


def view_strides(shape: tuple, strides: tuple, target: tuple) -> Optional[tuple]:
    """Strides that show the same memory as `target`; None where that takes a copy.

    Axes that lie contiguously form one run; each run must be split up by whole axes
    of the target (the rule of PyTorch's `view`).
    """
    if contiguous(shape, strides):
        return row_major(target)
    if any(same_size(n, 0) for n in shape):
        return row_major(target)
    runs = _runs(shape, strides)
    found = _split_runs(runs, target, same_size)
    if found is None and _split_runs(runs, target, _alike) is not None:
        found = _split_runs(runs, target, operator.eq)  # relies on the example
    return found


def viewable_here(shape: tuple, strides: tuple, target: tuple) -> bool:
    """Whether `view_strides` finds some in the example, with guards for all it asks."""
    runs = [[n, step] for n, step in _runs(shape, strides) if n != 1]
    sizes = tuple(n for n in target if n != 1)  # they have no order
    return not runs or _split_runs(runs, sizes, operator.eq) is not None


def _alike(a: Int, b: Int) -> bool:
    return hint(a) == hint(b)


def _runs(shape: tuple, strides: tuple) -> list:
    runs: list = []  # [elements, stride of the innermost axis]
    for size, step in zip(shape, strides):
        if same_size(size, 1):
            continue
        if runs and same_size(runs[-1][1], size * step):
            runs[-1] = [runs[-1][0] * size, step]
        else:
            runs.append([size, step])
    return runs


def _split_runs(runs: list, shape: tuple, equal: Equal) -> Optional[tuple]:
    out: list = []
    runs, target = [*runs], [*shape]
    while runs or target:
        size, step = runs.pop() if runs else (1, 1)
        taken: Int = 1
        while target and (not equal(taken, size) or same_size(target[-1], 1)):
            taken = taken * target[-1]
            inner = not same_size(target[-1], 0)
            out.append(step * (taken // target[-1]) if inner else step)
            target.pop()
        if not equal(taken, size):
            return None
    return tuple(reversed(out))
