"""Python state that a recording relies on: what it is, and whether it still holds."""
