"""Random numbers: generators and draws."""
