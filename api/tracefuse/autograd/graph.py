"""What histories keep: PyTorch's torch.autograd.graph."""

from tracefuse.api.arrays.grad_fn import GradFn as Node
from tracefuse.api.autograd.multi_hooks import *
from tracefuse.api.autograd.saved import *
