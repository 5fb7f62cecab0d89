"""Tangents that travel with tensors: PyTorch's torch.autograd.forward_ad."""

from tracefuse.api.autograd.forward_ad import *
