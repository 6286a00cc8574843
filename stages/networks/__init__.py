"""Neural networks as plain `torch.nn.Module`s: no files, no configuration, no tracking; they import torch alone."""
