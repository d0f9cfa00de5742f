"""The errors of torch when memory runs out, on the GPU or on the machine."""

from __future__ import annotations

import torch

MEMORY_ERRORS = (torch.OutOfMemoryError, torch.AcceleratorError, MemoryError, RuntimeError)
"""Types of these errors; ask `ran_out` about each, because some have other causes too."""

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def ran_out(error: BaseException) -> bool:
    """Return True if memory ran out.

    On the GPU this is `torch.OutOfMemoryError`. Page-locked memory of the machine that cannot be had is
    a `torch.AcceleratorError`, and other memory of the machine a `RuntimeError` or a `MemoryError`.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
