"""Mathematics on tensors: one function each."""
