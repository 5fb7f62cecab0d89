"""Helpers for parameters: PyTorch's torch.nn.utils."""
