"""Curate a collection of videos, stage by stage. A run resumes after a kill with the same result.

The folder holds `request.json` (everything that decides the result), one file of sorted JSON lines
per stage, `rejects.jsonl` with a reason per line, `counts.json`, `clips.jsonl` for
`procvid memory build`, and `dataset/`. Finished work is in the journal, so a later run processes
only new videos.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from procvid.data.export import DATASET, write_clip_list, write_dataset
from procvid.data.journal import StageJournal, as_line, key_of
from procvid.data.readers.choose import Collection
from procvid.data.source import Row
from procvid.data.stages import (
    STAGES,
    CurationStage,
    Rules,
    StageInput,
    StageResult,
    Tools,
    attempt,
    source_row,
)
from procvid.errors import InputError, ProcvidError
from procvid.machine.spread import Spread
from procvid.storage.atomic import replacing, write_bytes
from procvid.storage.lock import locked

REQUEST, COUNTS, REJECTS, CLIPS = "request.json", "counts.json", "rejects.jsonl", "clips.jsonl"
SOURCES = "sources"
PROGRESS_EVERY_S = 0.2


@dataclass(frozen=True)
class CurationProgress:
    """Progress of a curation.

    Attributes:
        stage: The current stage.
        done: Videos that passed the stage.
        total: All videos of the stage.
        num_reused: Videos that an earlier run finished.
        elapsed_s: Seconds since the start of the stage.
        video_id: The video just finished.
        message: Why that video was left out, or another note, or "".
    """

    stage: str
    done: int
    total: int
    num_reused: int
    elapsed_s: float
    video_id: str = ""
    message: str = ""

    @property
    def eta_s(self) -> float | None:
        """Return the remaining seconds of this stage, or None before this run has finished a video."""
        worked = self.done - self.num_reused
        return self.elapsed_s / worked * (self.total - self.done) if worked > 0 else None


@dataclass(frozen=True)
class Curation:
    """A curation request.

    Attributes:
        collection: The videos and their annotations.
        out: The output folder.
        rules: The thresholds.
        make_tools: Builds the models of this process, including services.
        spread: The workers for stages that call no service.
        limit: Use only the first videos of the collection, or None for all.
        pictures: Store an image of each clip in the dataset.
        licence: Licence of videos that do not name their own.
    """

    collection: Collection
    out: Path
    rules: Rules
    make_tools: Callable[[], Tools]
    spread: Spread[Tools]
    limit: int | None = None
    pictures: bool = True
    licence: str = ""

    def run(self) -> Iterator[CurationProgress]:
        """Process everything that is not finished yet, and yield progress.

        Raises:
            InputError: The collection cannot be read or has no usable video, or the folder holds
                something else.
            OutputError: The folder cannot be written.
            UnavailableError: A model, a service or a worker is missing. Finished work is kept.
        """
        _check_folder(self.out)
        self.out.mkdir(parents=True, exist_ok=True)
        with locked(self.out):
            tools = self.make_tools()
            self._claim(tools)
            with closing(StageJournal(self.out)) as journal:
                yield from self._read(journal)
                ids = [i for i, body in journal.bodies(SOURCES) if "video_id" in body]
                if not ids:
                    reason = next((b["reason"] for _, b in journal.bodies(SOURCES)), "")
                    raise InputError(f"The collection has no usable video. {reason}".strip())
                for stage in STAGES:
                    yield from self._through(stage, journal, ids, tools)
                    self._write_lines(f"{stage.name}.jsonl", _rows(journal, ids, stage.name))
                yield from self._finish(journal, ids)

    def _claim(self, tools: Tools) -> None:
        """Write the request, or raise InputError if the folder holds another one."""
        captioner = tools.captioner
        request = {
            "format": self.collection.chosen,
            "category": self.collection.category,
            "licence": self.licence,
            "rules": asdict(self.rules),
            "models": {
                "step_finder": [tools.step_finder.info.id, tools.step_finder.info.revision],
                "shot_detector": [tools.shot_detector.info.id, tools.shot_detector.info.revision],
                "captioner": [captioner.info.id, captioner.info.revision] if captioner else None,
            },
        }
        file = self.out / REQUEST
        if not file.exists():
            write_bytes(file, _pretty(request))
            return
        try:
            written = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"The file {file} cannot be read.", "Choose another folder."
            ) from error
        if written != json.loads(_pretty(request)):
            name, was, now = next(_differences(written, json.loads(_pretty(request))))
            raise InputError(
                f"The folder {self.out} holds a curation with another {name}: "
                f"{json.dumps(was)[:60]}, not {json.dumps(now)[:60]}.",
                "Use the same options, or choose another folder.",
            )

    def _read(self, journal: StageJournal) -> Iterator[CurationProgress]:
        """Read the collection into the journal, including missing and unusable videos."""
        started_s, count, missing, shown_s = time.monotonic(), 0, 0, 0.0
        with journal.transaction():
            journal.clear(SOURCES)
            for source in self.collection.read():
                if self.limit is not None and count >= self.limit:
                    break
                count += 1
                file = self.collection.root / source.file
                reason = source.fault
                if not source.file or not file.is_file():
                    reason = "The video is missing."
                    missing += 1
                if reason:
                    body: Row = {"reason": reason}
                else:
                    body = source_row(source, file.stat().st_size)
                    body["licence"] = body["licence"] or self.licence
                journal.keep(SOURCES, source.video_id, "", body)
                elapsed_s = time.monotonic() - started_s
                if elapsed_s - shown_s > PROGRESS_EVERY_S:
                    shown_s = elapsed_s
                    yield CurationProgress(SOURCES, count, 0, 0, elapsed_s)
        message = f"{missing} of {count} videos are missing." if missing else ""
        elapsed_s = time.monotonic() - started_s
        yield CurationProgress(SOURCES, count, count, 0, elapsed_s, message=message)

    def _through(
        self, stage: CurationStage, journal: StageJournal, ids: list[str], tools: Tools
    ) -> Iterator[CurationProgress]:
        started_s, total = time.monotonic(), len(ids)
        # Workers may have another working directory.
        root = self.collection.root.resolve()
        keys: dict[str, str] = {}
        reused = 0

        def jobs() -> Iterator[StageInput]:
            nonlocal reused
            for video_id in ids:
                job = _job(stage, journal, video_id, root)
                if job is None:
                    reused += 1
                    continue
                key = _key(stage, job)
                if journal.has(stage.name, video_id, key):
                    reused += 1
                else:
                    keys[video_id] = key
                    yield job

        spread = self.spread
        asks_service = bool(stage.asks) and _is_service(tools, stage)
        if not stage.heavy or asks_service:
            spread = Spread(self.make_tools)
        results = spread.run(partial(_attempted, stage, self.rules), jobs(), tools)
        for number, (job, made) in enumerate(results, start=1):
            if isinstance(made, ProcvidError):
                raise made
            video_id = job.video["video_id"]
            key = keys.pop(video_id)
            # If a service had no answer, this result counts now and the next run asks again.
            again = asks_service and made.unanswered
            journal.keep(stage.name, video_id, "" if again else key, vars(made))
            yield CurationProgress(
                stage.name,
                reused + number,
                total,
                reused,
                time.monotonic() - started_s,
                video_id,
                _whole_reject(made),
            )
        yield CurationProgress(stage.name, total, total, reused, time.monotonic() - started_s)

    def _finish(self, journal: StageJournal, ids: list[str]) -> Iterator[CurationProgress]:
        counts, rejects = _counts(journal, ids)
        self._write_lines(f"{SOURCES}.jsonl", (journal.body(SOURCES, i) or {} for i in ids))
        self._write_lines(REJECTS, rejects())
        write_bytes(self.out / COUNTS, _pretty(counts))
        final = partial(_whole_rows, journal, ids)
        write_clip_list(self.out / CLIPS, self.collection.root, final())
        started_s = time.monotonic()
        total = counts["stages"]["ratings"]["rows"]
        if total:
            for done in write_dataset(
                self.out / DATASET, self.collection.root, final, total, self.pictures, counts
            ):
                yield CurationProgress(DATASET, done, total, 0, time.monotonic() - started_s)

    def _write_lines(self, name: str, rows: Iterator[Row]) -> None:
        with replacing(self.out / name) as temporary, temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(as_line(row) + "\n")


def _check_folder(out: Path) -> None:
    if not out.exists() or (out / REQUEST).is_file():
        return
    # A process that was killed at its start may have left a lock.
    if not out.is_dir() or any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise InputError(
            f"The folder {out} exists and is not a curation.",
            "Choose another folder, or remove this one.",
        )


def _attempted(
    stage: CurationStage, rules: Rules, tools: Tools, job: StageInput
) -> Iterator[StageResult]:
    yield attempt(stage, tools, rules, job)


def _is_service(tools: Tools, stage: CurationStage) -> bool:
    tool = getattr(tools, stage.asks)
    return tool is not None and tool.info.id != "rules"


def _job(
    stage: CurationStage, journal: StageJournal, video_id: str, root: Path
) -> StageInput | None:
    """Return the input of a stage for a video, or None if there is nothing to do."""
    video = journal.body(SOURCES, video_id) or {}
    rows = {}
    for name in dict.fromkeys((stage.after, *stage.inputs)):
        if name:
            rows[name] = (journal.body(name, video_id) or {"rows": []})["rows"]
    needed = stage.after or (stage.inputs[0] if stage.inputs else "")
    if needed and not rows[needed]:
        return None
    return StageInput(video, {name: rows[name] for name in stage.inputs}, root)


def _key(stage: CurationStage, job: StageInput) -> str:
    return key_of({"video": {name: job.video[name] for name in stage.reads}, "rows": job.rows})


def _result(journal: StageJournal, stage: str, video_id: str) -> Row:
    """Return the journal's result, or an empty one if the video did not reach the stage."""
    names = [s.name for s in STAGES]
    definition = STAGES[names.index(stage)]
    if _job(definition, journal, video_id, Path()) is None:
        return vars(StageResult())
    return journal.body(stage, video_id) or vars(StageResult())


