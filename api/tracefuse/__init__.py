"""tracefuse: fused kernels from PyTorch-style Python."""
