"""The front of a generated entry: take the arguments apart and check their leaves."""

from __future__ import annotations

import enum
import operator
from typing import Any, Container, NamedTuple, Optional

import numpy as np

from ....tracer.elsewhere import Elsewhere, away, device_of
from ....tracer.sizes import Dim, sized
from ....tracer.storage import tracked
from ...arrays.shared import adopt
from ...place import making
from ...tensor import Tensor
from ..varying import Followed
from .writer import Writer

__all__ = ["Kind", "Writer", "kinds_of", "unpack", "check_tensor"]
__all__ += ["alike", "check_host", "is_scalar"]


class Kind(NamedTuple):
    """What a generated entry checks of a tensor.

    `flows` says whether gradients flow into it, `leaf` whether it is a variable
    itself, `first` the number of the argument that is the same object, if any,
    `hooks` which hooks it has. Of an array of NumPy's it is the kind of the tensors
    that are made of it; `strides` then says how it lies, `numbers` what is in it, if
    that matters to more than tensors.
    """

    type: type
    shape: tuple
    dtype: Any
    flows: bool
    leaf: bool
    first: Optional[int] = None
    hooks: Optional[tuple] = None
    device: Any = None  # the GPU on which it lies
    strides: Optional[tuple] = None
    numbers: Optional[bytes] = None

    @classmethod
    def of(cls, t: Tensor, shape: Optional[tuple] = None) -> "Kind":
        """The kind of `t`; `shape` overrides its sizes with symbols."""
        leaf = t._steps[-1:] != () and t._steps[-1][0] == "leaf"
        array = t._array
        flows = tracked(t._storage, t._steps)
        hooks = t._steps[-1][1]["of"].mark if leaf else None
        kind = (type(t), shape or array.shape, array.dtype, flows, leaf)
        return cls(*kind, hooks=hooks, device=device_of(array))

    @classmethod
    def of_array(cls, x: np.ndarray) -> "Kind":
        """The kind of an array of NumPy's."""
        kind = (np.ndarray, x.shape, x.dtype, False, False)
        return cls(*kind, strides=x.strides)


def kinds_of(leaves: list, shapes: dict, arrays: Container = ()) -> list:
    """Each tensor among the leaves replaced by its kind, and those of the arrays whose
    numbers are in `arrays`."""
    first: dict[int, int] = {}
    found: list = []
    for i, x in enumerate(leaves):
        if isinstance(x, Tensor):
            kind = Kind.of(x, shapes.get(id(x), (x, None))[1])
            same = first.setdefault(id(x), i)
            x = kind if same == i else kind._replace(first=same)
        elif i in arrays:
            kind, same = Kind.of_array(x), first.setdefault(id(x), i)
            x = kind if same == i else kind._replace(first=same)
        found.append(x)
    return found


def alike(some: list, others: list) -> bool:
    """Whether leaves that one call has are taken in the same way."""
    return all(
        type(a) is type(b)
        and (not isinstance(a, (Kind, Followed)) or _form(a) == _form(b))
        for a, b in zip(some, others)
    )


def _form(kind: Any) -> str:
    return str(kind._replace(numbers=None) if isinstance(kind, Kind) else kind)


def unpack(w: Writer, leaves: list, spec: Any) -> list[str]:
    """Bind leaf number i to a{i}_ (its array to x{i}_) and check it.

    Returns the expressions for the containers, each before those in it.
    """
    state = _Unpack(w, leaves)
    args, kwargs = spec.below
    w.miss(f"len(args) != {len(args.below)}")
    names = f"tuple(kwargs) != {kwargs.keys!r}" if kwargs.keys else "kwargs"
    w.miss(names)
    for i, below in enumerate(args.below):
        state.visit(f"args[{i}]", below)
    for key, below in zip(kwargs.keys, kwargs.below):
        state.visit(f"kwargs[{key!r}]", below)
    return state.places


class _Unpack:
    def __init__(self, w: Writer, leaves: list):
        self.w, self.leaves, self.next = w, leaves, 0
        self.seen: list[int] = []
        self.arrays: list[int] = []
        self.places: list[str] = []

    def visit(self, at: str, spec: Any) -> None:
        """Emit the checks for what stands at the expression `at`."""
        if spec is None:
            self._leaf(at)
            return
        w = self.w
        self.places.append(at)
        w.miss(f"type({at}) is not {w.bind('kind', spec.kind)}")
        if issubclass(spec.kind, dict):
            _check_keys(w, at, spec.keys)
            parts = [f"{at}[{w.literal(key)}]" for key in spec.keys]
        elif issubclass(spec.kind, (tuple, list)):
            w.miss(f"len({at}) != {len(spec.below)}")
            parts = [f"{at}[{i}]" for i in range(len(spec.below))]
        else:
            parts = [f"{at}.{name}" for name in spec.keys]
        for part, below in zip(parts, spec.below):
            self.visit(part, below)

    def _leaf(self, at: str) -> None:
        i, self.next = self.next, self.next + 1
        x, w = self.leaves[i], self.w
        if isinstance(x, Followed):
            w.line(f"n_a{i}_ = {at}")
            w.miss(f"type(n_a{i}_) is not {w.bind('kind', x.kind)}")
            return
        if not isinstance(x, Kind):
            w.miss(_differs(w, at, x))
            return
        if x.type is np.ndarray:
            self._array(at, i, x)
            return
        w.line(f"a{i}_ = {at}")
        if x.first is not None:
            w.miss(f"a{i}_ is not a{x.first}_")
            w.line(f"x{i}_ = x{x.first}_")
            return
        check_tensor(w, f"a{i}_", x, f"x{i}_")
        for j in self.seen:
            w.miss(f"a{i}_ is a{j}_")
        self.seen.append(i)

    def _array(self, at: str, i: int, kind: Kind) -> None:
        """An array of NumPy's; the tensor a{i}_ is made of it where one is needed."""
        w = self.w
        w.line(f"x{i}_ = {at}")
        w.given[i] = at
        if kind.first is not None:
            w.miss(f"x{i}_ is not x{kind.first}_")
        else:
            check_array(w, f"x{i}_", kind)
            for j in self.arrays:
                w.miss(f"x{i}_ is x{j}_")
            self.arrays.append(i)
        w.made_of[f"a{i}_"] = len(w.lines)
        w.line(f"a{i}_ = {w.bind('adopt', adopt)}(x{i}_)")


