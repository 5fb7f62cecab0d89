"""Recurrent layers: one `scan` over the steps for each layer and direction.

The products with the input are done for all steps at once before it.
"""

from __future__ import annotations

from typing import Any, Iterator, Optional, Union

from ...arrays.creation import tensor
from ...arrays.fill import arange, empty, zeros
from ...arrays.gathering import index_select
from ...arrays.joining import cat, stack
from ...arrays.parts import unbind
from ...arrays.shapes import transpose
from ...control.loops import scan
from ...math.comparison import where
from ...tensor import Tensor
from .. import init
from ..functional.cells import State, Step, gru_step, lstm_step, rnn_step
from ..functional.dropout import dropout
from ..functional.linear import linear
from ..module import Module
from ..parameter import Parameter
from ..utils.packed import (
    PackedSequence,
    lengths_of,
    pack_padded_sequence,
    pad_packed_sequence,
)

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

Input = Union[Tensor, PackedSequence]


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, layers, directions, batches.

    Input [L, N, input_size], [N, L, input_size] with `batch_first`, [L, input_size]
    without a batch, or a PackedSequence; the result is (output, state) with the output
    [L, N, directions * hidden_size] and the state [layers * directions, N, hidden].
    """

    gates: int
    states = 1  # how many tensors a state is

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        _check_sizes(hidden_size, num_layers, dropout, proj_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size
        options = {"device": device, "dtype": dtype}
        for layer, end in self._places():
            for name, shape in self._shapes(layer):
                weight = Parameter(empty(shape, **options))
                self.register_parameter(f"{name}_l{layer}{end}", weight)
        self.reset_parameters()

    @property
    def _out(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def _ends(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _places(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            for end in self._ends:
                yield layer, end

    def _shapes(self, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        rows = self.gates * self.hidden_size
        below = len(self._ends) * self._out if layer else self.input_size
        yield "weight_ih", (rows, below)
        yield "weight_hh", (rows, self._out)
        if self.bias:
            yield "bias_ih", (rows,)
            yield "bias_hh", (rows,)
        if self.proj_size:
            yield "weight_hr", (self.proj_size, self.hidden_size)

    def reset_parameters(self) -> None:
        """Draw all weights anew, uniform within 1 / sqrt(hidden_size)."""
        for weight in self.parameters():
            init.uniform_within_(weight, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: there is no other layout to bring them to."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [
            [getattr(self, f"{name}_l{layer}{end}") for name, _ in self._shapes(layer)]
            for layer, end in self._places()
        ]

    def _step(self) -> Step:
        raise NotImplementedError

    def forward(self, input: Input, hx: Any = None) -> tuple:
        """(the output of every step, the state after the last)."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        self._check_input(input)
        alone = input.ndim == 2
        turned = self.batch_first and not alone
        x = input.unsqueeze(1) if alone else input
        x = transpose(x, 0, 1) if turned else x
        state = self._state(hx, x, alone)
        x, after = self._layers(x, state, None)
        if alone:
            return x.squeeze(1), self._given([s.squeeze(1) for s in after])
        return (transpose(x, 0, 1) if turned else x), self._given(after)

    def _packed(self, input: PackedSequence, hx: Any) -> tuple:
        order, back = input.sorted_indices, input.unsorted_indices
        x, _ = pad_packed_sequence(input._replace(unsorted_indices=None))
        self._check_input(x)
        state = self._state(_sorted(hx, order), x, False)
        lengths = lengths_of(input)
        x, after = self._layers(x, state, tensor(lengths, device=x.device))
        packed = pack_padded_sequence(x, lengths)
        hx = self._given(after)
        return packed._replace(sorted_indices=order, unsorted_indices=back), _sorted(
            hx, back
        )

    def _layers(
        self, x: Tensor, state: list[Tensor], lengths: Optional[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Output [L, N, *] and states [layers * directions, N, *] of padded input."""
        befores = zip(*[unbind(s, 0) for s in state])
        afters: list[State] = []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            outs = []
            for end in self._ends:
                out, after = self._run(x, next(befores), f"_l{layer}{end}", lengths)
                outs.append(out)
                afters.append(after)
            x = cat(outs, -1) if len(outs) > 1 else outs[0]
        return x, [stack(list(each)) for each in zip(*afters)]

    def _run(
        self, x: Tensor, before: State, end: str, lengths: Optional[Tensor]
    ) -> tuple[Tensor, State]:
        """One layer in one direction."""
        named = self._parameters.get
        weight: Any = named("weight_ih" + end)
        given = linear(x, weight, named("bias_ih" + end))
        weights = [named(f"{n}{end}") for n in ("weight_hh", "bias_hh", "weight_hr")]
        step = self._step()

        def body(state: State, row: Any) -> tuple[State, Tensor]:
            after = step(row[0], state, weights)
            if lengths is None:
                return after, after[0]
            on = (row[1] < lengths).unsqueeze(-1)
            kept = tuple(where(on, new, old) for new, old in zip(after, state))
            return kept, where(on, after[0], 0.0)

        times = None if lengths is None else arange(x.shape[0], device=x.device)
        after, out = scan(
            body, before, (given, times), reverse=end.endswith("_reverse")
        )
        return out, after

    def _state(self, hx: Any, x: Tensor, alone: bool) -> list[Tensor]:
        """The state before the first step, checked, or zeros: each [rows, N, size]."""
        rows, n = self.num_layers * len(self._ends), x.shape[1]
        sizes = (self._out, self.hidden_size)[: self.states]
        if hx is None:
            options = {"dtype": x.dtype, "device": x.device}
            return [zeros(rows, n, size, **options) for size in sizes]
        given = [hx] if self.states == 1 else list(hx)
        if alone:
            given = [s.unsqueeze(1) for s in given]
        for s, size in zip(given, sizes):
            if tuple(s.shape) != (rows, n, size):
                raise RuntimeError(
                    f"Expected hidden size {(rows, n, size)}, got {list(s.shape)}"
                )
        return given

    def _given(self, states: list[Tensor]) -> Any:
        return states[0] if self.states == 1 else tuple(states)

    def _check_input(self, x: Tensor) -> None:
        if x.ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {x.ndim}D "
                "instead"
            )
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {x.shape[-1]}"
            )

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        usual = {
            **{"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False},
            **{"dropout": 0.0, "bidirectional": False},
        }
        told = [f"{self.input_size}, {self.hidden_size}"]
        for name, value in usual.items():
            if getattr(self, name) != value:
                told.append(f"{name}={getattr(self, name)}")
        return ", ".join(told)


def _sorted(hx: Any, order: Optional[Tensor]) -> Any:
    """The states of a batch in another order."""
    if hx is None or order is None:
        return hx
    if isinstance(hx, tuple):
        return tuple(index_select(s, 1, order) for s in hx)
    return index_select(hx, 1, order)


def _check_sizes(hidden: int, layers: int, dropout: float, proj: int) -> None:
    if hidden <= 0:
        raise ValueError("hidden_size must be greater than zero")
    if layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability "
            "of an element being zeroed"
        )
    if not 0 <= proj < hidden:
        raise ValueError(
            f"proj_size has to be at least 0 and less than hidden_size, but got {proj}"
        )


class RNN(RNNBase):
    """h' = tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh), or relu.

    >>> import tracefuse
    >>> output, h = RNN(3, 5, num_layers=2)(tracefuse.ones(7, 4, 3))
    >>> output.shape, h.shape
    (tracefuse.Size([7, 4, 5]), tracefuse.Size([2, 4, 5]))
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        rnn_step(nonlinearity)  # ValueError before anything is made
        super().__init__(
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout),
            *(bidirectional, 0, device, dtype),
        )
        self.nonlinearity = nonlinearity

    def _step(self) -> Step:
        return rnn_step(self.nonlinearity)


class LSTM(RNNBase):
    """Long short-term memory; its state is (h, c). See RNNBase.

    >>> import tracefuse
    >>> output, (h, c) = LSTM(3, 5, bidirectional=True)(tracefuse.ones(7, 4, 3))
    >>> output.shape, c.shape
    (tracefuse.Size([7, 4, 10]), tracefuse.Size([2, 4, 5]))
    """

    gates, states = 4, 2

    def _step(self) -> Step:
        return lstm_step


class GRU(RNNBase):
    """Gated recurrent units. See RNNBase.

    >>> import tracefuse
    >>> output, h = GRU(3, 5, batch_first=True)(tracefuse.ones(4, 7, 3))
    >>> output.shape, h.shape
    (tracefuse.Size([4, 7, 5]), tracefuse.Size([1, 4, 5]))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout),
            *(bidirectional, 0, device, dtype),
        )

    def _step(self) -> Step:
        return gru_step
