"""Parameters: the tensors of a module that an optimizer changes."""

from __future__ import annotations

from typing import Any, Optional

from ...tracer.record import state
from ...tracer.storage import tracked
from ...tracer.watch import touch
from ..arrays.fill import empty
from ..tensor import Tensor, require_grad, view

__all__ = ["Parameter", "UninitializedParameter"]


class Parameter(Tensor):
    """A tensor that a module lists among its `parameters()`.

    It shares the memory of `data` and starts a history of its own. TypeError when
    `data` is not a tensor, RuntimeError when it is not floating and requires grad.

    >>> import tracefuse
    >>> Parameter(tracefuse.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(
        cls, data: Optional[Tensor] = None, requires_grad: bool = True
    ) -> "Parameter":
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(
                f"cannot create a Parameter from {type(data).__name__}: "
                "a Tensor is expected"
            )
        new = _detached(data)
        new.__class__ = cls
        return require_grad(new, requires_grad)  # type: ignore[return-value]

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict) -> "Parameter":
        if id(self) not in memo:
            copied = _detached(self).clone()  # type: ignore[attr-defined]
            memo[id(self)] = type(self)(copied, self.requires_grad)
        return memo[id(self)]


def _detached(t: Tensor) -> Tensor:
    """A tensor on the same memory without the history of `t`."""
    new = view(t, "stop_gradient")
    if state.recorder is None and not tracked(t._storage, t._steps):
        new._steps = t._steps  # nothing to stop: one step less to walk at every use
    return new


class UninitializedParameter(Parameter):
    """A parameter whose shape the first forward pass will decide.

    Its shape cannot be asked for until `materialize(shape)`.
    """

    __slots__ = ()

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> "UninitializedParameter":
        new = super().__new__(cls, empty(0, dtype=dtype, device=device), requires_grad)
        return new  # type: ignore[return-value]

    @property
    def shape(self) -> Any:
        """Not known yet: RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This "
            "error usually happens in `load_state_dict` when trying to load an "
            "uninitialized parameter into an initialized module. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a Parameter of that shape, with undefined contents."""
        self.__class__ = Parameter  # type: ignore[assignment]
        self.data = empty(  # type: ignore[attr-defined]
            tuple(shape), dtype=dtype or self.dtype, device=device
        )
        touch()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict) -> "UninitializedParameter":
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, None, self.dtype)
        return memo[id(self)]
