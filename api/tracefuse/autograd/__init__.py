"""Gradients by hand: PyTorch's torch.autograd."""
