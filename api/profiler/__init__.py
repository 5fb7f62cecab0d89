"""What takes the time: kernels, eager operations, and the user's lines behind them."""
