"""Modules: PyTorch's torch.nn."""
