"""Helpers for parameters: clipping, flattening, padding of sequences."""
