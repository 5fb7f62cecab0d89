"""Choosing how attention is computed: PyTorch's torch.nn.attention."""

from tracefuse.api.nn.attention import *
