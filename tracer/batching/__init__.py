"""vmap as SSA -> SSA."""
