"""Computing again instead of keeping: PyTorch's torch.utils.checkpoint."""

from tracefuse.api.autograd.checkpoint import checkpoint as checkpoint
from tracefuse.api.autograd.checkpoint import (
    checkpoint_sequential as checkpoint_sequential,
)
