"""What a program does with a GPU beside computing: streams, events, memory."""
