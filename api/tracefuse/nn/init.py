"""Initialisers: PyTorch's torch.nn.init."""

from tracefuse.api.nn.init import *
