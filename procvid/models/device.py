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


def best_device() -> str:
    """Where a model of ours runs: "cuda" where there is one, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def cuda_peak_mib() -> float:
    """The most GPU memory that this process has had, in MiB; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_reserved() / 2**20)
