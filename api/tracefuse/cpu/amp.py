"""Mixed precision on the CPU: PyTorch's torch.cpu.amp."""

from tracefuse.api.amp.cpu import *
