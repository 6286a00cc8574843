"""Everything that shapes the weights of the image networks."""
