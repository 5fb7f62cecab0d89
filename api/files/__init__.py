"""Files: the container, and what is put into it."""
