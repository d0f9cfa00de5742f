"""Make the finished examples: the video of each example recipe with the shipped models.

The repository holds them in `examples/finished`; `python -m lab.examples` writes them and the Space
takes them from there. What does not fit its recipe or the weights is made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from procvid.cli.screen import Bar
from procvid.events import Progress, RunFinished
from procvid.plan.recipe.parse import read_recipe
from procvid.run.examples import (
    Finished,
    FinishedExample,
    finished_of,
    recipe_sha256,
    write_finished,
)
from procvid.run.finish import record_of
from procvid.run.parts import Parts
from procvid.run.records import RunRecord
from procvid.run.story import make_video
from procvid.settings import TINY, choose_sampling
from procvid.settings.environment import read_environment
from procvid.types import GenerateRequest

CACHE = "finished"
"""Folder of the runs, in the cache folder."""


def generator_of(parts: Parts) -> str:
    """Return id and revision of the model that makes the clips."""
    return parts.models()["generator"]


def fitting(recipe: Path, parts: Parts, folder: Path | None = None) -> FinishedExample | None:
    """Return the finished example of a recipe if these weights and default steps made it, or None.

    Args:
        recipe: The recipe file.
        parts: The models.
        folder: Folder of the finished examples; default the one beside the recipe.
    """
    found = finished_of(recipe, parts.profile.name, folder)
    if found is None:
        return None
    steps = parts.profile.sampling.num_inference_steps
    facts = found.facts
    fits = facts.generator == generator_of(parts) and facts.denoising_steps == steps
    return found if fits else None


def make_finished(
    recipe: Path, parts: Parts, folder: Path, *, seed: int = 0, again: bool = False
) -> FinishedExample:
    """Return the finished example of a recipe, made in a folder if it does not fit.

    Args:
        recipe: The recipe file.
        parts: The models.
        folder: Folder of the finished examples.
        seed: Seed of the run.
        again: Write it even if it fits.
    """
    found = None if again else fitting(recipe, parts, folder)
    if found is not None:
        return found
    run, facts = finished_run(recipe, parts, seed=seed)
    return write_finished(recipe, run, facts, folder)


def finished_run(
    recipe: Path, parts: Parts, *, seed: int = 0, with_memory: bool = True
) -> tuple[Path, Finished]:
    """Make the run of an example in the cache folder, or find it there.

    Returns:
        The run folder, and its settings.
    """
    used = parts if with_memory else replace(parts, stores=None)
    request = GenerateRequest(
        recipe=read_recipe(recipe),
        sampling=choose_sampling(TINY, seed=seed),
        profile=TINY.name,
        memory="default" if with_memory else "none",
        seed=seed,
    )
    run = read_environment().cache_folder / CACHE / _key(record_of(request, used))
    bar, last = Bar(), None
    for event in make_video(request, used, run):
        if isinstance(event, Progress):
            text = f"example {recipe.name}, step {event.step}"
            bar.show(event.done / event.total, text, event.eta_s)
        last = event
    bar.clear()
    assert isinstance(last, RunFinished)
    return run, Finished(
        recipe_sha256(recipe),
        parts.profile.name,
        seed,
        request.sampling.num_inference_steps,
        len(last.clips),
        round(last.duration_s, 3),
        generator_of(parts),
    )


def _key(record: RunRecord) -> str:
    """Return a folder name that changes with the recipe, seed, models or memory."""
    identity = json.dumps(record.identity(), sort_keys=True)
    return f"{record.run_id}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
