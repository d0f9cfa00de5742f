"""Read and write the folder of a run: finished, missing and stale steps."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from procvid.errors import InputError, OutputError, ProcvidError, RunError
from procvid.events import Event, to_json
from procvid.plan.codec import plan_from_json, plan_to_json
from procvid.run.earlier import EarlierSteps, read_earlier
from procvid.run.records import (
    RunRecord,
    StepRecord,
    differences,
    stale_steps,
)
from procvid.storage.atomic import output_error, output_errors
from procvid.storage.files import (
    is_temporary,
    read_json,
    sha256_of,
    sweep,
    whole_folder,
    write_json,
)
from procvid.storage.lock import LOCK, locked
from procvid.types import Plan

RUN, PLAN, EVENTS, STEPS = "run.json", "plan.json", "events.jsonl", "steps"
VIDEO, CAPTIONS, MEMORY = "video.mp4", "captions.vtt", "memory"
CLIP, CONDITIONING, REFERENCES = "clip.mp4", "conditioning.json", "references"
CROPS = "crops"
LOCKED = "locked.json"
LIBRARY, POSTER, MAY_TRAIN = "library.json", "poster.jpg", "may_train.json"
"""What the page keeps in a run folder; no part of the run."""
UNLOCKED = (LIBRARY, POSTER, MAY_TRAIN)
"""Files that the page writes while a run is in progress."""

CHANGED_LIBRARIES = (
    "Some libraries changed since this run began, so new clips may differ in detail."
)


def read_run(path: Path) -> RunRecord:
    """Return the record of the run in a folder.

    Raises:
        RunError: There is no run, or its `run.json` is damaged.
    """
    try:
        return RunRecord.from_json(read_json(path / RUN))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(
            f"There is no run in {str(path)!r}.",
            "Make one with `procvid generate RECIPE --out DIR`.",
        ) from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"The file {str(path / RUN)!r} is damaged or of another version ({error}).",
            "Choose another folder, or remove this one and start over.",
        ) from error


@contextmanager
def hold(path: Path, record: RunRecord) -> Iterator[RunFolder]:
    """Create or open a run folder for this request, and lock it.

    Raises:
        RunError: The folder holds something else, another request, or another process works in it.
        OutputError: It cannot be made or written.

    A folder that was created here is removed after an error, unless it contains a plan.
    """
    made = not path.exists()
    if path.exists() and not path.is_dir():
        raise OutputError(
            f"The output {str(path)!r} is a file, not a folder.", "Choose another name for --out."
        )
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        foreign = [] if (path / RUN).exists() else _foreign_entries(path)
    if foreign:
        raise RunError(
            f"The folder {str(path)!r} contains other files, such as {foreign[0]!r}.",
            "Choose a new or an empty folder for --out.",
        )
    try:
        with locked(path):
            folder = RunFolder(path, record)
            folder.start()
            yield folder
    except ProcvidError:
        if made:
            _remove_if_unplanned(path)
        raise


def _foreign_entries(path: Path) -> list[str]:
    """Return the entries that procvid did not write, in a folder without a run."""
    ours = (LOCK, STEPS, *UNLOCKED)
    return sorted(e.name for e in path.iterdir() if e.name not in ours and not is_temporary(e.name))


def _remove_if_unplanned(path: Path) -> None:
    if (path / PLAN).exists():
        return
    try:
        for name in (RUN, EVENTS, LOCK):
            (path / name).unlink(missing_ok=True)
        (path / STEPS).rmdir()
        path.rmdir()
    except OSError:
        return


class RunFolder:
    """Files of one run. `hold` creates it and locks the folder.

    Attributes:
        path: The folder.
        record: Identity and progress of the run.
        notes: Messages of `start` for the user.
    """

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path = path
        self.record = record
        self.notes: tuple[str, ...] = ()

    @cached_property
    def earlier(self) -> EarlierSteps:
        """Steps of an earlier run, if this run is a detour. Raise RunError if they are damaged."""
        return read_earlier(self.path)

    def start(self) -> None:
        """Clean up after a kill, and check or write `run.json`.

        Raises:
            RunError: The folder belongs to another request.
        """
        sweep(self.path, UNLOCKED)
        if (self.path / RUN).exists():
            self._check_same()
        else:
            with output_errors(self.path):
                (self.path / STEPS).mkdir(exist_ok=True)
            self.write_state({}, 0)
        if (self.path / STEPS).exists():
            sweep(self.path / STEPS)
        self._mend_events()

    def _check_same(self) -> None:
        there = read_run(self.path)
        changed = differences(there, self.record)
        if changed:
            raise RunError(
                f"The folder {str(self.path)!r} belongs to another run: {'; '.join(changed)}.",
                "Repeat the same request to resume it, or choose another folder for --out.",
            )
        if dict(there.versions) != dict(self.record.versions):
            self.notes = (CHANGED_LIBRARIES,)
            # A run keeps the versions that made its first clips.
            self.record = there

    def write_state(
        self,
        records: Mapping[int, StepRecord],
        num_steps: int,
        duration_s: float | None = None,
        takes: Mapping[int, list[dict[str, Any]]] | None = None,
    ) -> None:
        """Write `run.json`: the record and the progress.

        Args:
            records: Records of the finished steps.
            num_steps: Number of steps of the plan.
            duration_s: Length of the video if it shows these steps, else None.
            takes: The kept takes of each step, as JSON; steps without any are left as they are.
        """
        stale = self.stale_steps(records)
        steps = []
        for number in range(1, num_steps + 1):
            entry: dict[str, Any] = {"step": number, "state": "missing"}
            if number in records:
                entry["state"] = "stale" if number in stale else "done"
                entry["seed"] = records[number].sampling.seed
                entry["clip_sha256"] = records[number].clip_sha256
                if records[number].memory:
                    entry["memory"] = records[number].memory
            if takes and takes.get(number):
                entry["takes"] = takes[number]
            steps.append(entry)
        state: dict[str, Any] = {"state": "unfinished", "steps": steps}
        if duration_s is not None:
            state["state"] = "stale" if stale else "finished"
            state["duration_s"] = duration_s
            state["video_sha256"] = sha256_of(self.path / VIDEO)
        write_json(self.path / RUN, {**self.record.to_json(), **state})

    def stale_steps(self, records: Mapping[int, StepRecord]) -> dict[int, int]:
        """Return the stale steps without locked ones, each with the step whose old clip it shows."""
        locked = self.locked_steps()
        stale = stale_steps(records, self.record.run_id, self.earlier.anchors)
        return {number: source for number, source in stale.items() if number not in locked}

    def locked_steps(self) -> frozenset[int]:
        """Return the steps that a person locked."""
        try:
            return frozenset(int(number) for number in read_json(self.path / LOCKED)["steps"])
        except (OSError, KeyError, TypeError, ValueError):
            return frozenset()

    def lock_steps(self, numbers: Iterable[int]) -> None:
        """Lock exactly these steps. Raise OutputError on failure."""
        write_json(self.path / LOCKED, {"steps": sorted(numbers)})

    def finished_duration_s(self, records: Mapping[int, StepRecord]) -> float | None:
        """Return the length of the video if it exists and shows these steps, else None.

        Some of them may be stale.
        """
        try:
            state = read_json(self.path / RUN)
            shown = [step["clip_sha256"] for step in state["steps"]]
            if state["state"] not in ("finished", "stale") or not (self.path / CAPTIONS).exists():
                return None
            if shown != [record.clip_sha256 for _, record in sorted(records.items())]:
                return None
            if sha256_of(self.path / VIDEO) != state["video_sha256"]:
                return None
            return float(state["duration_s"])
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def read_plan(self) -> Plan | None:
        """Return the plan on disk, or None.

        Raises:
            RunError: It is damaged.
        """
        if not (self.path / PLAN).exists():
            return None
        try:
            return plan_from_json(read_json(self.path / PLAN))
        except (OSError, ValueError, InputError) as error:
            raise RunError(
                f"The file {str(self.path / PLAN)!r} is damaged ({error}).",
                "Remove it and run the same command again.",
            ) from error

    def write_plan(self, plan: Plan) -> None:
        """Write the plan to disk, with the graph of its steps."""
        # Imported here because networkx takes a tenth of a second, which reading a run does not need.
        from procvid.plan.graph.graph import task_graph

        write_json(self.path / PLAN, {**plan_to_json(plan), "graph": task_graph(plan).as_json()})

    def step_folder(self, number: int) -> Path:
        """Return the folder of a step, finished or not."""
        return self.path / STEPS / f"{number:02d}"

    def relative(self, path: Path) -> str:
        """Return a file's name inside the run folder, with forward slashes."""
        return path.relative_to(self.path).as_posix()

    def read_step(self, number: int) -> StepRecord | None:
        """Return a finished step, or None if it is missing or its clip is another one."""
        record = self.read_record(number)
        try:
            whole = record is not None and (
                sha256_of(self.step_folder(number) / CLIP) == record.clip_sha256
            )
        except OSError:
            return None
        return record if whole else None

    def read_record(self, number: int) -> StepRecord | None:
        """Return the record of a step, even if its clip is damaged; None if there is no valid record."""
        try:
            return StepRecord.from_json(read_json(self.step_folder(number) / CONDITIONING))
        except (OSError, KeyError, TypeError, ValueError):
            return None

    @contextmanager
    def new_step(self, number: int) -> Iterator[Path]:
        """Yield a temporary folder that becomes the step's folder when the block ends.

        Raises:
            OutputError: The disk is full or the folder read-only; the old step stays.
        """
        with whole_folder(self.step_folder(number)) as temporary:
            yield temporary

    def append_event(self, event: Event) -> None:
        """Add an event to `events.jsonl`, with the time of day in UTC.

        Raises:
            OutputError: It cannot be written.
        """
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, **to_json(event)}, ensure_ascii=False) + "\n"
        self._append(line.encode())

    def _append(self, line: bytes) -> None:
        path = self.path / EVENTS
        with output_errors(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
            if written < len(line):
                # The kernel writes what still fits; the next write would report the reason.
                raise output_error(path, OSError(28, "No space left on device"))

    def _mend_events(self) -> None:
        """Cut off the line that a kill or a full disk left unfinished."""
        path = self.path / EVENTS
        if not path.exists():
            return
        with output_errors(path):
            content = path.read_bytes()
            if content and not content.endswith(b"\n"):
                os.truncate(path, content.rfind(b"\n") + 1)
