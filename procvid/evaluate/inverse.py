"""Inverse generation: clips made from the captions of a dataset, compared with the originals.

If the captions are good and the generator works, the clips resemble the originals; with the true
key frame they should resemble them more. Source: Xiao et al., Towards Long Narrative Video
Generation, 2024, section 3.3.1 and appendix C.1 (FVD 561.1 without and 116.3 with key frames).

Clips and measures are stored in the output folder. After an interruption, the same command makes
only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.evaluate.inverse_clips import (
    BRANCHES,
    CaptionedClip,
    InverseItem,
    InverseJob,
    InverseTools,
    KeyFrame,
    clip_place,
    make_and_measure,
)
from procvid.machine.spread import Spread
from procvid.storage.atomic import replacing
from procvid.storage.files import read_json, write_json
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.words import caption
from procvid.types import Sampling

SETTINGS = "inverse.json"
TABLE_JSON = "table.json"
MEASURES = "measures.npz"
MAX_CLIPS = 10_000
DEFAULT_LIMIT = 50


@dataclass(frozen=True)
class InverseStep:
    """One clip is done: `done` of `total`.

    `reused` marks a clip of an earlier run, which come first. `fault` is why it is left out, or "".
    `eta_s` is None until the first new clip is made.
    """

    clip: str
    done: int
    total: int
    eta_s: float | None
    reused: bool = False
    fault: str = ""


@dataclass(frozen=True, eq=False)
class InverseFinished:
    """The last event: the measured clips, and the reason for each that is left out, by id."""

    items: Mapping[str, InverseItem]
    faults: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class InverseGeneration:
    """The clips, the settings and the workers.

    Attributes:
        clips: All clips of the dataset.
        limit: How many of them are used, drawn by the seed; more than there are means all.
        sampling: Sampling of the clips; its seed is that of the draw too.
        key_frame: How the key frame is given.
        kinds: The Fréchet distances to measure.
        tools: The models of this process.
        spread: The workers, which build the same models.
        lora: LoRAs of the generator, for the record.
    """

    clips: tuple[CaptionedClip, ...]
    limit: int
    sampling: Sampling
    key_frame: KeyFrame
    kinds: tuple[str, ...]
    tools: InverseTools
    spread: Spread[InverseTools]
    lora: tuple[str, ...] = ()

    @property
    def chosen(self) -> tuple[tuple[int, CaptionedClip], ...]:
        """The clips that are used, with their numbers from 1. A larger limit adds to them."""
        order = np.random.default_rng(self.sampling.seed).permutation(len(self.clips))
        return tuple((int(at) + 1, self.clips[at]) for at in sorted(order[: self.limit]))

    def settings(self) -> dict[str, Any]:
        """Return what decides the clips, for the record and for resuming."""
        digest = hashlib.sha256()
        for clip in self.clips:
            facts = [clip.id, clip.caption, clip.start_s, clip.end_s, clip.toy]
            digest.update(json.dumps(facts).encode("utf-8", "replace"))
        generator, sampling = self.tools.generator.info, self.sampling
        return {
            "dataset": digest.hexdigest(),
            "profile": self.tools.profile.name,
            "generator": f"{generator.id} {generator.revision}".strip(),
            "lora": list(self.lora),
            "seed": sampling.seed,
            "key frame": self.key_frame,
            "size": f"{sampling.width}x{sampling.height}",
            "frames": sampling.num_frames,
            "denoising steps": sampling.num_inference_steps,
            "shortcuts": sampling.shortcuts.summary or "none",
        }

    def run(self, folder: Path) -> Iterator[InverseStep | InverseFinished]:
        """Make and measure the missing clips in `folder`.

        Raises:
            InputError: There is no clip, or too many, or the folder holds other settings.
            UnavailableError: A model is not available, or a worker was lost.
            OutputError: The folder cannot be written.
        """
        if not self.clips:
            raise InputError("The dataset has no clip with a caption.", "Give another dataset.")
        if not 1 <= self.limit <= MAX_CLIPS:
            raise InputError(
                f"--limit {self.limit} is out of range.", f"Choose 1 to {MAX_CLIPS:,}."
            )
        folder, chosen = folder.resolve(), self.chosen
        check_settings(folder, self.settings())
        backbones = self.tools.backbones(self.kinds)
        items: dict[str, InverseItem] = {}
        faults: dict[str, str] = {}
        for _, clip in chosen:
            known = read_item(clip_place(folder, clip) / MEASURES, backbones)
            if known is not None:
                items[clip.id] = known
                yield InverseStep(clip.id, len(items), len(chosen), None, reused=True)
        jobs = (
            InverseJob(folder, number, clip, self.sampling, self.key_frame, self.kinds)
            for number, clip in chosen
            if clip.id not in items
        )
        tools = self.tools if self.spread.is_here else None
        started_s = time.monotonic()
        results = self.spread.run(make_and_measure, jobs, tools)
        for made, (job, item) in enumerate(results, start=1):
            if isinstance(item, ProcvidError):
                raise item
            place = clip_place(folder, job.clip)
            if item.fault:
                faults[job.clip.id] = item.fault
            elif not (place / "with.mp4").is_file():
                raise UnavailableError(
                    f"A worker wrote {str(place)!r}, which this machine does not see.",
                    "Choose a folder that all machines share at the same path.",
                )
            else:
                write_item(place / MEASURES, item)
                items[job.clip.id] = item
            done = len(items) + len(faults)
            eta_s = (time.monotonic() - started_s) / made * (len(chosen) - done)
            yield InverseStep(job.clip.id, done, len(chosen), eta_s, fault=item.fault)
        ordered = {clip.id: items[clip.id] for _, clip in chosen if clip.id in items}
        yield InverseFinished(ordered, faults)


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings into a new folder, or check that they are those of the folder.

    Raises:
        InputError: The folder holds an inverse generation with other settings, or other results.
        OutputError: The folder cannot be written.
    """
    file = folder / SETTINGS
    if not file.is_file():
        if (folder / TABLE_JSON).exists():
            raise InputError(
                f"The folder {str(folder)!r} holds the table of another command.",
                "Choose another output folder.",
            )
        write_json(file, dict(settings))
        return
    try:
        before = read_json(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The file {str(file)!r} cannot be read.", "Choose another output folder."
        ) from error
    for key, value in settings.items():
        if before.get(key) != value:
            what = "another dataset" if key == "dataset" else f"{key} {before.get(key)!r}"
            wanted = "" if key == "dataset" else f", not {value!r}"
            raise InputError(
                f"The folder {str(folder)!r} holds an inverse generation with {what}{wanted}.",
                "Use the same options, or choose another output folder.",
            )


