"""Make the video of a detour: clips of the earlier run are taken over where nothing changed.

A clip is taken over if the new step has the same words, objects, prompt, references, sampling and
models. Its bytes stay, and the memory goes on with its images. The vessels, surfaces and tools of steps
that changed or were dropped stay in the memory too, so a clip that is made anew shows the same pan. Their
foods do not: a carrot that is no longer sliced must not look sliced.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.errors import RunError
from procvid.events import Conditioned, Event, Warned
from procvid.memory.memory import Memory
from procvid.memory.store import empty_store, with_rows
from procvid.memory.store_folder import load_store, save_store
from procvid.plan.detour.detour import Detour
from procvid.plan.detour.replan import same_shot
from procvid.plan.detour.wishes import Wishes, wishes_to_json
from procvid.run.assemble import missing_objects, pixels_sha256, references_of, without_files
from procvid.run.changes import keep_changes, kept_changes
from procvid.run.earlier import (
    BEFORE,
    DETOUR,
    EARLIER,
    SCHEMA_VERSION,
    EarlierStep,
    read_earlier,
)
from procvid.run.folder import CLIP, CONDITIONING, CROPS, RunFolder, read_run
from procvid.run.generate import step_seed
from procvid.run.parts import Parts, memory_seed, start_memory
from procvid.run.records import StepRecord, source_id
from procvid.run.step import anchors_at, conditioning_of, crops_are_whole, remember_folder
from procvid.storage.files import read_json, sha256_of, whole_folder, write_json
from procvid.types import Conditioning, Plan, StepChanges, StepPlan


@dataclass(frozen=True)
class DetourOf:
    """A detour of a run.

    Attributes:
        source: Folder of the earlier run.
        wishes: What changes.
        detour: The new plan, and what differs.
        ask: The free wish that a language model read, or "".
        typed: The wishes without what it read; None if there is no free wish.
    """

    source: Path
    wishes: Wishes
    detour: Detour
    ask: str = ""
    typed: Wishes | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What a person asked for, as JSON. The same request resumes a detour."""
        return asked_json(self.typed or self.wishes, self.ask)


def begin_detour(run: RunFolder, asked: DetourOf) -> None:
    """Copy the finished steps of the earlier run into the folder of its detour.

    Repeating it does nothing. A step of the earlier run that is missing or damaged is made again.

    Raises:
        RunError: The folder holds another detour, or the earlier run is gone.
        OutputError: The folder cannot be written.
    """
    if (run.path / DETOUR).exists():
        check_same_detour(run.path, asked.asked)
        return
    source = RunFolder(asked.source, read_run(asked.source))
    plan = source.read_plan()
    if plan is None:
        raise RunError("The run has no plan yet.", "Finish it with `procvid generate` first.")
    joined = _joined(source, plan, asked.detour)
    entries = []
    with whole_folder(run.path / EARLIER) as folder:
        for place, (origin, before, candidate) in enumerate(joined, start=1):
            name = f"{place:03d}"
            shutil.copytree(origin, folder / name)
            entries.append({"folder": name, "before": before, "candidate": candidate})
    keep_changes(run, _changes(source, plan, asked.detour))
    seed = source.earlier.memory_seed
    value: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "from": source.record.run_id,
        "asked": asked.asked,
        "wishes": wishes_to_json(asked.wishes),
        "memory_seed": memory_seed(source.record.request.seed, plan) if seed is None else seed,
        "earlier": entries,
        "difference": asked.detour.as_json(),
    }
    write_json(run.path / DETOUR, value)
    run.earlier = read_earlier(run.path)


def asked_json(wishes: Wishes, ask: str = "") -> dict[str, Any]:
    """Return typed wishes and a free wish as JSON."""
    return {**wishes_to_json(wishes), **({"ask": ask} if ask else {})}


def check_same_detour(path: Path, asked: Mapping[str, Any]) -> None:
    """Raise RunError if the folder of a detour holds another one."""
    if asked_there(path) != asked:
        raise RunError(
            f"The folder {str(path)!r} holds another detour.", "Choose another folder for --out."
        )


