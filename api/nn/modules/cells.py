"""Recurrent cells: one step at a time, for loops of one's own."""

from __future__ import annotations

from typing import Any, Optional

from ...arrays.fill import empty, zeros
from ...tensor import Tensor
from .. import init
from ..functional.cells import State, Step, gru_step, lstm_step, rnn_step
from ..functional.linear import linear
from ..module import Module
from ..parameter import Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """What the cells share: weights of the input and of the state.

    Input [N, input_size] or [input_size]; state and result [N, hidden_size] or
    [hidden_size], zeros where no state is given.
    """

    gates: int
    states = 1
    bias_ih: Optional[Parameter]
    bias_hh: Optional[Parameter]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        options = {"device": device, "dtype": dtype}
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), **options))
        self.weight_hh = Parameter(empty((rows, hidden_size), **options))
        self.bias_ih = Parameter(empty(rows, **options)) if bias else None
        self.bias_hh = Parameter(empty(rows, **options)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew, uniform within 1 / sqrt(hidden_size)."""
        for weight in self.parameters():
            init.uniform_within_(weight, self.hidden_size)

    def _step(self) -> Step:
        raise NotImplementedError

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """The state after this step."""
        self._check(input)
        given = linear(input, self.weight_ih, self.bias_ih)
        if hx is None:
            shape = (*input.shape[:-1], self.hidden_size)
            options = {"dtype": input.dtype, "device": input.device}
            hx = tuple(zeros(shape, **options) for _ in range(self.states))
        state: State = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        after = self._step()(given, state, (self.weight_hh, self.bias_hh))
        return after if self.states > 1 else after[0]

    def _check(self, x: Tensor) -> None:
        if x.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 1D or 2D, got {x.ndim}D "
                "instead"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.shape[-1]} expected "
                f"{self.input_size}"
            )

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        told = f"{self.input_size}, {self.hidden_size}"
        return told if self.bias else f"{told}, bias={self.bias}"


class RNNCell(RNNCellBase):
    """h' = tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh), or relu.

    >>> import tracefuse
    >>> RNNCell(3, 5)(tracefuse.ones(4, 3)).shape
    tracefuse.Size([4, 5])
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ):
        rnn_step(nonlinearity)  # ValueError before anything is made
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self) -> Step:
        return rnn_step(self.nonlinearity)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        told, word = super().extra_repr(), self.nonlinearity
        return told if word == "tanh" else f"{told}, nonlinearity={word}"


class LSTMCell(RNNCellBase):
    """One step of long short-term memory: (h, c) to (h, c).

    >>> import tracefuse
    >>> h, c = LSTMCell(3, 5)(tracefuse.ones(4, 3))
    >>> h.shape, c.shape
    (tracefuse.Size([4, 5]), tracefuse.Size([4, 5]))
    """

    gates, states = 4, 2

    def _step(self) -> Step:
        return lstm_step


class GRUCell(RNNCellBase):
    """One step of gated recurrent units.

    >>> import tracefuse
    >>> GRUCell(3, 5)(tracefuse.ones(4, 3)).shape
    tracefuse.Size([4, 5])
    """

    gates = 3

    def _step(self) -> Step:
        return gru_step
