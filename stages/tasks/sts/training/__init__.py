"""What shapes the weights of sentence similarity networks."""
