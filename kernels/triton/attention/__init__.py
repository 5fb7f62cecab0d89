"""Softmax between two products, as kernels that never store the scores."""
