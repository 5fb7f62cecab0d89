"""Layers as functions: PyTorch's torch.nn.functional, one idea a file."""
