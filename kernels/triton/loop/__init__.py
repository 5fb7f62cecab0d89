"""The template of loops: pointwise nodes and reductions."""
