"""Gradients by hand: PyTorch's torch.autograd."""

from tracefuse.api.autograd import *
from tracefuse.api.gradmode import *
