"""Mixed precision: which functions compute in which float type, and loss scaling."""
