"""SSA -> generated Triton source."""
