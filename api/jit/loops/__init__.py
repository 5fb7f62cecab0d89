"""Python loops that are proved to be loops of the program."""
