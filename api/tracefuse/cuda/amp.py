"""Mixed precision on a GPU: PyTorch's torch.cuda.amp."""

from tracefuse.api.amp.cuda import *
