"""Floor 3: what a user touches."""
