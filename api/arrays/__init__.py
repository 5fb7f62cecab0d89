"""Making, viewing, picking and showing tensors."""
