"""Random variables: PyTorch's torch.distributions."""
