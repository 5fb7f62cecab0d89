"""Floor 2: SSA to SSA, derivatives."""