def _rows(journal: StageJournal, ids: list[str], stage: str) -> Iterator[Row]:
    for video_id in ids:
        for row in _result(journal, stage, video_id)["rows"]:
            yield {"video_id": video_id, **row}


def _whole_rows(journal: StageJournal, ids: list[str]) -> Iterator[Row]:
    """Yield the final rows with the fields of their source."""
    for video_id in ids:
        video = journal.body(SOURCES, video_id) or {}
        source = {name: video[name] for name in ("video_id", "file", "title", "licence", "url")}
        for number, row in enumerate(_result(journal, STAGES[-1].name, video_id)["rows"], start=1):
            yield {**source, "clip": number, **row}


def _whole_reject(made: StageResult) -> str:
    """Return why a whole video was left out, or ""."""
    return next((str(r["reason"]) for r in made.rejects if r["start_s"] is None), "")


def _counts(journal: StageJournal, ids: list[str]) -> tuple[Row, Callable[[], Iterator[Row]]]:
    """Return the counts of each stage, and the rejects in the order of videos and stages."""
    unused = Counter(str(body["reason"]) for _, body in journal.bodies(SOURCES) if "reason" in body)
    stages: dict[str, Any] = {}
    for stage in STAGES:
        reasons, notes = Counter[str](), Counter[str]()
        rows = videos = 0
        for video_id in ids:
            made = _result(journal, stage.name, video_id)
            rows += len(made["rows"])
            videos += bool(made["rows"])
            reasons.update(_kind(reject["reason"]) for reject in made["rejects"])
            notes.update(made["counts"])
        stages[stage.name] = {
            "videos": videos,
            "rows": rows,
            "rejected": dict(sorted(reasons.items())),
            "notes": dict(sorted(notes.items())),
        }
    counts = {
        "videos": {"usable": len(ids), "unusable": dict(sorted(unused.items()))},
        "stages": stages,
    }

    def rejects() -> Iterator[Row]:
        for video_id, body in journal.bodies(SOURCES):
            if "reason" in body:
                reject = {"start_s": None, "end_s": None, "reason": body["reason"]}
                yield {"video_id": video_id, "stage": SOURCES, **reject}
                continue
            for stage in STAGES:
                for reject in _result(journal, stage.name, video_id)["rejects"]:
                    yield {"video_id": video_id, "stage": stage.name, **reject}

    return counts, rejects


def _kind(reason: str) -> str:
    """Return a reason without its numbers and names, so that equal kinds can be counted."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\S+\.(?:mp4|mkv|webm|mov)\b|\d+(?:\.\d+)?", "...", reason)[
        :160
    ]


def _differences(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            yield from _differences(was.get(key), now.get(key), f"{name}.{key}".lstrip("."))
    elif was != now:
        yield name, was, now


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
