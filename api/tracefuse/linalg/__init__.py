"""Norms and products under the names of `torch.linalg`."""

from tracefuse.api.math.linalg import *
