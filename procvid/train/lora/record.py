"""Write `training.json` and example clips beside a finished LoRA, for its Hub card."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from procvid import __version__
from procvid.models.pipeline_host import LORA_NAMES
from procvid.storage.atomic import replacing_folder
from procvid.storage.files import write_json
from procvid.train.lora.folder import PICTURES, Example
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.validation import ValidationClip

if TYPE_CHECKING:
    from procvid.train.lora.training import Base

PACKAGES = ("torch", "diffusers", "peft", "accelerate")


def training_record(
    base: Base,
    settings: LoraSettings,
    hashes: Mapping[str, Any],
    facts: Mapping[str, str],
    *,
    examples: Sequence[Example],
    skipped: int,
    steps: int,
    processes: int,
    device: torch.device,
    hours: float,
    loss: float,
) -> dict[str, Any]:
    """Return the content of `training.json`; its first keys are shown on the Hub card."""
    pictures = sum(example.file.suffix.lower() in PICTURES for example in examples)
    with_crops = sum(bool(example.wants) for example in examples)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {
        **facts,
        "base_model": base.name,
        "profile": base.name,
        "data": f"{len(examples)} examples, sha256:{str(hashes['data_sha256'])[:16]}",
        "clips": f"{len(examples) - pictures} clips and {pictures} pictures",
        "references": f"{with_crops} examples name crops of other clips of their recipe",
        "steps": f"{steps} in {settings.epochs} epochs",
        "batch_size": settings.examples_per_step(processes),
        "learning_rate": settings.learning_rate,
        "seed": settings.seed,
        "hardware": f"{processes} x {name}",
        "hours": round(hours, 3),
        "loss": round(loss, 4),
        "base_sha256": hashes["base_sha256"],
        "data_sha256": hashes["data_sha256"],
        "init_sha256": hashes["init_sha256"],
        "skipped": skipped,
        # The generator does not warn about objects that this LoRA taught.
        LORA_NAMES: sorted({name for example in examples for name, _ in example.wants}),
        "settings": settings.as_json(),
        "versions": {
            "procvid": __version__,
            **{package: importlib.metadata.version(package) for package in PACKAGES},
        },
    }


def write_record(folder: Path, record: Mapping[str, Any], clips: Sequence[ValidationClip]) -> None:
    """Write `training.json` and `examples/` beside the weights.

    Raises:
        OutputError: The files cannot be written.
    """
    if clips:
        with replacing_folder(folder / "examples") as examples:
            for number, clip in enumerate(clips, start=1):
                shutil.copyfile(clip.file, examples / f"{number:02d}.mp4")
    write_json(folder / "training.json", dict(record))
