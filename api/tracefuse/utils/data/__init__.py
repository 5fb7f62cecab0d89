"""Datasets and loaders: PyTorch's torch.utils.data."""

from tracefuse.api.utils.data.collate import *
from tracefuse.api.utils.data.dataset import *
from tracefuse.api.utils.data.loader import *
from tracefuse.api.utils.data.sampler import *
from tracefuse.utils.data import dataloader as dataloader
