"""Floor 2: SSA to code that runs."""
