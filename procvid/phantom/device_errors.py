"""The errors of a GPU: memory ran out, or the device is lost and every later call fails too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from procvid.errors import LostCardError, UnavailableError

LASTING = (
    *("device-side assert", "illegal memory access", "illegal instruction", "misaligned address"),
    *("unspecified launch failure", "invalid program counter", "hardware stack error"),
    *("launch timed out", "uncorrectable", "unknown error", "no CUDA-capable device"),
    *(
        "no ROCm-capable device",
        "busy or unavailable",
        "driver shutting down",
        "not yet initialized",
    ),
)
"""Words of CUDA's own texts for errors that no later call survives, or that mean that no device is there."""

_OF_THE_DEVICE = re.compile(r"(?:CUDA|HIP)(?: driver)? error: (?P<reason>[^\n]*)")
_OUT_OF_MEMORY = re.compile(r"(?:CUDA|HIP)(?: driver)?(?: error:)? out of memory")
_OF_A_LIBRARY = re.compile(
    r"No CUDA GPUs are available|GPU is lost|(?:CUBLAS|CUDNN)_STATUS_EXECUTION_FAILED"
)
"""How other libraries report a device that failed before."""


MEMORY_ERRORS = (RuntimeError, MemoryError)
"""Types of the errors when memory runs out; ask `ran_out` about each, because most have other causes."""

_SIGNS_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "cannot allocate memory"),
    # Of cuBLAS and cuDNN, which allocate their own workspace.
    *("status_alloc_failed", "unable to find an engine to execute this computation"),
)


def ran_out(error: BaseException) -> bool:
    """Return True if memory ran out, of the GPU or of the machine.

    Page-locked memory of the machine that cannot be had is a `torch.AcceleratorError`.
    """
    text = str(error).lower()
    is_said = isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS_OF_MEMORY)
    return is_said or isinstance(error, MemoryError)


def device_error(error: BaseException, index: int) -> UnavailableError | None:
    """Return the error for the user if this one came from a device: lost, or out of memory.

    An error that has its own sentence about memory is not one of them.

    Args:
        error: Any error.
        index: The CUDA device on which the work ran.
    """
    lost = lost_card(error, index)
    if lost is not None:
        return lost
    if isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)):
        return UnavailableError(
            f"GPU {index} has too little free memory.",
            "Close other programs that use it, then resume the run.",
        )
    return None


def lost_card(error: BaseException, index: int) -> LostCardError | None:
    """Return the error for the user if this one, or one that caused it, means a lost device.

    Args:
        error: Any error. `torch.AcceleratorError` and older forms are RuntimeErrors.
        index: The CUDA device on which the work ran.
    """
    for each in _causes(error):
        if isinstance(each, LostCardError):
            return each
        reason = _reason(each)
        if reason:
            return LostCardError(
                f"GPU {index} no longer works ({reason}).",
                "Finished clips are kept. Resume the run to make the rest. Restart procvid before "
                "you use this GPU again.",
            )
    return None


def no_card_left(indices: tuple[int, ...]) -> LostCardError:
    """Return the error for work that waits when every device is lost."""
    names = " and ".join(f"GPU {index}" for index in indices)
    verb = "works" if len(indices) == 1 else "work"
    return LostCardError(
        f"{names} no longer {verb}, so no clip can be made.",
        "Restart procvid. Waiting runs then continue.",
    )


def _reason(error: BaseException) -> str:
    """Return the device's own words for a lasting error, else ""."""
    if not isinstance(error, RuntimeError):
        return ""
    text = str(error)
    found = _OF_THE_DEVICE.search(text)
    if found is not None:
        reason = found["reason"].strip()
        return reason[:120] if any(word in reason for word in LASTING) else ""
    found = _OF_A_LIBRARY.search(text)
    return found[0] if found else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__
