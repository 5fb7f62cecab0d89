"""Comparing tensors in tests: PyTorch's torch.testing."""

from tracefuse.api.testing import *
