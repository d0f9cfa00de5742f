"""Records, events and the end of a run, shared by making a video and choosing a take."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from procvid.events import Event, Progress, RunFinished, Warned
from procvid.plan.shots import cut_into_shots, mode_of
from procvid.run.assemble import assemble
from procvid.run.folder import CAPTIONS, CLIP, VIDEO, RunFolder
from procvid.run.parts import Parts
from procvid.run.records import RunRecord, StepRecord, policy_words
from procvid.run.restore import packed_plan
from procvid.run.step import crops_are_whole
from procvid.run.takes import scores_of_takes, takes_json
from procvid.types import EXACT, GenerateRequest, Plan


def record_of(request: GenerateRequest, parts: Parts, planner: str | None = None) -> RunRecord:
    """Return the record of this request with these models."""
    resolved = dataclasses.replace(
        request,
        recipe=cut_into_shots(request.recipe, request.shots),
        profile=parts.profile.name,
        planner=planner or parts.planner.info.id,
        sampling=dataclasses.replace(request.sampling, seed=request.seed),
    )
    return RunRecord(
        request=resolved,
        models=parts.models(),
        stores=parts.store_hashes(),
        versions=parts.versions,
        memory_rule=parts.memory_rule,
    )


def clip_file(run: RunFolder, number: int) -> str:
    """Return a step's clip, relative to the run folder."""
    return run.relative(run.step_folder(number) / CLIP)


def logged(run: RunFolder, story: Generator[Event, None, None]) -> Generator[Event, None, None]:
    """Yield the events of a story and write all but the progress to the log."""
    with closing(story):
        for event in story:
            if not isinstance(event, Progress):
                run.append_event(event)
            yield event


def finished_steps(run: RunFolder, parts: Parts, plan: Plan) -> dict[int, StepRecord]:
    """Return the finished steps; a step with a damaged clip or crops is not finished."""
    read = {step.number: run.read_step(step.number) for step in plan.steps}
    return {
        number: record
        for number, record in read.items()
        if record is not None and crops_are_whole(run.step_folder(number), parts, record)
    }


def write_progress(
    run: RunFolder,
    plan: Plan,
    records: Mapping[int, StepRecord],
    duration_s: float | None = None,
) -> None:
    """Write `run.json` with the finished steps and the kept takes. Raise OutputError on failure."""
    takes = {step.number: takes_json(run, step.number) for step in plan.steps}
    run.write_state(records, len(plan.steps), duration_s, takes)


def crop_notes(records: Mapping[int, StepRecord]) -> tuple[str, ...]:
    """Return a note if all crops of a run with several steps were refused, else ()."""
    refused = sum(len(record.refused) for record in records.values())
    if len(records) < 2 or not refused or any(record.crops for record in records.values()):
        return ()
    return (
        f"None of the {refused} images cut from this run's clips passed the checks, so no clip is "
        "guided by an earlier one. The steps' conditioning.json has the reasons.",
    )


def end_of_redo(
    run: RunFolder, plan: Plan, records: Mapping[int, StepRecord]
) -> Generator[Event, None, None]:
    """Warn about the stale steps, and join the video again if all steps are finished."""
    stale = run.stale_steps(records)
    warnings: list[str] = []
    if stale:
        listed = ", ".join(plan.names[n] for n in stale)
        which = f"Step {listed} still shows" if len(stale) == 1 else f"Steps {listed} still show"
        warning = (
            f"{which} objects as they were before. "
            "Run the same `procvid generate` command to redo this."
        )
        warnings.append(warning)
        yield Warned(warning, kind="stale")
    if len(records) == len(plan.steps):
        yield run_finished(run, plan, join_video(run, plan, records), warnings)


def join_video(run: RunFolder, plan: Plan, records: Mapping[int, StepRecord]) -> float:
    """Join the clips into the video, note it in `run.json`, and return its length in seconds."""
    changed = [plan.names[n] for n, record in sorted(records.items()) if record.overrides]
    provenance = {
        "run": run.record.run_id,
        "seed": str(run.record.request.seed),
        "planner": plan.planner,
        "request": json.dumps(_request_settings(run.record.request)),
        "plan": packed_plan(plan),
        **({"changed_steps": ", ".join(changed)} if changed else {}),
        **_takes_settings(run, plan),
        **run.record.models,
    }
    clips = [run.step_folder(step.number) / CLIP for step in plan.steps]
    texts = run.record.request.recipe.whole_steps
    duration_s = assemble(plan, texts, clips, run.path / VIDEO, run.path / CAPTIONS, provenance)
    write_progress(run, plan, records, duration_s)
    return duration_s


def _takes_settings(run: RunFolder, plan: Plan) -> dict[str, str]:
    """Return the takes of each step with their scores, if the run makes several per step."""
    policy = run.record.request.takes
    if not policy.several:
        return {}
    takes = {name: scores_of_takes(run, number) for number, name in plan.names.items()}
    return {"take_policy": policy_words(policy), "takes": json.dumps(takes)}


def _request_settings(request: GenerateRequest) -> dict[str, Any]:
    """Return the settings that make such a video again, without private paths."""
    others = {
        "other_memory": request.memory not in ("default", "none"),
        "lora": bool(request.lora),
    }
    return {
        "title": request.recipe.title,
        "steps": list(request.recipe.whole_steps),
        "ingredients": list(request.recipe.ingredients),
        "shots": mode_of(request.recipe),
        "seed": request.seed,
        "memory": "none" if request.memory == "none" else "default",
        "denoising_steps": request.sampling.num_inference_steps,
        "fast": request.sampling.shortcuts != EXACT,
        "size": f"{request.sampling.width}x{request.sampling.height}",
        "frames": request.sampling.num_frames,
        **({"takes": dataclasses.asdict(request.takes)} if request.takes.several else {}),
        **{key: True for key, given in others.items() if given},
    }


def run_finished(
    run: RunFolder,
    plan: Plan,
    duration_s: float,
    warnings: Sequence[str],
    *,
    nothing_to_do: bool = False,
) -> RunFinished:
    """Return the last event of a run."""
    return RunFinished(
        run_id=run.record.run_id,
        folder=str(run.path),
        video=VIDEO,
        captions=CAPTIONS,
        clips=tuple(clip_file(run, step.number) for step in plan.steps),
        duration_s=duration_s,
        nothing_to_do=nothing_to_do,
        warnings=tuple(warnings),
    )
