"""Set up processes, precision and TensorBoard through accelerate."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import is_tensorboard_available

from procvid.errors import UnavailableError
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.validation import Validated


def start_accelerator(settings: LoraSettings, out: Path) -> Accelerator:
    """Join the processes of a training.

    Raises:
        UnavailableError: Tracking is on and TensorBoard is not installed.
    """
    # accelerate only warns and then tracks nothing.
    if settings.track and not is_tensorboard_available():
        raise UnavailableError(
            "TensorBoard is not installed.", "Run `pip install tensorboard`, or omit --track."
        )
    accelerator = Accelerator(
        # Without this, several processes on a CPU do not form a group.
        cpu=not torch.cuda.is_available(),
        mixed_precision=settings.precision,
        log_with="tensorboard" if settings.track else None,
        project_dir=out if settings.track else None,
        # Other processes wait while the main one generates validation clips.
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=12))],
    )
    if settings.track:
        accelerator.init_trackers("tensorboard")
    return accelerator


def log_validation(accelerator: Accelerator, event: Validated, step: int) -> None:
    """Log a validation to TensorBoard: its loss and some frames of its clips."""
    accelerator.log({"validation_loss": event.loss}, step)
    # The image writer may be missing; the loss is logged anyway.
    with suppress(ImportError, AttributeError):
        writer = accelerator.get_tracker("tensorboard", unwrap=True)
        for number, sampled in enumerate(event.clips, start=1):
            frames = torch.from_numpy(sampled.frames).permute(0, 3, 1, 2)
            writer.add_images(f"clip {number}", frames[:: max(1, len(frames) // 4)], step)
