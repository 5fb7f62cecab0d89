"""Loaders: PyTorch's torch.utils.data.dataloader."""

from tracefuse.api.utils.data.collate import *
from tracefuse.api.utils.data.loader import *
