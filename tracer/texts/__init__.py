"""Graphs as text: written, scanned, read."""
