"""What torch finds on this machine."""

from __future__ import annotations

import torch


def cuda_name() -> str | None:
    """The name of the first CUDA device, or None."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def cuda_memory_gib() -> float:
    """The memory of the first CUDA device in GiB, 0 without one."""
    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)
