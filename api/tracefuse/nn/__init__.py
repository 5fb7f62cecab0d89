"""Modules: PyTorch's torch.nn."""

from tracefuse.api.nn.container import *
from tracefuse.api.nn.module import *
from tracefuse.api.nn.modules.activation import *
from tracefuse.api.nn.modules.attention import *
from tracefuse.api.nn.modules.batchnorm import *
from tracefuse.api.nn.modules.cells import *
from tracefuse.api.nn.modules.conv import *
from tracefuse.api.nn.modules.dropout import *
from tracefuse.api.nn.modules.lazy import *
from tracefuse.api.nn.modules.linear import *
from tracefuse.api.nn.modules.loss import *
from tracefuse.api.nn.modules.norm import *
from tracefuse.api.nn.modules.pool import *
from tracefuse.api.nn.modules.recurrent import *
from tracefuse.api.nn.modules.resize import *
from tracefuse.api.nn.modules.transformer import *
from tracefuse.api.nn.parameter import *
from tracefuse.api.nn.parameters import *
from tracefuse.nn import attention as attention
from tracefuse.nn import functional as functional
from tracefuse.nn import init as init
from tracefuse.nn import parameter as parameter
from tracefuse.nn import utils as utils
