"""One step of a recurrent network: what the cells and the layers share.

A step takes what the input contributes (its products and bias, [N, gates * hidden]),
the state before, a tuple, and the weights of the state; it gives the state after. The
first entry of a state is what the layer puts out.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from ...arrays.parts import chunk
from ...math.pointwise import sigmoid, tanh
from ...tensor import Tensor
from .activation import relu
from .linear import linear

__all__ = ["State", "Step", "gru_step", "lstm_step", "rnn_step"]

State = tuple[Tensor, ...]
Weights = Sequence[Optional[Tensor]]  # of the state: weight, bias, projection
Step = Callable[[Tensor, State, Weights], State]


def rnn_step(nonlinearity: str) -> Step:
    """h' = tanh(given + h @ weight.T + bias), or relu of it; ValueError for another."""
    functions = {"tanh": tanh, "relu": relu}
    if nonlinearity not in functions:
        raise ValueError(
            f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'."
        )
    function = functions[nonlinearity]

    def step(given: Tensor, state: State, weights: Weights) -> State:
        return (function(given + _linear(state[0], weights)),)

    return step


def lstm_step(given: Tensor, state: State, weights: Weights) -> State:
    """(h, c) after a step of Hochreiter and Schmidhuber's memory (1997)."""
    h, c = state
    enter, keep, new, leave = chunk(given + _linear(h, weights), 4, -1)
    c = sigmoid(keep) * c + sigmoid(enter) * tanh(new)
    h = sigmoid(leave) * tanh(c)
    project = weights[2] if len(weights) > 2 else None
    return (h if project is None else linear(h, project)), c


def gru_step(given: Tensor, state: State, weights: Weights) -> State:
    """h' = (1 - z) * n + z * h, the gated unit of arXiv:1406.1078."""
    (h,) = state
    own_reset, own_update, own_new = chunk(given, 3, -1)
    reset, update, new = chunk(_linear(h, weights), 3, -1)
    r, z = sigmoid(own_reset + reset), sigmoid(own_update + update)
    n = tanh(own_new + r * new)
    return (n + z * (h - n),)


def _linear(h: Tensor, weights: Weights) -> Tensor:
    weight, bias = weights[:2]
    assert weight is not None
    return linear(h, weight, bias)
