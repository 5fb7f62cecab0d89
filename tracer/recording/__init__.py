"""The parts of a recording."""
