"""tracefuse's checkout; not shipped, it lets editors follow relative imports."""
