from __future__ import annotations

import pytest
import torch

from procvid.errors import LostCardError, UnavailableError
from procvid.phantom.device_errors import device_error, lost_card, no_card_left

BELOW = "\nCUDA kernel errors might be asynchronously reported at some other API call."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.AcceleratorError(f"CUDA error: device-side assert triggered{BELOW}"), "assert"),
        (torch.AcceleratorError(f"CUDA error: unspecified launch failure{BELOW}"), "launch"),
        (RuntimeError(f"CUDA error: unknown error{BELOW}"), "unknown error"),
        (RuntimeError("CUDA driver error: unknown error"), "unknown error"),
        (RuntimeError(f"CUDA error: no CUDA-capable device is detected{BELOW}"), "no CUDA-capable"),
        (RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"), "busy"),
        (RuntimeError("HIP error: an illegal memory access was encountered"), "illegal memory"),
        (RuntimeError("No CUDA GPUs are available"), "No CUDA GPUs"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "CUDNN_STATUS"),
    ],
)
def test_after_a_lasting_error_the_card_is_lost(error: Exception, reason: str) -> None:
    lost = lost_card(error, 3)
    assert lost is not None and reason in lost.message
    assert lost.message.startswith("GPU 3 no longer works (") and "\n" not in lost.message
    assert "Resume the run" in lost.hint


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        # As a failed allocation of pinned memory arrives.
        torch.AcceleratorError(f"CUDA error: out of memory{BELOW}"),
        torch.AcceleratorError(f"CUDA error: invalid argument{BELOW}"),
        RuntimeError("an unknown error"),
        ValueError("CUDA error: unknown error"),
        UnavailableError("There is not enough memory for a clip."),
    ],
)
def test_after_other_errors_it_works_on(error: Exception) -> None:
    assert lost_card(error, 0) is None


def test_a_lack_of_memory_gets_a_sentence_unless_it_has_one() -> None:
    pinned = torch.AcceleratorError(f"CUDA error: out of memory{BELOW}")
    for error in (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB."), pinned):
        shown = device_error(error, 1)
        assert shown is not None and not isinstance(shown, LostCardError)
        assert shown.message == "GPU 1 has too little free memory."
    own = UnavailableError("There is not enough memory for a clip.")
    own.__cause__ = pinned
    assert device_error(own, 1) is None and device_error(ValueError("x"), 1) is None
    assert isinstance(device_error(RuntimeError("CUDA error: unknown error"), 1), LostCardError)


def test_an_error_that_names_its_cause_keeps_it() -> None:
    wrapped = UnavailableError("The CLIP model cannot be loaded.")
    wrapped.__cause__ = RuntimeError("CUDA error: unknown error")
    lost = lost_card(wrapped, 1)
    assert lost is not None and lost.message == "GPU 1 no longer works (unknown error)."
    assert lost_card(lost, 2) is lost
    again = RuntimeError("later")
    again.__cause__, lost.__cause__ = lost, again
    assert lost_card(again, 2) is lost


def test_without_any_card_the_sentence_names_them_all() -> None:
    assert isinstance(no_card_left((0,)), LostCardError)
    assert no_card_left((0,)).message == "GPU 0 no longer works, so no clip can be made."
    assert no_card_left((0, 2)).message == "GPU 0 and GPU 2 no longer work, so no clip can be made."
