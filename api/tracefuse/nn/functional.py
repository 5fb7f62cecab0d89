"""Layers as functions: PyTorch's torch.nn.functional."""

from tracefuse.api.nn.functional.activation import *
from tracefuse.api.nn.functional.attention import *
from tracefuse.api.nn.functional.classify import *
from tracefuse.api.nn.functional.conv import *
from tracefuse.api.nn.functional.distance import *
from tracefuse.api.nn.functional.dropout import *
from tracefuse.api.nn.functional.linear import *
from tracefuse.api.nn.functional.loss import *
from tracefuse.api.nn.functional.multihead import *
from tracefuse.api.nn.functional.norm import *
from tracefuse.api.nn.functional.padding import *
from tracefuse.api.nn.functional.pool import *
from tracefuse.api.nn.functional.resize import *
