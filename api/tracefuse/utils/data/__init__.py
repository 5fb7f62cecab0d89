"""Datasets and loaders: PyTorch's torch.utils.data."""
