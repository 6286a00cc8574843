"""What shapes the weights of keyword taggers."""
