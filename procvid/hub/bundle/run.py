"""Bundle a finished run in the layout of a run folder, so that `evaluate` can read it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.options import LICENCE_HINT, BundleOptions
from procvid.hub.bundle.sources import Source, add_scores, read_object, versions_of
from procvid.hub.bundle.write import write_bundle
from procvid.hub.cards import run_card
from procvid.hub.release import MAX_FILES, Release
from procvid.run.folder import (
    CAPTIONS,
    CLIP,
    CONDITIONING,
    PLAN,
    RUN,
    VIDEO,
    RunFolder,
    read_run,
)
from procvid.run.records import ReferenceRecord, RunRecord

OF_THE_RUN = "the run's own clips"
DEFAULT_STORE_LICENCE = "Apache-2.0"


def bundle_run(folder: Path, out: Path, options: BundleOptions) -> Release:
    """Bundle a finished run.

    Args:
        folder: The run folder.
        out: The bundle's folder; must not exist.
        options: Options of the publisher.

    Raises:
        RunError: The folder holds no run.
        InputError: The run is not finished, or has reference images without a licence.
        OutputError: `out` cannot be written.
    """
    record = read_run(folder)
    run = RunFolder(folder, record)
    numbers = range(1, len(record.request.recipe.steps) + 1)
    steps = {number: run.read_step(number) for number in numbers}
    if not (folder / VIDEO).is_file() or None in steps.values():
        raise InputError(
            "The run is not finished.", "Run the same `procvid generate` command again first."
        )
    sources: dict[str, Source] = {
        name: folder / name for name in (PLAN, VIDEO, CAPTIONS) if (folder / name).is_file()
    }
    sources[RUN] = _without_folders(folder / RUN)
    licences: Counter[str] = Counter()
    for number, step in steps.items():
        place = run.step_folder(number)
        inside = place.relative_to(folder).as_posix()
        sources[f"{inside}/{CLIP}"] = place / CLIP
        sources[f"{inside}/{CONDITIONING}"] = _without_folders(place / CONDITIONING)
        for reference in step.references if step and not options.no_pixels else ():
            licences[_licence_of(reference, record, options)] += 1
            file = place / reference.file
            sources[file.relative_to(folder).as_posix()] = file
    if licences[""] and not options.without_licence:
        raise InputError(
            f"{licences['']} reference images of the run have no licence.", LICENCE_HINT
        )
    if len(sources) + 3 > MAX_FILES:
        raise InputError(
            f"The run has {len(sources)} files; a release holds at most {MAX_FILES}.",
            "Leave the reference images out with --no-pixels.",
        )
    scores = add_scores(folder, options, sources, run=folder)
    facts = {
        "counts": {
            "clips": len(steps),
            "references": sum("/references/" in name for name in sources),
        },
        "reference_licences": {
            name or "unknown": count for name, count in licences.items() if count
        },
        "profile": record.request.profile,
        "seed": record.request.seed,
        "models": dict(record.models),
        "stores": dict(record.stores),
        "recipe": list(record.request.recipe.steps),
        "ai_generated": True,
    }
    return write_bundle(
        out,
        "run",
        sources,
        name=record.request.recipe.title or record.run_id,
        licence=options.licence,
        rights="",
        facts=facts,
        versions=versions_of("av", "torch"),
        card=lambda release: run_card(release, options.target, scores),
    )


def _licence_of(reference: ReferenceRecord, record: RunRecord, options: BundleOptions) -> str:
    """Return the licence of a reference image; "" if it is unknown."""
    if reference.origin == "run":
        return OF_THE_RUN
    # Old runs did not record licences; the store that comes with procvid has a known one.
    ours = reference.origin == "memory" and record.request.memory == "default"
    return reference.licence or (DEFAULT_STORE_LICENCE if ours else options.licence)


def _without_folders(file: Path) -> bytes:
    """Return a record of a run with the names of stores and LoRAs instead of their local paths."""
    record = read_object(file)
    request = record.get("request", {})
    for part in (record, request):
        if "lora" in part:
            part["lora"] = [str(name).rpartition("/")[2] for name in part["lora"] or ()]
    if str(request.get("memory", "")).startswith(("/", "~")):
        request["memory"] = request["memory"].rstrip("/").rpartition("/")[2]
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
