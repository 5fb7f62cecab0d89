"""Random variables: PyTorch's torch.distributions."""

from tracefuse.api.distributions.continuous import *
from tracefuse.api.distributions.discrete import *
from tracefuse.api.distributions.distribution import *
from tracefuse.api.distributions.divergence import *
from tracefuse.api.distributions.independent import *
