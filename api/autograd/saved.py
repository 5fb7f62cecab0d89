"""`autograd.graph`: in what form a history keeps its tensors."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

from ..gradmode import no_grad
from ..history import saving
from ..tensor import Tensor, fresh

__all__ = ["disable_saved_tensors_hooks", "saved_tensors_hooks", "save_on_cpu"]

_disabled: list[str] = []  # what to say to who asks for such hooks


class _Packed:
    """What a pack hook made of a tensor, and the hook that undoes it."""

    __slots__ = ("kept", "undo")

    def __init__(self, kept: Any, undo: Callable[[Any], Tensor]):
        self.kept, self.undo = kept, undo

    def unpack(self) -> Any:
        """The numbers again. TypeError unless the hook returns a tensor."""
        with no_grad():
            t = self.undo(self.kept)
        if not isinstance(t, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got "
                f"result of type {type(t).__name__}"
            )
        return t._array


class saved_tensors_hooks:
    """Inside, `pack_hook(tensor)` chooses what is kept of each saved tensor, and
    `unpack_hook` turns that into the tensor again when a backward needs it.

    >>> import tracefuse as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: t.numpy() * 10, torch.from_numpy):
    ...     y = x * x
    >>> y.sum().backward()
    >>> x.grad
    tensor([20., 20.])
    """

    def __init__(
        self,
        pack_hook: Callable[[Tensor], Any],
        unpack_hook: Callable[[Any], Tensor],
    ):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self.before: list = []

    def __enter__(self) -> None:
        if _disabled:
            raise RuntimeError(_disabled[-1])
        self.before.append(saving.pack)
        saving.pack = self._pack

    def __exit__(self, *exc: Any) -> None:
        saving.pack = self.before.pop()

    def _pack(self, t: Tensor) -> _Packed:
        before, saving.pack = saving.pack, None  # what the hook does is not packed
        try:
            with no_grad():
                return _Packed(self.pack_hook(fresh(t._array)), self.unpack_hook)
        finally:
            saving.pack = before


class save_on_cpu(saved_tensors_hooks):
    """Inside, what is saved on another device waits on the CPU for its backward."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(
            lambda t: (t.device, t.cpu()),  # type: ignore[attr-defined]
            lambda kept: kept[1].to(kept[0]),
        )


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Inside, hooks on saved tensors are a RuntimeError with this message."""
    if saving.pack is not None:
        raise RuntimeError(error_message)
    _disabled.append(error_message)
    try:
        yield
    finally:
        _disabled.pop()
