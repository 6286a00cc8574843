"""Training: tensors to weights and histories, one run in one process."""
