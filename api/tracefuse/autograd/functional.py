"""Jacobians and Hessians: PyTorch's torch.autograd.functional."""

from tracefuse.api.autograd.functional import *
