"""Modules, layers, losses, initialisers: PyTorch's torch.nn."""
