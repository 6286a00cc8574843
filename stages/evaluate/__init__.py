"""Evaluation: weights and held-out data to scores and outcomes by example."""
