"""Write `training.json` and example clips beside a reinforced LoRA, for its Hub card."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from procvid import __version__
from procvid.media.video import write_clip
from procvid.storage.atomic import replacing_folder
from procvid.storage.files import write_json
from procvid.train.curve import read_curve
from procvid.train.lora.record import PACKAGES
from procvid.train.lora.state import CURVE
from procvid.train.lora.training import Base
from procvid.train.rl.rewards.reward import Reward, Shown
from procvid.train.rl.settings import RlSettings
from procvid.train.rl.shots import Shot
from procvid.train.rl.watch import CURVE as VALIDATION
from procvid.train.rl.watch import HeldOutJudge
from procvid.types import Frames

MAX_CLIPS = 4
SCALE_BELOW = 256
"""Clips narrower than this are enlarged when written, px."""


def reinforcement_record(
    base: Base,
    settings: RlSettings,
    hashes: Mapping[str, Any],
    facts: Mapping[str, str],
    *,
    shots: Sequence[Shot],
    rewards: Mapping[str, Reward],
    judges: Sequence[HeldOutJudge],
    out: Path,
    hours: float,
    stopped: str,
) -> dict[str, Any]:
    """Return the content of `training.json`; its first keys are shown on the Hub card."""
    rows = read_curve(out / CURVE)
    held_out = read_curve(out / VALIDATION) if (out / VALIDATION).is_file() else []
    clips = int(sum(row["clips"] for row in rows))
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        **facts,
        "base_model": base.name,
        "profile": base.name,
        "algorithm": settings.algorithm,
        "data": f"{len(shots)} shots, {clips} clips in {len(rows)} iterations"
        if clips
        else f"{len(shots)} pair{'s' * (len(shots) != 1)}, {len(rows)} iterations",
        "learning_rate": settings.learning_rate,
        "seed": settings.seed,
        "hardware": name,
        "hours": round(hours, 3),
        "stopped": stopped,
        "rewards": {
            key: {
                "weight": settings.rewards[key],
                **asdict(reward.card),
                "models": [f"{info.id} {info.revision}" for info in reward.models],
            }
            for key, reward in rewards.items()
        },
        "held_out_judges": {
            judge.id: [f"{info.id} {info.revision}" for info in judge.models] for judge in judges
        },
        **(
            {"reward_curve": _column(rows, "reward")}
            if clips
            else {"loss_curve": _column(rows, "loss")}
        ),
        "held_out": held_out,
        "base_sha256": hashes["base_sha256"],
        "init_sha256": hashes["init_sha256"],
        "settings": settings.as_json(),
        "versions": {
            "procvid": __version__,
            **{package: importlib.metadata.version(package) for package in PACKAGES},
        },
    }


def _column(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [round(row[name], 4) for row in rows]


def write_reinforced(
    folder: Path, record: Mapping[str, Any], clips: Sequence[tuple[Frames, Shown]], fps: int
) -> None:
    """Write `training.json` and `examples/` beside the weights.

    Raises:
        OutputError: The files cannot be written.
    """
    if clips:
        with replacing_folder(folder / "examples") as examples:
            for number, (frames, shown) in enumerate(clips[:MAX_CLIPS], start=1):
                scale = max(1, SCALE_BELOW // frames.shape[2])
                file = examples / f"{number:02d}.mp4"
                write_clip(file, frames, fps, {"prompt": shown.step.prompt}, scale=scale)
    write_json(folder / "training.json", dict(record))
