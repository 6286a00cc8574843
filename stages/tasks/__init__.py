"""The tasks, one package each; stages know none of them by name."""
