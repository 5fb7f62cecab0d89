"""Matrix products: tiles, forms, operands, what is done to the result."""
