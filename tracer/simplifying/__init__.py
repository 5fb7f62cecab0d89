"""The rules by which graphs become simpler."""
