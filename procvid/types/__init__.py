"""Values of the stages: recipe -> plan -> slots -> conditioning -> clip -> run.

Every value is frozen. Images are uint8 (H, W, 3) RGB, frames uint8 (T, H, W, 3) RGB, boxes are
`(x0, y0, x1, y1)` in pixels with x1, y1 exclusive, times are seconds, scores are 0 to 1 and higher
is better unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from procvid.types.sampling import EXACT as EXACT
from procvid.types.sampling import AttentionKind as AttentionKind
from procvid.types.sampling import CacheKind as CacheKind
from procvid.types.sampling import Coherence as Coherence
from procvid.types.sampling import Sampling as Sampling
from procvid.types.sampling import Shortcuts as Shortcuts
from procvid.types.sampling import StepCache as StepCache

Image = NDArray[np.uint8]
Frames = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Samples = NDArray[np.float32]
BoxXYXY = tuple[float, float, float, float]

Likelihood = Literal["highly_likely", "likely", "unlikely"]
"""Probability that an object stays the same from step to step (paper, section 3.6)."""

ShotMode = Literal["auto", "one"]
"""How a recipe step becomes clips: one for each visible action, or one for the step."""

Role = Literal["vessel", "surface", "tool", "food"]
"""Role of an object; `surface` is the counter below all others."""


@dataclass(frozen=True)
class Recipe:
    """A title and its steps, in order; `notes` list what the parser skipped or guessed.

    Once a recipe is cut into shots (`procvid.plan.shots`), `steps` are the shots: `parents` gives
    the step of each shot, from 1, and `written` the steps as the recipe has them. Both are empty
    before.
    """

    title: str
    steps: tuple[str, ...]
    ingredients: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    written: tuple[str, ...] = ()

    @property
    def whole_steps(self) -> tuple[str, ...]:
        """The steps as the recipe has them, cut into shots or not."""
        return self.written or self.steps

    @property
    def has_shots(self) -> bool:
        """True if a step has several shots."""
        return len(self.steps) > len(self.whole_steps)


@dataclass(frozen=True)
class PlannedObject:
    """An object that a step shows, with its state before and after the step.

    `name` is canonical and singular ("carrot", "frying pan"); the same name in two steps is the
    same thing. States are adjectives such as "whole", "sliced", "fried"; vessels are "clean" or
    "in use". `importance` is 0 to 1 and orders the slots.
    """

    name: str
    role: Role
    description: str
    state_before: str
    state_after: str
    likelihood: Likelihood
    importance: float
    mentioned: bool = True
    since_step: int = 1


@dataclass(frozen=True)
class StepPlan:
    """One step: its raw text, the canonical action, its objects and the enhanced prompt.

    In a recipe that was cut into shots each shot is a step of the plan, and `recipe_step` is the
    number of its step in the recipe; 0 stands for the step's own number.
    """

    number: int
    text: str
    action: str
    objects: tuple[PlannedObject, ...]
    prompt: str
    recipe_step: int = 0


@dataclass(frozen=True)
class Plan:
    """The plan of a whole recipe; `planner` names its maker ("rules 1", "openai gpt-...")."""

    title: str
    steps: tuple[StepPlan, ...]
    planner: str
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[tuple[StepPlan, ...], ...]:
        """The shots of each step of the recipe, in order."""
        groups: dict[int, list[StepPlan]] = {}
        for step in self.steps:
            groups.setdefault(step.recipe_step or step.number, []).append(step)
        return tuple(tuple(group) for group in groups.values())

    @property
    def names(self) -> dict[int, str]:
        """Names for people by number: "3", or "3a", "3b" for the shots of step 3."""
        return {
            step.number: f"{step.recipe_step or step.number}{_letters(at) if len(group) > 1 else ''}"
            for group in self.groups
            for at, step in enumerate(group)
        }


def _letters(position: int) -> str:
    """Return a, b, ... z, aa, ab, ... for a position from 0."""
    letter = chr(ord("a") + position % 26)
    return letter if position < 26 else _letters(position // 26 - 1) + letter


@dataclass(frozen=True)
class SceneObject:
    """An object that a scene reader names in a clip (paper, section 3.6)."""

    name: str
    role: Role
    description: str
    state: str
    likelihood: Likelihood


@dataclass(frozen=True)
class StateChange:
    """A state of an object that differs between its last clip and the clip of this step."""

    name: str
    state_before: str
    state_after: str
    step: str


@dataclass(frozen=True)
class Verdict:
    """A judge's answer, with one sentence why."""

    explained: bool
    reason: str


@dataclass(frozen=True)
class TakeVerdict:
    """A score of a take, 0 to 1 or None if it cannot be judged, with one sentence why.

    `parts` are those of the score, each 0 to 1. `contradictions` are clauses such as "no pot is seen":
    how the take contradicts the plan.
    """

    value: float | None
    reason: str
    parts: Mapping[str, float] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True)
