"""Everything that shapes the weights of a forecaster."""
