"""The takes of each step on disk: `takes/NN/K/`, numbered from 1.

A take is a complete step folder with one more file, `take.json`, for its score. The current take is
the one with the clip that `steps/NN` has. A step that was never redone has no folder here; its only
take is then the step folder itself. No other module knows this layout.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import RunError
from procvid.run.folder import CLIP, CONDITIONING, RunFolder
from procvid.run.records import ReferenceRecord, StepRecord
from procvid.storage.atomic import output_errors, remove, temporary_name
from procvid.storage.files import (
    is_temporary,
    read_json,
    sha256_of,
    sweep,
    whole_folder,
    write_json,
)
from procvid.types import TakeVerdict

TAKES, FACTS, CHOICE = "takes", "take.json", "choice.json"
MAX_TAKES = 200
"""Maximum number of takes of a step."""
MAX_AT_ONCE = 8
"""Maximum number of takes that one redo, or a run, makes of a step."""

NO_VERDICT = TakeVerdict(None, "")

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class Take:
    """One take of a step.

    Attributes:
        number: From 1, in the order in which the takes were made.
        record: How it was made.
        folder: Its folder, laid out as a step folder.
        current: True if it is the clip of the step.
        verdict: Of the judge that chose among several takes; None if it was not judged.
        made_at: When the clip was made, in UTC.
    """

    number: int
    record: StepRecord
    folder: Path
    current: bool
    verdict: TakeVerdict | None
    made_at: datetime.datetime

    @property
    def score(self) -> float | None:
        """Score, 0 to 1; None if it was not judged or cannot be."""
        return None if self.verdict is None else self.verdict.value

    @property
    def reason(self) -> str:
        """Why it has this score, or ""."""
        return "" if self.verdict is None else self.verdict.reason

    @property
    def contradictions(self) -> tuple[str, ...]:
        """How it contradicts the plan, each a clause."""
        return () if self.verdict is None else self.verdict.contradictions

    @property
    def seed(self) -> int:
        """Seed of the clip."""
        return self.record.sampling.seed

    @property
    def prompt(self) -> str:
        """The prompt that the generator received."""
        return self.record.prompt

    @property
    def sha256(self) -> str:
        """Hash of the clip's file."""
        return self.record.clip_sha256

    @property
    def references(self) -> tuple[ReferenceRecord, ...]:
        """The references that guided the clip; their files are named from `folder`."""
        return self.record.references

    @property
    def clip(self) -> Path:
        """The clip's file."""
        return self.folder / CLIP


def takes_of(run: RunFolder, step: int) -> list[Take]:
    """Return the takes of a step, by number; [] before its first clip. Skip damaged ones."""
    now = run.read_record(step)
    sha256 = "" if now is None else now.clip_sha256
    takes, found = list[Take](), False
    for number, folder in _entries(run, step):
        take = _read(folder, number, step)
        if take is not None:
            current = not found and take.sha256 == sha256
            found = found or current
            takes.append(replace(take, current=current))
    if now is not None and not found:
        own = _read(run.step_folder(step), _free_number(run, step), step)
        takes += [] if own is None else [replace(own, current=True)]
    return takes


def count_takes(run: RunFolder, step: int) -> int:
    """Return the number of takes of a step that has a clip."""
    return len(takes_of(run, step)) if _folder(run, step).is_dir() else 1


def take_of(run: RunFolder, step: int, number: int) -> Take:
    """Return one take of a step.

    Raises:
        RunError: The step has no such take.
    """
    takes = takes_of(run, step)
    for take in takes:
        if take.number == number:
            return take
    numbers = ", ".join(str(take.number) for take in takes)
    raise RunError(
        f"Step {step} has no take {number}.",
        f"Choose one of: {numbers}." if numbers else "Make its clip first.",
    )


def check_room(run: RunFolder, step: int, count: int) -> None:
    """Raise RunError if a step has no room for `count` more takes."""
    here = len(takes_of(run, step))
    if here + count > MAX_TAKES:
        raise RunError(
            f"Step {step} has {here} takes, and {MAX_TAKES} are the maximum.",
            "Delete some takes of this step first.",
        )