class TimedText:
    """Text with its time in a video: a subtitle cue, or a step."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, eq=False)
class Detection:
    """An object found in an image. `mask` is bool (H, W) over the whole image, or None."""

    box_xyxy: BoxXYXY
    label: str
    score: float
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Crop:
    """An object cut out of a clip, on white if it has a mask, with its provenance.

    `image` is None in a store that was published without pixels. `source_id` names the video or
    `run/step`; `detector_score` and `quality` are 0 to 1. `shows` names the other objects that lie
    inside the box, each as "name" or "name: state". A banned crop is kept and never retrieved.
    """

    id: str
    name: str
    role: Role
    description: str
    state: str
    likelihood: Likelihood
    source_id: str
    time_s: float
    box_xyxy: BoxXYXY
    detector_score: float
    quality: float
    image: Image | None
    licence: str = ""
    url: str = ""
    shows: tuple[str, ...] = ()
    banned: bool = False


@dataclass(frozen=True, eq=False)
class Hit:
    """A crop found in a memory, with its score, the parts of the score and the reason.

    `anchor_step` is the earlier step that first used the crop; 0 if none did.
    """

    crop: Crop
    score: float
    parts: dict[str, float]
    reason: str
    store: str
    anchor_step: int = 0


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The memory's answer for one planned object: a hit, or an abstention with its reason."""

    object_name: str
    wanted_state: str
    hit: Hit | None
    reason: str


@dataclass(frozen=True, eq=False)
class Slot:
    """One of at most four references: its number, its object and its words in the prompt.

    `licence` and `url` are those of the image, "" if unknown. `chosen` marks a crop that a person
    chose; its score means nothing. `anchor_step` is the earlier step that first used this image;
    0 if the slot uses it first. `strength`, 0 to 1, is how far the clip takes over its look.
    """

    number: int
    object_name: str
    words: str
    image: Image
    crop_id: str
    source_id: str
    state: str
    box_xyxy: BoxXYXY
    score: float
    origin: Literal["memory", "run", "upload"]
    licence: str = ""
    url: str = ""
    chosen: bool = False
    anchor_step: int = 0
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Conditioning:
    """The generator's input for one step, and the objects without a reference.

    `left_out` are the slots that a person left out. They do not guide the clip, but stay the anchors
    of later steps. `before` are frames of the clip before, if the clip is to see it, else None.
    """

    step: int
    prompt: str
    slots: tuple[Slot, ...]
    retrievals: tuple[Retrieval, ...]
    warnings: tuple[str, ...] = ()
    left_out: tuple[Slot, ...] = ()
    before: Frames | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """A generated clip; `memory` describes the placement in GPU memory, or is ""."""

    frames: Frames
    fps: int
    memory: str = ""


@dataclass(frozen=True)
class Denoised:
    """Progress of one clip: `step` of `total` denoising steps are done; `note` is for the user.

    `preview` is what the first frame would be if the rest of the noise were removed at once, uint8
    (H, W, 3) RGB; None without previews.
    """

    step: int
    total: int
    note: str = ""
    preview: Image | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ServiceUse:
    """Requests to a model behind an API, and tokens in and out."""

    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class ModelInfo:
    """Identity of a model: id, revision or sha256 of its weights, and how it runs."""

    id: str
    revision: str
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StepChanges:
    """Changes that a person made to one step. The defaults leave the step as planned.

    Attributes:
        seed: The step's own seed, instead of the one derived from the run's seed.
        prompt: Given to the generator word for word, instead of the enhanced prompt.
        uploads: Reference images, uint8 (H, W, 3) RGB, placed before those of the memory.
        shows: Name of the object that each upload shows; "" or a missing name lets CLIP decide.
        attempt: How often the step was redone with a derived seed.
        banned: Ids of crops that must not guide the step.
        chosen: Ids of crops to use, by object name.
        left_out: Names of objects that get no reference, unless a crop is chosen for them.
        strengths: How far the clip takes over the look of a reference, 0 to 1, by object name.
    """

    seed: int | None = None
    prompt: str | None = None
    uploads: tuple[Image, ...] = ()
    shows: tuple[str, ...] = ()
    attempt: int = 0
    banned: tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    strengths: Mapping[str, float] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Return True if nothing changes the clip, so that a redo needs a new seed."""
        images = self.uploads or self.banned or self.chosen or self.left_out or self.strengths
        return self.seed is None and self.prompt is None and not images


@dataclass(frozen=True)
class TakePolicy:
    """How many takes each step of a run gets. The best one becomes the clip of the step.

    While the best of `best_of` takes contradicts the plan, at most `repeats` more are made; 0 makes no
    check. `budget_s` are the seconds for all takes but the first of each step; None is no limit.
    `final_judge` decides between the two best takes: "openai", or "" for none.
    """

    best_of: int = 1
    repeats: int = 0
    budget_s: float | None = None
    final_judge: str = ""

    @property
    def several(self) -> bool:
        """Return True if a step can get more than one take."""
        return self.best_of > 1 or self.repeats > 0


@dataclass(frozen=True)
class GenerateRequest:
    """A request for a video; the same request with the same folder resumes.

    `shots` says how the steps become clips. A recipe that was cut before keeps its shots. `precise`
    keeps upstream's float32 layers in half precision; None is the profile's default.
    """

    recipe: Recipe
    sampling: Sampling
    profile: str
    memory: str = "default"
    planner: str = "auto"
    lora: tuple[str, ...] = ()
    precise: bool | None = None
    seed: int = 0
    shots: ShotMode = "auto"
    takes: TakePolicy = field(default_factory=TakePolicy)
