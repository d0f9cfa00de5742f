"""A job becomes events: the whole run, what is missing of it, or one step of it again."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from procvid.events import Event
from procvid.run.parts import Parts
from procvid.run.story import make_video, regenerate_step
from procvid.settings import Profile, choose_sampling
from procvid.types import GenerateRequest, StepChanges
from procvid.ui.server.queue import Job


def request_of(job: Job, profile: Profile) -> GenerateRequest:
    """What is asked of the workflow.

    Raises:
        InputError: The profile cannot make such clips.
    """
    wishes = job.wishes
    return GenerateRequest(
        recipe=job.draft.recipe,
        sampling=choose_sampling(
            profile, num_inference_steps=wishes.steps, seed=wishes.seed, fast=wishes.fast
        ),
        profile=profile.name,
        memory=wishes.memory,
        lora=(wishes.lora,) if wishes.lora else (),
        seed=wishes.seed,
    )


def events_of(job: Job, parts: Parts, folder: Path) -> Generator[Event, None, None]:
    """Do the work; closing it keeps the finished steps.

    Args:
        job: What to do.
        parts: The models, with the memory that the job wishes.
        folder: Of the run.

    Raises:
        ProcvidError: As `make_video` and `regenerate_step`.
    """
    if job.again:
        changes = job.changes.get(job.again, StepChanges())
        return regenerate_step(folder, job.again, parts, changes)
    request = request_of(job, parts.profile)
    return make_video(request, parts, folder, plan=job.draft.plan, changes=job.changes)
