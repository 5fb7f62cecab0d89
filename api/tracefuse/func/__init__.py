"""Function transforms under PyTorch's torch.func."""

from tracefuse.api.control.mapped import *
from tracefuse.api.transforms.gradients import *
from tracefuse.api.transforms.jacobians import *
from tracefuse.api.transforms.linear import *
from tracefuse.api.transforms.mapping import *
from tracefuse.api.transforms.modules import *
