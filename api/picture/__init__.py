"""A program drawn: kernels as boxes, operations as rows, beside the user's source."""
