"""Learning rates that change: PyTorch's torch.optim.lr_scheduler."""

from tracefuse.api.optim.lr_scheduler import *
from tracefuse.api.optim.plateau import *
from tracefuse.api.optim.schedules import *
