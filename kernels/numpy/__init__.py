"""SSA to generated NumPy source."""
