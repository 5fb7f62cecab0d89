"""Gradients by hand: PyTorch's torch.autograd."""

from tracefuse.api.autograd.anomaly import *
from tracefuse.api.autograd.context import Context as FunctionCtx
from tracefuse.api.autograd.function import Function as Function
from tracefuse.api.autograd.gradcheck import *
from tracefuse.api.autograd.gradients import *
from tracefuse.api.autograd.variable import *
from tracefuse.api.gradmode import *
from tracefuse.autograd import forward_ad as forward_ad
from tracefuse.autograd import function as function
from tracefuse.autograd import functional as functional
from tracefuse.autograd import grad_mode as grad_mode
from tracefuse.autograd import graph as graph
from tracefuse.tracer.errors import GradcheckError as GradcheckError
