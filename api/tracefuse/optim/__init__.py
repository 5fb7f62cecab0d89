"""Optimizers: PyTorch's torch.optim."""

from tracefuse.api.optim.adam import *
from tracefuse.api.optim.lbfgs import *
from tracefuse.api.optim.optimizer import *
from tracefuse.api.optim.rmsprop import *
from tracefuse.api.optim.sgd import *
from tracefuse.optim import lr_scheduler as lr_scheduler