def keep_current(run: RunFolder, step: int) -> None:
    """Keep the step's present folder as a take, unless it is one already.

    Raises:
        OutputError: The folder cannot be written; nothing has changed.
    """
    folder = run.step_folder(step)
    place = _folder(run, step)
    sweep_takes(run, step)
    take = next((take for take in takes_of(run, step) if take.current), None)
    if take is None or (_has_same_record(take.folder, folder) and take.folder != folder):
        return
    with whole_folder(place / str(take.number)) as kept:
        _copy(folder, kept)
        if take.folder != folder and (take.folder / FACTS).is_file():
            shutil.copy2(take.folder / FACTS, kept / FACTS)


def sweep_takes(run: RunFolder, step: int) -> None:
    """Remove what a killed process left of a take. Raise OutputError on failure."""
    if _folder(run, step).is_dir():
        sweep(_folder(run, step))


def new_place(run: RunFolder, step: int) -> Path:
    """Return the folder for the next take, which does not exist yet."""
    last = max((take.number for take in takes_of(run, step)), default=0)
    return _folder(run, step) / str(max(last + 1, _free_number(run, step)))


def settle(run: RunFolder, step: int, place: Path) -> Take:
    """Return the take that was made at `place`; an earlier whole take with the same clip replaces it.

    Raises:
        OutputError: The folder cannot be written.
    """
    made = take_of(run, step, int(place.name))
    for take in takes_of(run, step):
        if take.number == made.number or take.sha256 != made.sha256:
            continue
        if _has_same_record(take.folder, place) and sha256_of(take.clip) == take.sha256:
            _discard(place)
            return take
        _discard(take.folder)
    return made


def write_verdict(take: Take, verdict: TakeVerdict) -> Take:
    """Store a verdict with a take. Raise OutputError on failure."""
    write_json(take.folder / FACTS, _verdict_json(verdict))
    return replace(take, verdict=verdict)


def write_choice(run: RunFolder, step: int) -> None:
    """Store that a person chose the current take over the others. Raise OutputError on failure."""
    takes = takes_of(run, step)
    current = next((take.sha256 for take in takes if take.current), None)
    if current is not None and len(takes) > 1:
        others = [take.sha256 for take in takes if take.sha256 != current]
        write_json(_folder(run, step) / CHOICE, {"chosen": current, "over": others})


def chosen_over(run: RunFolder, step: int) -> tuple[str, frozenset[str]]:
    """Return the hash of the take that a person chose last, and those of the others; "" for no choice."""
    try:
        value = read_json(_folder(run, step) / CHOICE)
        return str(value["chosen"]), frozenset(str(one) for one in value["over"])
    except (OSError, KeyError, TypeError, ValueError):
        return "", frozenset()


def restore(run: RunFolder, step: int, take: Take) -> StepRecord:
    """Replace the step's folder by a copy of a take, and return its record.

    Raises:
        RunError: The clip of the take is damaged.
        OutputError: The folder cannot be written; the old one stays.
    """
    if sha256_of(take.clip) != take.sha256:
        raise RunError(f"The clip of take {take.number} is damaged.", "Choose another take.")
    with run.new_step(step) as folder:
        _copy(take.folder, folder)
    return take.record


def discard(run: RunFolder, step: int, take: Take) -> None:
    """Delete a take that is not the current one.

    Raises:
        RunError: It is the current one.
        OutputError: The folder cannot be written.
    """
    if take.current:
        raise RunError(
            f"Take {take.number} of step {step} is in the video.", "Choose another take first."
        )
    # Else the number of a current take that is not kept yet would change.
    keep_current(run, step)
    _discard(take.folder)


def take_facts(take: Take) -> dict[str, Any]:
    """Return the facts of a take as JSON, without its files."""
    return {
        "number": take.number,
        "current": take.current,
        "seed": take.seed,
        "prompt": take.prompt,
        **_verdict_json(take.verdict or NO_VERDICT),
        "made_at": take.made_at.isoformat(timespec="seconds"),
        "sha256": take.sha256,
    }


