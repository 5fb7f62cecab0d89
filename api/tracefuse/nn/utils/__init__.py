"""Helpers for parameters: PyTorch's torch.nn.utils."""

from tracefuse.api.nn.utils.clip import *
from tracefuse.api.nn.utils.vector import *
from tracefuse.nn.utils import rnn as rnn
