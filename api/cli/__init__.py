"""The command line: python -m tracefuse."""
