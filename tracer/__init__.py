"""Floor 1: the SSA itself, and how a running program becomes it."""
