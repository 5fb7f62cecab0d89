"""Function transforms under PyTorch's torch.func."""

from tracefuse.api.transforms import *
