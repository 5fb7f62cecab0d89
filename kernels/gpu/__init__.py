"""Devices: memory, launches and streams, without PyTorch."""
