"""Pairs of a better and a worse take, for preference learning (docs/rl.md).

A pair is two takes of a step that differ in their seed alone. A person's choice decides where there is
one, else the judge. Takes are used for training only with the permission of a person who has the run. It
is a file of the run folder; a deleted run loses it.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from procvid.errors import RunError
from procvid.run.best_of import best_of_finals, first_score, rank_of
from procvid.run.folder import MAY_TRAIN, REFERENCES, RunFolder
from procvid.run.records import ReferenceRecord
from procvid.run.takes import Take, chosen_over, takes_of
from procvid.storage.atomic import new_folder, output_errors, write_text
from procvid.storage.files import read_json, sha256_of, write_json

MARGIN = 0.1
"""Scores that differ by less are no preference."""

CLIPS, LIST = "clips", "metadata.jsonl"
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
    """Store or withdraw the permission to train on the takes of a run.

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
    """Return True if a person allowed training on the takes of a run."""
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
        groups = defaultdict[tuple[Any, ...], list[Take]](list)
        for take in takes_of(run, step.number):
            if _is_whole(take):
                groups[_shot(take)].append(take)
        chosen, others = chosen_over(run, step.number)
        whole = [take for alike in groups.values() for take in alike]
        better = next((take for take in whole if take.sha256 == chosen), None)
        if better is not None:
            worse = [take for take in groups[_shot(better)] if take.sha256 in others]
            yield from (Preference(run, better, take, "person") for take in worse)
            continue
        for alike in groups.values():
            pair = _judged_pair([take for take in alike if take.score is not None], margin)
            if pair is not None:
                yield Preference(run, *pair, "judge")


def _judged_pair(takes: Sequence[Take], margin: float) -> tuple[Take, Take] | None:
    """Return the best and the worst take as a run ranks them, or None if they are too close."""
    if len(takes) < 2:
        return None
    best, worst = best_of_finals(takes) or max(takes, key=rank_of), min(takes, key=first_score)
    is_clear = first_score(best) - first_score(worst) >= margin
    return (best, worst) if is_clear and best is not worst else None


def _is_whole(take: Take) -> bool:
    try:
        _shot(take)
        return sha256_of(take.clip) == take.sha256
    except (OSError, TypeError, ValueError):
        return False


def _shot(take: Take) -> tuple[Any, ...]:
    """Return what a clip depends on, without its seed.

    Raises:
        OSError: A reference is missing.
        TypeError: The record is damaged.
        ValueError: A reference is not a file of the take.
    """
    record = take.record
    return (
        record.prompt,
        dataclasses.replace(record.sampling, seed=0),
        tuple((one.object_name, sha256_of(_picture(take, one))) for one in take.references),
        json.dumps([dict(record.models), record.lora], sort_keys=True),
    )


def _picture(take: Take, reference: ReferenceRecord) -> Path:
    file = take.folder / reference.file
    if Path(reference.file).parts != (REFERENCES, file.name) or file.is_symlink():
        raise ValueError(f"{reference.file} is not a file of the take")
    return file


def write_preferences(folder: Path, preferences: Iterable[Preference]) -> dict[str, int]:
    """Write pairs as a training folder with a dataset card, and return their number by who decided.

    Each row is that of the better take, with the worse one as `rejected_file_name` (docs/lora.md).
    Equal pairs are written once.

    Args:
        folder: Must not exist, or must be empty.
        preferences: The pairs.

    Raises:
        RunError: There is no pair, or a take was deleted meanwhile.
        OutputError: The folder holds something, or cannot be written.
    """
    counts = {"person": 0, "judge": 0}
    with new_folder(folder) as made:
        rows = dict[tuple[str, str], str]()
        for preference in preferences:
            row = _row(made, preference)
            key = row["file_name"], row[REJECTED]
            if key not in rows:
                counts[preference.by] += 1
                rows[key] = json.dumps(row, ensure_ascii=False)
        if not rows:
            raise RunError(
                "No step has two takes that differ in their seed alone and of which one is better.",
                "Make several takes with `procvid generate --best-of`, choose one, or lower --margin.",
            )
        write_text(made / LIST, "".join(f"{row}\n" for row in rows.values()))
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
                "file_name": _copied(folder, REFERENCES, _picture(better, one)),
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
    try:
        name = f"{kind}/{(sha256 or sha256_of(file))[:16]}{file.suffix}"
        with file.open("rb"):
            pass
    except OSError as error:
        raise RunError(
            f"{str(file)!r} was removed while it was copied.", "Run the command again."
        ) from error
    target = folder / name
    if not target.exists():
        with output_errors(target):
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
    return name