def asked_there(path: Path) -> dict[str, Any]:
    """Return what was asked for in the detour in a folder; {} if it holds none.

    Raises:
        RunError: `detour.json` is damaged.
    """
    try:
        return dict(read_json(path / DETOUR)["asked"])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"The file {str(path / DETOUR)!r} is damaged ({error}).") from error


def memory_of(run: RunFolder, parts: Parts, plan: Plan) -> Memory | None:
    """Return the memory of a run before its first step, or None.

    A detour has the seed of the earlier run, so the shared stores give the same images.
    """
    return start_memory(parts, run.record.request.seed, plan, run.earlier.memory_seed)


def remember_earlier(
    run: RunFolder, parts: Parts, memory: Memory | None, number: int, clip_sha256: str = ""
) -> None:
    """Add the earlier steps that count before step `number` to the memory.

    Args:
        run: The run.
        parts: Its models.
        memory: Its memory after the steps before.
        number: The step that is made or remembered next.
        clip_sha256: Hash of its clip, or "" if it is to be made.
    """
    if memory is None:
        return
    for one in run.earlier.joined(number, clip_sha256):
        _go_on_with(one, parts, memory)


def _go_on_with(one: EarlierStep, parts: Parts, memory: Memory) -> None:
    """Add the vessels, surfaces and tools of an earlier step to the memory."""
    anchors = [
        dataclasses.replace(anchor, step=BEFORE)
        for anchor in one.record.new_anchors()
        if anchor.role != "food"
    ]
    remember_folder(parts, memory, one.folder, one.record, anchors, foods=False)


def take_over(
    run: RunFolder, parts: Parts, step: StepPlan, memory: Memory | None
) -> Generator[Event, None, StepRecord | None]:
    """Let a clip of the earlier run become the clip of a step, if it would be made the same.

    The memory then holds the earlier steps that count before this step.

    Yields:
        `Conditioned`, if the clip is taken over.

    Returns:
        The record of the step, or None if it has to be made.

    Raises:
        OutputError: The folder cannot be written.
    """
    candidate = run.earlier.candidate(step.number)
    sha256 = "" if candidate is None else candidate.record.clip_sha256
    remember_earlier(run, parts, memory, step.number, sha256)
    if candidate is None:
        return None
    changes, _ = kept_changes(run, step.number)
    conditioning = conditioning_of(parts, step, memory, changes)
    if _is_same(run, parts, step, candidate, conditioning, changes):
        yield Conditioned(step.number, conditioning)
        yield from (Warned(message, step.number) for message in conditioning.warnings)
        return _taken(run, parts, step, memory, candidate, conditioning)
    if memory is not None:
        _go_on_with(candidate, parts, memory)
    return None


def _joined(source: RunFolder, plan: Plan, detour: Detour) -> list[tuple[Path, int, bool]]:
    """Return the folders of the finished earlier steps, each with the new step it counts before."""
    new = {shot.old: number for number, shot in enumerate(detour.shots, start=1) if shot.old}
    kept = {step.old for step in detour.steps if step.kind == "kept"}
    records = {step.number: source.read_step(step.number) for step in plan.steps}
    found: list[tuple[Path, int, bool]] = []
    for step in plan.steps:
        last = max((number for old, number in new.items() if old < step.number), default=0)
        before = new.get(step.number, last + 1)
        record = records[step.number]
        sha256 = "" if record is None else record.clip_sha256
        found += [(one.folder, before, False) for one in source.earlier.joined(step.number, sha256)]
        if record is not None:
            found.append((source.step_folder(step.number), before, step.number in kept))
    return found