def score_words(take: Take) -> str:
    """Return the score with its parts, such as "0.83 (likeness 0.91, states 0.75)"; "" for none."""
    if take.verdict is None or take.score is None:
        return ""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in take.verdict.parts.items())
    return f"{take.score:.2f} ({parts})" if parts else f"{take.score:.2f}"


def takes_json(run: RunFolder, step: int) -> list[dict[str, Any]]:
    """Return the kept takes of a step for `run.json`; [] for a step that was never redone."""
    if not _folder(run, step).is_dir():
        return []
    return [
        {
            "number": take.number,
            "seed": take.seed,
            "sha256": take.sha256,
            "current": take.current,
            **({} if take.verdict is None else _verdict_json(take.verdict)),
        }
        for take in takes_of(run, step)
    ]


def scores_of_takes(run: RunFolder, step: int) -> dict[str, Any]:
    """Return the kept take and the score of each take of a step, for the metadata of the video."""
    takes = takes_of(run, step)
    return {
        "kept": next((take.number for take in takes if take.current), None),
        "scores": {str(take.number): take.score for take in takes},
    }


def made_as(run: RunFolder) -> dict[int, tuple[int, str | None]]:
    """Return seed and own prompt of the current take of each step that has a clip.

    The prompt is None for a step that has the planned one.
    """
    plan = run.read_plan()
    steps = plan.steps if plan else ()
    read = {step.number: run.read_record(step.number) for step in steps}
    return {
        number: (record.sampling.seed, record.overrides.get("prompt"))
        for number, record in read.items()
        if record is not None
    }


def _folder(run: RunFolder, step: int) -> Path:
    return run.path / TAKES / f"{step:02d}"


def _entries(run: RunFolder, step: int) -> Iterator[tuple[int, Path]]:
    """Yield number and folder of everything that may be a take, by number."""
    try:
        entries = [e for e in _folder(run, step).iterdir() if _NUMBER.fullmatch(e.name)]
    except OSError:
        return
    for entry in sorted(entries, key=lambda e: int(e.name)):
        yield int(entry.name), entry


def _free_number(run: RunFolder, step: int) -> int:
    """Return the number of the next take: above all entries, the damaged ones too."""
    return max((number for number, _ in _entries(run, step)), default=0) + 1


def _read(folder: Path, number: int, step: int) -> Take | None:
    try:
        if folder.is_symlink() or (folder / CLIP).is_symlink():
            return None
        record = StepRecord.from_json(read_json(folder / CONDITIONING))
        facts = (folder / CLIP).stat()
        if record.step != step or facts.st_size == 0:
            return None
        made_at = datetime.datetime.fromtimestamp(facts.st_mtime, datetime.timezone.utc)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    return Take(number, record, folder, False, _verdict(folder / FACTS), made_at)


def _verdict(file: Path) -> TakeVerdict | None:
    try:
        value: Mapping[str, Any] = read_json(file)
        score = None if value["score"] is None else float(value["score"])
        if score is not None and not 0 <= score <= 1:
            raise ValueError("out of range")
        return TakeVerdict(
            score,
            str(value["reason"]),
            # Verdicts of older versions have neither.
            {str(name): float(part) for name, part in value.get("parts", {}).items()},
            tuple(str(clause) for clause in value.get("contradictions", ())),
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _verdict_json(verdict: TakeVerdict) -> dict[str, Any]:
    return {
        "score": verdict.value,
        "reason": verdict.reason,
        "parts": dict(verdict.parts),
        "contradictions": list(verdict.contradictions),
    }


def _has_same_record(one: Path, other: Path) -> bool:
    try:
        return (one / CONDITIONING).read_bytes() == (other / CONDITIONING).read_bytes()
    except OSError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy a step's folder without the facts of a take; share the bytes of the clip."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [n for n in names if n == FACTS or is_temporary(n)] if folder == str(source) else []

    shutil.copytree(source, target, ignore=ignored, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> str:
    """Link the clip, which is never changed in place; copy any other file."""
    if Path(source).name == CLIP:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return target
    return str(shutil.copy2(source, target))


def _discard(folder: Path) -> None:
    """Delete a folder: first under a temporary name, so that no half of it is ever read."""
    doomed = temporary_name(folder)
    with output_errors(folder):
        folder.replace(doomed)
        remove(doomed)
