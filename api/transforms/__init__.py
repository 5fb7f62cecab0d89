"""Function transforms: derivatives and `vmap`, on functions of nested tensors."""
