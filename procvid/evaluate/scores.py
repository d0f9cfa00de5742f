"""`scores.json` and its table as CSV, from which reports and comparisons are made."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from procvid import __version__
from procvid.errors import InputError
from procvid.evaluate.credit import stands_still
from procvid.evaluate.evidence import ClipEvidence, RunEvidence
from procvid.evaluate.inputs import RunInput
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result
from procvid.types import Image

SCHEMA_VERSION = 2
"""Version 2: stills and pasted references earn no credit. Scores of version 1 are not comparable."""

SCORES, JUDGEMENTS, TABLE, REPORT = "scores.json", "judgements.json", "scores.csv", "report.html"


def scores_of(
    results: Sequence[tuple[RunInput, RunEvidence, Mapping[str, Result]]],
    summary: Mapping[str, Result],
    parts: EvaluationParts,
    needs: Collection[str],
) -> dict[str, Any]:
    """Return the content of `scores.json`; it does not depend on the time or the machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "procvid": __version__,
        "profile": parts.profile,
        "backbones": {kind: name for kind, name in parts.backbones().items() if kind in needs},
        "missing": {kind: why for kind, why in parts.missing.items() if kind in needs},
        "runs": [
            {
                "name": run.name,
                "title": run.recipe.title if run.recipe else "",
                "settings": dict(run.settings),
                "notes": [*run.notes, *evidence.notes],
                "clips": [_clip(clip) for clip in evidence.clips],
                "candidates": {
                    str(number): list(texts.texts) for number, texts in evidence.candidates.items()
                },
                "goals": list(evidence.goal.texts) if evidence.goal else [],
                "metrics": {name: result.to_json() for name, result in own.items()},
            }
            for run, evidence, own in results
        ],
        "summary": {name: result.to_json() for name, result in summary.items()},
    }


def _clip(clip: ClipEvidence) -> dict[str, Any]:
    return {
        "step": clip.number,
        "text": clip.text,
        "num_frames": clip.num_frames,
        "fps": round(clip.fps, 3),
        "width": clip.width,
        "height": clip.height,
        "frozen": stands_still(clip),
        "known": clip.known,
        "pixel_motion": None if clip.pixel_motion is None else round(clip.pixel_motion, 4),
        "first_frame": picture_url(clip.first_image),
        "last_frame": picture_url(clip.last_image),
    }


def picture_url(image: Image) -> str:
    """Return uint8 (H, W, 3) RGB as a JPEG data URL."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def read_scores(file: Path) -> dict[str, Any]:
    """Read `scores.json` back.

    Raises:
        InputError: The file is missing, damaged, or of another version.
    """
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
        version = scores["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The file {str(file)!r} contains no scores.", "Create it with `procvid evaluate`."
        ) from error
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The scores in {str(file)!r} have version {version}, not {SCHEMA_VERSION}.",
            "Evaluate again with this version of procvid.",
        )
    return dict(scores)


def check_replaceable(file: Path) -> None:
    """Check that a file may be overwritten: it is missing, or has scores of this or an older version.

    Raises:
        InputError: Another program or a newer procvid wrote the file.
    """
    if not file.exists():
        return
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
        ours = {"procvid", "runs", "summary"} <= scores.keys()
        known = ours and int(scores["schema_version"]) <= SCHEMA_VERSION
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        ours = known = False
    if not known:
        writer = "a newer version of procvid" if ours else "another program"
        raise InputError(
            f"The file {str(file)!r} was written by {writer} and would be overwritten.",
            "Choose another folder for --out, or move the file.",
        )


def scores_csv(scores: Mapping[str, Any]) -> str:
    """Return CSV with a line for each run and metric and for each item; nulls are empty cells."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run", "metric", "direction", "item", "value", "n", "chance", "state", "note"])
    for run in scores["runs"]:
        for name, metric in run["metrics"].items():
            head = [run["name"], name, metric["direction"]]
            value = [metric["value"], metric["n"], metric["chance"], metric["state"], ""]
            writer.writerow([*head, "all", *("" if v is None else v for v in value)])
            for item in metric["items"]:
                there = "" if item["value"] is None else item["value"]
                writer.writerow([*head, item["key"], there, "", "", "", item["note"]])
    return out.getvalue()
