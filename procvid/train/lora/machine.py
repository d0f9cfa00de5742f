"""Processes, precision and TensorBoard, through accelerate."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from procvid.errors import UnavailableError
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.validation import Validated


def start_accelerator(settings: LoraSettings, out: Path) -> Accelerator:
    """Join the processes of this training.

    Raises:
        UnavailableError: TensorBoard is wanted and not installed.
    """
    try:
        accelerator = Accelerator(
            # Said, or several processes without a GPU would not know of each other.
            cpu=not torch.cuda.is_available(),
            mixed_precision=settings.precision,
            log_with="tensorboard" if settings.track else None,
            project_dir=out if settings.track else None,
            # The others wait while one of them makes the validation clips.
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=12))],
        )
        if settings.track:
            accelerator.init_trackers("tensorboard")
    except (ImportError, ValueError) as error:
        if not settings.track:
            raise
        raise UnavailableError(
            "TensorBoard is not installed.", "pip install tensorboard, or leave --track out."
        ) from error
    return accelerator


def log_validation(accelerator: Accelerator, event: Validated, step: int) -> None:
    """Send a validation to TensorBoard: its loss, and the clips where its video writer is there."""
    accelerator.log({"validation_loss": event.loss}, step)
    # TensorBoard writes moving pictures through moviepy, which not everybody has.
    with suppress(ImportError, AttributeError):
        writer = accelerator.get_tracker("tensorboard", unwrap=True)
        for number, sampled in enumerate(event.clips, start=1):
            frames = torch.from_numpy(sampled.frames).permute(0, 3, 1, 2)
            writer.add_images(f"clip {number}", frames[:: max(1, len(frames) // 4)], step)
