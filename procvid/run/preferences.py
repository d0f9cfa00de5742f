"""Pairs of a better and a worse take, for preference learning (docs/rl.md).

A pair is two takes of a step that differ in their seed alone. A person's choice decides where there is
one, else the score of the judge. Takes are used for training only with the word of the person who made
the run; the word is a file of the run folder, so a copied or deleted run keeps or loses it.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from procvid.errors import RunError
from procvid.run.folder import MAY_TRAIN, RunFolder
from procvid.run.takes import Take, chosen_over, takes_of
from procvid.storage.atomic import output_errors, write_text
from procvid.storage.files import read_json, sha256_of, whole_folder, write_json

MARGIN = 0.1
"""Scores that differ by less are no preference."""

CLIPS, REFERENCES, LIST = "clips", "references", "metadata.jsonl"
REJECTED = "rejected_file_name"


@dataclass(frozen=True, eq=False)
class Preference:
    """Two takes of a step.

    Attributes:
        run: The run.
        better: The take that a person chose, or with the higher score.
        worse: The other one.
        by: Who preferred it.
    """

    run: RunFolder
    better: Take
    worse: Take
    by: Literal["person", "judge"]


def allow_training(run: Path, allowed: bool) -> None:
    """Keep or withdraw the word that the takes of a run may be used for training.

    Raises:
        OutputError: The file cannot be written.
    """
    if allowed:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        write_json(run / MAY_TRAIN, {"allowed_at": now})
        return
    with output_errors(run / MAY_TRAIN):
        (run / MAY_TRAIN).unlink(missing_ok=True)


def may_train(run: Path) -> bool:
    """Return True if the person who made a run allowed training on its takes."""
    try:
        return bool(read_json(run / MAY_TRAIN)["allowed_at"])
    except (OSError, KeyError, TypeError, ValueError):
        return False


def preferences_of(run: RunFolder, margin: float = MARGIN) -> Iterator[Preference]:
    """Yield the pairs of a run; damaged takes are skipped.

    Args:
        run: The run.
        margin: Least difference of two scores, 0 to 1.

    Raises:
        RunError: The plan is damaged.
    """
    plan = run.read_plan()
    for step in plan.steps if plan else ():
        takes = [take for take in takes_of(run, step.number) if _is_whole(take)]
        chosen, others = chosen_over(run, step.number)
        better = next((take for take in takes if take.sha256 == chosen), None)
        if better is not None:
            for take in takes:
                if take.sha256 in others and _same_shot(take, better):
                    yield Preference(run, better, take, "person")
            continue
        for alike in _groups(takes):
            scored = [(take.score, take) for take in alike if take.score is not None]
            if len(scored) < 2:
                continue
            high, low = (f(scored, key=lambda pair: pair[0]) for f in (max, min))
            if high[0] - low[0] >= margin:
                yield Preference(run, high[1], low[1], "judge")


def _is_whole(take: Take) -> bool:
    try:
        return sha256_of(take.clip) == take.sha256
    except OSError:
        return False


def _shot(take: Take) -> tuple[Any, ...]:
    """Return what a clip depends on, without its seed."""
    record = take.record
    return (
        record.prompt,
        dataclasses.replace(record.sampling, seed=0),
        tuple((one.object_name, sha256_of(take.folder / one.file)) for one in take.references),
        json.dumps([dict(record.models), record.lora], sort_keys=True),
    )


def _same_shot(one: Take, other: Take) -> bool:
    try:
        return _shot(one) == _shot(other)
    except OSError:
        return False


def _groups(takes: Sequence[Take]) -> list[list[Take]]:
    groups = list[list[Take]]()
    for take in takes:
        group = next((group for group in groups if _same_shot(group[0], take)), None)
        if group is None:
            groups.append([take])
        else:
            group.append(take)
    return groups


def write_preferences(folder: Path, preferences: Iterable[Preference]) -> dict[str, int]:
    """Write pairs as a training folder with a dataset card, and return their number by who decided.

    Each row is that of the better take, with the worse one as `rejected_file_name` (docs/lora.md).

    Raises:
        RunError: There is no pair.
        OutputError: The folder cannot be written.
    """
    counts = {"person": 0, "judge": 0}
    with whole_folder(folder) as made:
        rows = []
        for preference in preferences:
            counts[preference.by] += 1
            rows.append(json.dumps(_row(made, preference), ensure_ascii=False))
        if not rows:
            raise RunError(
                "No step has two takes that differ in their seed alone and of which one is better.",
                "Make several takes with `procvid generate --best-of` or choose one.",
            )
        write_text(made / LIST, "".join(f"{row}\n" for row in rows))
        card = resources.files("procvid.run").joinpath("preferences_card.md").read_text("utf-8")
        write_text(made / "README.md", card.format(pairs=len(rows), **counts))
    return counts


def _row(folder: Path, preference: Preference) -> dict[str, Any]:
    run, better, worse = preference.run, preference.better, preference.worse
    plan = run.read_plan()
    assert plan is not None
    step = plan.steps[better.record.step - 1]
    return {
        "file_name": _copied(folder, CLIPS, better.clip, better.sha256),
        REJECTED: _copied(folder, CLIPS, worse.clip, worse.sha256),
        "text": better.prompt,
        "source_id": run.record.run_id,
        "action": step.action,
        "objects": [
            {
                "name": item.name,
                "role": item.role,
                "state_before": item.state_before,
                "state_after": item.state_after,
            }
            for item in step.objects
        ],
        "references": [
            {
                "file_name": _copied(folder, REFERENCES, better.folder / one.file),
                "name": one.object_name,
                "state": one.state,
            }
            for one in better.references
        ],
        "by": preference.by,
        "score": better.score,
        "rejected_score": worse.score,
    }


def _copied(folder: Path, kind: str, file: Path, sha256: str = "") -> str:
    """Copy a file under a name of its bytes, once, and return that name."""
    name = f"{kind}/{(sha256 or sha256_of(file))[:16]}{file.suffix}"
    target = folder / name
    if not target.exists():
        with output_errors(target):
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
    return name
