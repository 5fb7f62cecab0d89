"""What takes the time: PyTorch's torch.profiler."""

from tracefuse.api.profiler.profile import *
