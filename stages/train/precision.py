"""Which number format a training computes in: bfloat16 pays only where the device has instructions for it."""

from typing import Literal

import torch

Format = Literal["32-true", "bf16-mixed"]


def resolve(precision: Format | Literal["auto"]) -> Format:
    """What `auto` means on the device that training will use; another precision stays as it is."""
    if precision != "auto":
        return precision
    return "bf16-mixed" if bfloat16_is_fast() else "32-true"


def bfloat16_is_fast() -> bool:
    """Whether the GPU (from compute capability 8.0) or, without one, the processor multiplies bfloat16 in hardware.

    A processor with neither AMX nor AVX512-BF16 can compute with bfloat16, by way of float32, and is slower at it.
    """
    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    can = torch.cpu.get_capabilities()
    return bool(can.get("amx_bf16") or can.get("avx512_bf16"))
