"""The training loop of every task, with its optimizers and its checkpoints."""
