"""Kernels run exactly on NumPy memory, without a GPU."""
