"""Sequences of different lengths: PyTorch's torch.nn.utils.rnn."""

from tracefuse.api.nn.utils.packed import *
from tracefuse.api.nn.utils.rnn import *
