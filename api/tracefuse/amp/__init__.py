"""Mixed precision: PyTorch's torch.amp."""

from tracefuse.api.amp.custom import *
from tracefuse.api.amp.grad_scaler import *
from tracefuse.api.amp.autocast import autocast, is_autocast_available
