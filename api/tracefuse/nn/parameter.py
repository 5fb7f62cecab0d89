"""Parameters: PyTorch's torch.nn.parameter."""

from tracefuse.api.nn.parameter import *
