"""The same numbers from the same inputs, on one machine."""

import torch


def require_determinism() -> None:
    """Refuse operations whose result is not the same every time."""
    # As use_deterministic_algorithms(True), which imports the compiler besides: two seconds.
    torch.set_deterministic_debug_mode("error")
    # Writing NaN over all memory before its first use only shows reads of what nothing wrote, and takes 7 % of a
    # ResNet-18's step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
