"""jit: record, compile, replay."""