def _changes(source: RunFolder, plan: Plan, detour: Detour) -> dict[int, StepChanges]:
    """Return what a person changed of each step that goes on, and the seed of its earlier clip."""
    seed = source.record.request.seed
    found = {}
    for number, shot in enumerate(detour.shots, start=1):
        if not shot.old:
            continue
        step, before = detour.plan.steps[number - 1], plan.steps[shot.old - 1]
        changes, _ = kept_changes(source, shot.old)
        record = source.read_record(shot.old)
        drawn = changes.seed if record is None else record.sampling.seed
        if drawn is None:
            drawn = step_seed(seed, shot.old)
        shown = {item.name for item in step.objects}
        changes = dataclasses.replace(
            changes,
            seed=None if drawn == step_seed(seed, number) else drawn,
            prompt=changes.prompt if same_shot(before, step) else None,
            chosen={name: crop for name, crop in changes.chosen.items() if name in shown},
            left_out=tuple(name for name in changes.left_out if name in shown),
            strengths={name: how for name, how in changes.strengths.items() if name in shown},
            attempt=0,
        )
        if not changes.empty:
            found[number] = changes
    return found


def _is_same(
    run: RunFolder,
    parts: Parts,
    step: StepPlan,
    candidate: EarlierStep,
    conditioning: Conditioning,
    changes: StepChanges,
) -> bool:
    """Return True if the step would be made as the earlier clip was."""
    record, request = candidate.record, run.record.request
    seed = step_seed(request.seed, step.number) if changes.seed is None else changes.seed
    slots = conditioning.slots
    last = run.read_record(step.number - 1)
    before = last.clip_sha256 if last and request.sampling.context_frames else ""
    same = (
        record.text == step.text
        and record.prompt == conditioning.prompt
        and record.sampling == dataclasses.replace(request.sampling, seed=seed)
        and dict(record.models) == dict(run.record.models)
        and record.lora == request.lora
        and record.before == before
        and [one.image_sha256 for one in record.references]
        == [pixels_sha256(slot.image) for slot in slots]
        and [(one.object_name, one.state, one.words, one.strength) for one in record.references]
        == [(slot.object_name, slot.state, slot.words, slot.strength) for slot in slots]
    )
    return same and is_whole(candidate, parts)


def is_whole(one: EarlierStep, parts: Parts) -> bool:
    """Return True if the clip, references and crops of an earlier step are the recorded ones."""
    try:
        if sha256_of(one.folder / CLIP) != one.record.clip_sha256:
            return False
    except OSError:
        return False
    files = all((one.folder / reference.file).is_file() for reference in one.record.references)
    return files and crops_are_whole(one.folder, parts, one.record)


def _taken(
    run: RunFolder,
    parts: Parts,
    step: StepPlan,
    memory: Memory | None,
    candidate: EarlierStep,
    conditioning: Conditioning,
) -> StepRecord:
    record = candidate.record
    seed = step_seed(run.record.request.seed, step.number)
    overrides = {k: v for k, v in record.overrides.items() if k not in ("seed", "attempt")}
    if record.sampling.seed != seed:
        overrides["seed"] = record.sampling.seed
    record = dataclasses.replace(
        record,
        step=step.number,
        references=references_of(step, conditioning.slots),
        missing=missing_objects(conditioning),
        warnings=conditioning.warnings,
        overrides=overrides,
        anchors=anchors_at(memory, step, conditioning) if memory else (),
        left_out=without_files(references_of(step, conditioning.left_out)),
        taken_from=record.taken_from or _origin(run, record),
    )
    with whole_folder(run.step_folder(step.number)) as folder:
        shutil.copytree(candidate.folder, folder, dirs_exist_ok=True)
        if (folder / CROPS).exists():
            _relabel(folder / CROPS, parts, source_id(run.record.run_id, step.number))
        write_json(folder / CONDITIONING, record.to_json())
    return record


def _origin(run: RunFolder, record: StepRecord) -> str:
    return source_id(str(read_json(run.path / DETOUR)["from"]), record.step)


def _relabel(folder: Path, parts: Parts, source: str) -> None:
    """Give the crops of a step that was taken over the source of their new step."""
    store = load_store(folder, parts.embedder)
    facts = [dataclasses.replace(fact, source_id=source) for fact in store.crops.facts]
    named = empty_store(store.name, parts.embedder)
    rows = with_rows(named, facts, store.crops.pictures, store.image_vectors, store.text_vectors)
    shutil.rmtree(folder)
    save_store(rows, folder)