def check_array(w: Writer, at: str, kind: Kind) -> None:
    """Emit: the array at `at` is of that kind."""
    dtype = w.bind("dtype", kind.dtype)
    w.miss(f"type({at}) is not {w.bind('host', np.ndarray)}")
    w.miss(f"{at}.dtype is not {dtype} and {at}.dtype != {dtype}")
    w.miss(f"{at}.shape != {kind.shape!r} or {at}.strides != {kind.strides!r}")
    if kind.numbers is not None:
        w.miss(f"{at}.tobytes() != {w.bind('numbers', kind.numbers)}")


def is_scalar(x: Any) -> bool:
    """Whether it is a number of NumPy's, which never changes."""
    return isinstance(x, np.generic) and not isinstance(x, np.void)


def _check_keys(w: Writer, at: str, keys: tuple) -> None:
    """Keys may be equal and yet others: 1, 1.0 and True; 0.0 and -0.0."""
    known = w.bind("keys", keys)
    if any(isinstance(key, Tensor) for key in keys):  # == makes another tensor
        w.miss(f"len({at}) != {len(keys)}")
        w.miss(f"not all(map({w.bind('same', operator.is_)}, {at}, {known}))")
        return
    w.miss(f"tuple({at}) != {known}")
    if any(type(key) is not str for key in keys):
        kinds = w.bind("kinds", tuple(map(type, keys)))
        w.miss(f"tuple(map(type, {at})) != {kinds}")
    if any(isinstance(key, float) for key in keys):
        w.miss(f"repr([*{at}]) != {repr([*keys])!r}")


def _differs(w: Writer, at: str, x: Any) -> str:
    if is_scalar(x):
        kind, numbers = w.bind("kind", type(x)), w.bind("numbers", x.tobytes())
        return f"type({at}) is not {kind} or {at}.tobytes() != {numbers}"
    if isinstance(x, float):
        kind, text = w.bind("kind", type(x)), w.bind("text", repr(x))
        return f"type({at}) is not {kind} or repr({at}) != {text}"
    if isinstance(x, (bool, type(None), enum.Enum)):
        return f"{at} is not {w.literal(x)}"
    if isinstance(x, (int, str, bytes)):
        return f"type({at}) is not {w.bind('kind', type(x))} or {at} != {w.literal(x)}"
    return f"{at} is not {w.bind('z', x)}"


def check_tensor(w: Writer, at: str, kind: Kind, array: str) -> None:
    """Emit: the tensor at `at` is of that kind; its array gets the name `array`."""
    w.miss(f"type({at}) is not {w.bind('kind', kind.type)}")
    w.line(f"{array} = {at}._array")
    w.miss(f"{array} is None")
    _check_place(w, array, kind.device)
    dtype = w.bind("dtype", kind.dtype)
    w.miss(f"{array}.dtype is not {dtype} and {array}.dtype != {dtype}")
    _check_shape(w, array, kind.shape)
    if not kind.flows:
        test = f"({at}._steps or {at}._storage.value is not None) and "
        w.miss(f"{test}tracked({at}._storage, {at}._steps)")
        return
    w.miss(f"not tracked({at}._storage, {at}._steps)")
    last = f"({at}._steps and {at}._steps[-1][0] == 'leaf' or False)"
    w.miss(f"{last} is not {kind.leaf}")
    if kind.leaf:
        w.miss(f"{at}._steps[-1][1]['of'].mark != {kind.hooks!r}")


def _check_place(w: Writer, array: str, device: Any) -> None:
    """On that device; of those in host memory see `check_host`."""
    if device is None:
        w.host.append(array)
        return
    w.miss(f"not isinstance({array}, {w.bind('elsewhere', Elsewhere)})")
    w.miss(f"{array}.device is not {w.bind('device', device)}")


def check_host(w: Writer) -> None:
    """Emit: these arrays lie in host memory, if any of this process lies elsewhere."""
    kind, default = w.bind("host", np.ndarray), w.bind("default", making.default)
    tests = [f"type({a}) is not {kind}" for a in w.host]
    tests.append(f"{w.bind('making', making)}.default is not {default}")
    w.miss(f"{w.bind('away', away)}.used and ({' or '.join(tests)})")


def _check_shape(w: Writer, name: str, shape: tuple) -> None:
    if not any(isinstance(n, Dim) for n in shape):
        w.miss(f"{name}.shape != {tuple(shape)!r}")
        return
    w.line(f"shape_ = {name}.shape")
    w.miss(f"len(shape_) != {len(shape)}")
    for i, n in enumerate(shape):
        at = f"shape_[{i}]"
        if isinstance(n, Dim) and n.text.isidentifier() and n.text not in w.symbols:
            w.symbols.add(n.text)
            w.line(f"{sized(n)} = {at}")
            w.miss(f"{sized(n)} < {n.min}") if n.min else None
            w.miss(f"{sized(n)} > {n.max}") if n.max is not None else None
        else:
            w.miss(f"{at} != {sized(n)}")
