"""The same tensor with other memory: `.data`, `set_`, `resize_`."""

from __future__ import annotations

import gc
import sys
from typing import Any, Optional

import numpy as np

from ...tracer.errors import TraceError
from ...tracer.record import state
from ...tracer.sizes import Dim, Int, numel, same_shape
from ...tracer.storage import memory_steps, view_array
from ..math.axes import sizes
from ..tensor import Tensor, method, view
from ..tensor import write as write_into
from .attributes import become, detach, forget, is_contiguous
from .fill import zeros
from .joining import cat

__all__: list[str] = []  # methods only


def _get_data(self: Tensor) -> Tensor:
    return view(self, "stop_gradient")


def _set_data(self: Tensor, new: Any) -> None:
    if not isinstance(new, Tensor):
        raise TypeError(f"data must be a Tensor, not {type(new).__name__}")
    rec = state.recorder
    if rec is not None and rec.root is not rec and self._storage.maker is not rec:
        _overwrite(self, new)
    else:
        _look_at(self, new)


def _look_at(self: Tensor, new: Tensor) -> Tensor:
    """Let it look at the memory of another, as the variable that it is."""
    marks = tuple(step for step in self._steps[-1:] if step[0] == "leaf")
    hidden: tuple = (("stop_gradient", {}),) if new.requires_grad else ()
    if state.recorder is not None and new._array is not None:
        new = view(new, "stop_gradient")  # one that the recording has made
    return become(self, new, (*memory_steps(new._steps), *hidden, *marks))


def _overwrite(self: Tensor, new: Tensor) -> None:
    """In the body of a loop or a branch a tensor from outside keeps its memory."""
    if tuple(new.shape) != tuple(self.shape) or new.dtype is not self.dtype:
        raise TraceError(
            f"data of {self.dtype} {list(self.shape)} cannot become {new.dtype} "
            f"{list(new.shape)} in the body of a loop: assign it outside"
        )
    mine, theirs = self._storage, new._storage
    if theirs is not mine and theirs.maker is not state.recorder:
        raise TraceError(
            "data that is another tensor's would be shared with it from then on, which "
            "the body of a loop cannot do: assign it outside, or assign data.clone()"
        )
    write_into(view(self, "stop_gradient"), detach(new))


Tensor.data = property(  # type: ignore
    _get_data, _set_data, doc="The numbers, untracked."
)


@method
def set_(self: Tensor, source: Optional[Tensor] = None) -> Tensor:
    """Look at the memory of `source` from now on (None: at none), returns itself.

    >>> import tracefuse
    >>> x, y = tracefuse.zeros(2), tracefuse.ones(3)
    >>> x.set_(y).add_(1)
    tensor([2., 2., 2.])
    >>> y
    tensor([2., 2., 2.])
    """
    if source is not None and source.dtype is not self.dtype:
        raise RuntimeError(
            f"Could not set tensor of type {source.dtype} to a tensor of type "
            f"{self.dtype}"
        )
    return _look_at(self, zeros(0, dtype=self.dtype) if source is None else source)


@method
def resize_(self: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Another shape, in row-major order from its first element on; returns itself.

    Where its memory does not suffice there is more, the further elements being 0.
    RuntimeError for a tensor that requires grad, and where memory would have to grow
    that other tensors look at.

    >>> import tracefuse
    >>> tracefuse.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    shape = sizes(size)
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    if any(n < 0 for n in shape):
        raise RuntimeError(f"resize_: a size is negative in {list(shape)}")
    if same_shape(shape, tuple(self.shape)):
        return self
    whole, count = _whole_shape(self), numel(shape)
    start = _start(self, whole)
    lacking = count - (numel(whole) - start)
    if lacking > 0:
        _check_alone(self)
    flat = _from(self, start, numel(whole))
    if lacking > 0:
        flat = cat([detach(flat), zeros(lacking, dtype=self.dtype, device=self.device)])
    part = view(flat, "slice", axis=-1, start=0, length=count, step=1)
    return _look_at(self, view(part, "reshape", shape=shape))


@method
def resize_as_(
    self: Tensor, the_template: Tensor, *, memory_format: Any = None
) -> Tensor:
    """The shape of another tensor (see `resize_`)."""
    return resize_(self, tuple(the_template.shape))


def _whole_shape(t: Tensor) -> tuple:
    root = t._storage
    return root.value.shape if root.array is None else root.array.shape  # type: ignore


def _from(t: Tensor, start: Int, count: Int) -> Tensor:
    """Its whole storage of so many elements, from number `start` on, as one row."""
    whole = detach(t)
    whole._steps, whole._array = (), t._storage.array
    forget(whole)
    if not is_contiguous(whole):
        raise RuntimeError(
            "resize_: its memory is not in row-major order, clone() it first"
        )
    row = view(whole, "reshape", shape=(count,))
    return view(row, "slice", axis=-1, start=start, length=count - start, step=1)


def _start(t: Tensor, whole: tuple) -> Int:
    """How many elements into its storage of shape `whole` it begins."""
    steps = memory_steps(t._steps)
    if all(op == "reshape" for op, _ in steps):
        return 0
    shape = tuple(map(_pinned, whole))  # where a part lies depends on all of them
    steps = tuple((op, {k: _pinned(a) for k, a in at.items()}) for op, at in steps)
    places = view_array(np.arange(numel(shape)).reshape(shape), steps)
    return int(places.flat[0]) if places.size else 0


def _pinned(size: Any) -> Any:
    if isinstance(size, tuple):
        return tuple(map(_pinned, size))
    return int(size) if isinstance(size, Dim) else size


def _check_alone(t: Tensor) -> None:
    """Memory that others look at cannot grow: it would have to move."""
    storage = t._storage
    if sys.getrefcount(storage) > _ALONE and _others(t):
        gc.collect()  # what a recording left behind may be among them
        if not _others(t):
            return
        raise RuntimeError(
            "Trying to resize storage that is not resizable: other tensors look at "
            "this memory, clone() the tensor first"
        )


def _others(t: Tensor) -> list[Tensor]:
    rec = state.recorder
    known = {id(t)} if rec is None else {id(t), id(rec.before(t))}
    found = gc.get_referrers(t._storage)
    return [x for x in found if isinstance(x, Tensor) and id(x) not in known]


_ALONE = 3  # the tensor's own reference, a name here, and the call that counts
