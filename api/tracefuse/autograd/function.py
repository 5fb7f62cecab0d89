"""Operations with a backward of their own: PyTorch's torch.autograd.function."""

from tracefuse.api.autograd.context import Context as FunctionCtx
from tracefuse.api.autograd.function import *
