"""Loops and branches that are part of the program: `scan`, `while_loop`, `cond`, ..."""