def write_item(file: Path, item: InverseItem) -> None:
    """Write the measures of a clip; the same measures give the same bytes. Raises OutputError."""
    facts = json.dumps(dict(item.facts), ensure_ascii=False)
    arrays: dict[str, Any] = {**item.arrays, "facts": np.array(facts)}
    with replacing(file) as temporary, temporary.open("wb") as out:
        np.savez(out, **arrays)


def read_item(file: Path, backbones: Mapping[str, str]) -> InverseItem | None:
    """Return the measures of a clip; None if they are missing, damaged or of other models."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
        facts = json.loads(str(arrays.pop("facts")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if facts.get("backbones") != dict(backbones):
        return None
    wanted = {f"{branch}.{kind}" for branch in BRANCHES for kind in [*backbones, "motion"]}
    return InverseItem(arrays, facts) if wanted <= arrays.keys() else None


def toy_clips(count: int) -> tuple[CaptionedClip, ...]:
    """Return clips of the test kitchen with their captions, one of each held-out recipe."""
    clips = []
    for seed in range(HELD_OUT, HELD_OUT + count):
        steps = random_recipe(seed).steps
        number = int(np.random.default_rng(seed).integers(len(steps))) + 1
        name = f"toy-{seed - HELD_OUT:04d}"
        scene = steps[number - 1].scene
        clips.append(CaptionedClip(name, name, caption(scene), toy=(seed, number)))
    return tuple(clips)
