"""Primitives with a template of their own."""
