"""What a recording keeps beside the outside world instead of changing it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple, Optional

from ..graph import Value
from ..storage import memory_steps
from ..watching.bundles import bundled, is_bundle, stepped

if TYPE_CHECKING:
    from ..record import Recorder

__all__ = ["Input", "Shadow", "Slot", "State", "state"]


class State(threading.local):
    """What one thread is doing: its recording, whether gradients are wanted, autocast.

    `autocast` is one object for each mode, None where nothing is cast (api/amp).
    """

    recorder: Optional["Recorder"] = None
    grad: bool = True
    autocast: Any = None


state = State()


class Input(NamedTuple):
    """An input of the recorded graph and where its numbers come from.

    `kind` is "tensor" (the array of `owner`), "root" (the whole storage that `owner`
    looks at), "number" (`owner[key]`, a Python float) or "generator".
    """

    value: Value
    kind: str
    owner: Any
    key: Any = None


class Slot(NamedTuple):
    """A place outside that holds a tensor or None: attribute or item `key`.

    Where that is a bundle, `below` leads to the tensor in it (bundles.py).
    """

    owner: Any
    key: Any
    item: bool
    below: tuple = ()

    def get(self) -> Any:
        """What stands there now."""
        return stepped(self._whole(), self.below) if self.below else self._whole()

    def parts(self, held: Any) -> Iterator[tuple[Slot, Any]]:
        """(slot, tensor or None) for all that is held there: one, or a bundle."""
        if not is_bundle(held):
            yield self, held
            return
        for below, leaf in bundled(held):
            yield self._replace(below=below), leaf

    @property
    def name(self) -> Any:
        """What tells the slots of one owner apart."""
        way = tuple(key for _, _, key in self.below)
        return (self.key, *way) if way else self.key

    def _whole(self) -> Any:
        if isinstance(self.owner, list):
            return self.owner[self.key]
        if self.item:
            return self.owner.get(self.key)
        return getattr(self.owner, self.key)

    def set(self, new: Any) -> None:
        """Put `new` there."""
        if self.item:
            self.owner[self.key] = new
        else:
            setattr(self.owner, self.key, new)


class Shadow:
    """What the recording knows of one storage from outside.

    Most are seen through one view only. Then that view is treated as the root, so
    that a batch cut from a large array does not drag the array into the program.
    When another view of the same storage turns up, the whole storage becomes the root.
    """

    __slots__ = ("steps", "value", "version", "owner", "root")

    def __init__(self, owner: Any, value: Value):
        self.owner, self.value, self.version = owner, value, 0
        self.steps = memory_steps(owner._steps)
        self.root = not self.steps
