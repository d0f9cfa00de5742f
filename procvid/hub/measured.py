"""`scores.json` beside an artifact, for its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from procvid.errors import InputError
from procvid.evaluate.metrics import title_of
from procvid.evaluate.result import Result
from procvid.evaluate.scores import read_scores
from procvid.hub.cards import Measured, MetricRow
from procvid.hub.release import fact_of
from procvid.run.folder import VIDEO, read_run


def measured_of(file: Path, lora: Path | None = None, run: Path | None = None) -> Measured | None:
    """What a `scores.json` says, or None where there is no such file.

    Args:
        file: The scores.
        lora: When given, every run that was measured must have been made with this very file.
        run: When given, the scores must be those of this run and of no other.

    Raises:
        InputError: It is damaged, of another version, or measured something else.
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
        _check_lora(file, settings, fact_of(lora).sha256)
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
    return Measured(str(scores["profile"]), len(runs), num_clips, rows)


def _check_lora(file: Path, settings: list[Mapping[str, Any]], sha256: str) -> None:
    others = [s for s in settings if f"sha256:{sha256[:16]}" not in str(s.get("generator"))]
    if others or not settings:
        raise InputError(
            f"The scores in {file.name} are not of this LoRA: {len(others)} of {len(settings)} runs "
            "were made without it.",
            "Evaluate runs that were made with it, and only those.",
        )


def _check_run(file: Path, settings: list[Mapping[str, Any]], run: Path) -> None:
    record = read_run(run)
    wanted = (record.request.seed, record.models.get("generator", ""))
    if [(s.get("seed"), s.get("generator")) for s in settings] != [wanted] or not (
        (run / VIDEO).is_file()
    ):
        raise InputError(
            f"The scores in {file.name} are not of this run alone.", "Evaluate this run again."
        )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of the user's; {} where there is no such file.

    Raises:
        InputError: It is no JSON object.
    """
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InputError(f"The file {file.name} is no JSON object.", "Mend it or take it out.")
    return told
