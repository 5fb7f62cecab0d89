"""Gradients of tensors, and where the user's own Python takes part in them."""
