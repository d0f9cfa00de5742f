"""Read the `scores.json` of an artifact for its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.errors import InputError
from procvid.evaluate.metrics import title_of
from procvid.evaluate.result import Result
from procvid.evaluate.scores import read_scores
from procvid.run.folder import VIDEO, read_run
from procvid.storage.files import sha256_of


@dataclass(frozen=True)
class MetricRow:
    """One metric of `scores.json`, over all its runs."""

    metric: str
    title: str
    direction: str
    value: float | None
    n: int
    chance: float | None
    backbone: str
    state: str


@dataclass(frozen=True)
class CardScores:
    """Content of a `scores.json`: `num_runs` runs of a profile, one row per metric."""

    profile: str
    num_runs: int
    num_clips: int
    rows: tuple[MetricRow, ...]


def read_card_scores(
    file: Path, lora: Path | None = None, run: Path | None = None
) -> CardScores | None:
    """Read a `scores.json`; None if the file does not exist.

    Args:
        file: The scores.
        lora: If given, every measured run must have been made with this LoRA file.
        run: If given, the scores must belong to this run folder alone.

    Raises:
        InputError: The file is damaged, has another version, or measures something else.
    """
    if not file.is_file():
        return None
    scores = read_scores(file)
    try:
        runs = scores["runs"]
        results = {name: Result.from_json(value) for name, value in scores["summary"].items()}
        settings = [measured["settings"] for measured in runs]
        num_clips = sum(len(measured["clips"]) for measured in runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"The file {str(file)!r} holds no scores.", "Make them with `procvid evaluate`."
        ) from error
    if lora is not None:
        _check_lora(file, settings, sha256_of(lora))
    if run is not None:
        _check_run(file, settings, run)
    rows = tuple(
        MetricRow(
            metric=name,
            title=title_of(name),
            direction=result.direction,
            value=result.value,
            n=result.n,
            chance=result.chance,
            backbone=result.backbone,
            state=result.state,
        )
        for name, result in results.items()
    )
    # The scores name the profile of the backbones, which may be another one than that of the clips.
    profiles = dict.fromkeys(str(each.get("profile", scores["profile"])) for each in settings)
    return CardScores(", ".join(profiles), len(runs), num_clips, rows)


def _check_lora(file: Path, settings: list[Mapping[str, Any]], sha256: str) -> None:
    others = [s for s in settings if f"sha256:{sha256[:16]}" not in str(s.get("generator"))]
    if others or not settings:
        raise InputError(
            f"{file.name} does not measure this LoRA: {len(others)} of {len(settings)} runs were "
            "made without it.",
            "Evaluate only runs that were made with this LoRA.",
        )


def _check_run(file: Path, settings: list[Mapping[str, Any]], run: Path) -> None:
    record = read_run(run)
    wanted = (record.request.seed, record.models.get("generator", ""))
    if [(s.get("seed"), s.get("generator")) for s in settings] != [wanted] or not (
        (run / VIDEO).is_file()
    ):
        raise InputError(
            f"{file.name} does not measure this run alone.", "Evaluate this run again."
        )
