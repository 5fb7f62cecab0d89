"""Whether results are differentiable: PyTorch's torch.autograd.grad_mode."""

from tracefuse.api.gradmode import *
