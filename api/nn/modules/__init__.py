"""Layers as modules: they hold parameters and call `functional`."""
