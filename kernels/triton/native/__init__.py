"""Kernels as machine code: compiled ahead of time, kept, inspected."""
