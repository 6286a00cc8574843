"""What shapes the weights of sentiment classifiers."""
