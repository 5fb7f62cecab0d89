"""One way through a function: what it needs, what it gives, what it writes."""
