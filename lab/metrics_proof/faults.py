"""Plant faults in toy recipes, in doses from 0 (none) to 1 (full).

A fault changes the frames, never the texts, the plan or the references, which describe the correct
clip. The recipe's seed determines which clips are hit first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from procvid.evaluate.inputs import ClipInput, Reference, RunInput
from procvid.media.image import crop_on_white, resize
from procvid.media.keying import foreground_mask
from procvid.toykitchen.brush import blend
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import RGB, VESSELS, ToyKitchen, random_kitchen
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import FPS, Rendered, render
from procvid.toykitchen.scene import PRODUCES, Scene
from procvid.types import BoxXYXY, Frames, Image, Plan, Recipe

WHITE = 250


@dataclass(frozen=True, eq=False)
class Toy:
    """A toy recipe with its plan and true clips; recipe `index` of `count` in the proof."""

    recipe: ToyRecipe
    plan: Plan
    clips: tuple[Rendered, ...]
    index: int
    count: int

    @property
    def scenes(self) -> list[Scene]:
        """Scene of each step."""
        return [step.scene for step in self.recipe.steps]

    def order(self, salt: int, among: list[int]) -> list[int]:
        """Return the steps (from 0) in the order in which a fault hits them."""
        rng = np.random.default_rng([self.recipe.seed, salt])
        return [among[i] for i in rng.permutation(len(among))]

    def references(self) -> list[tuple[Reference, ...]]:
        """Return for each step the crop of its vessel from the first clip that showed it."""
        first: dict[str, Reference] = {}
        found: list[tuple[Reference, ...]] = []
        for number, (scene, clip) in enumerate(zip(self.scenes, self.clips, strict=True), start=1):
            name = scene.vessel
            found.append((first[name],) if name in first else ())
            if name not in first and name in VESSELS:
                frame, box = clip.frames[-1], clip.boxes[-1][name]
                crop = crop_on_white(frame, box, foreground_mask(frame))
                first[name] = Reference(name, crop, f"truth/{number:02d}")
        return found


Fault = Callable[[Toy, float], list[Frames]]
"""Maps a recipe and a dose to the frames of each step with the fault."""


def run_of(toy: Toy, frames: list[Frames], name: str) -> RunInput:
    """Return faulty clips with the true texts, plan and references."""
    clips = tuple(
        ClipInput(number, frames=each, fps=FPS, references=references)
        for number, (each, references) in enumerate(
            zip(frames, toy.references(), strict=True), start=1
        )
    )
    steps = tuple(step.text for step in toy.recipe.steps)
    return RunInput(name, clips, Recipe(toy.recipe.title, steps), toy.plan)


def truth(toy: Toy) -> list[Frames]:
    """Return the true clips."""
    return [clip.frames for clip in toy.clips]


def drawn_again(toy: Toy, dose: float) -> list[Frames]:
    """Draw every clip again with other small shifts: no fault, so a change of a metric is noise."""
    if dose == 0:
        return truth(toy)
    return [
        render(replace(scene, seed=scene.seed ^ 0x5A5A5A), toy.recipe.kitchen).frames
        for scene in toy.scenes
    ]


def identities_swapped(toy: Toy, dose: float) -> list[Frames]:
    """Change the kitchen at a share of the joints, counted from the last: later clips each get a new
    one."""
    frames = truth(toy)
    joints = len(frames) - 1
    for step in range(len(frames) - round(dose * joints), len(frames)):
        other = random_kitchen(np.random.default_rng([toy.recipe.seed, step, 11]))
        frames[step] = render(toy.scenes[step], other).frames
    return frames


def recoloured_midway(toy: Toy, dose: float) -> list[Frames]:
    """Shift the colours of vessel and counter from the middle of every clip on."""
    if dose == 0:
        return truth(toy)
    other = random_kitchen(np.random.default_rng([toy.recipe.seed, 12]))
    kitchen = _towards(toy.recipe.kitchen, other, dose)
    frames = []
    for scene, clip in zip(toy.scenes, toy.clips, strict=True):
        late = render(scene, kitchen).frames
        middle = len(late) // 2
        frames.append(np.concatenate([clip.frames[:middle], late[middle:]]))
    return frames


def frozen(toy: Toy, dose: float, place: float = 1.0) -> list[Frames]:
    """Freeze a share of the clips at their last frame, or at another place (0 is the first)."""
    frames = truth(toy)
    for step in _hit(toy, 3, list(range(len(frames))), dose):
        still = frames[step][round(place * (len(frames[step]) - 1))]
        frames[step] = np.repeat(still[None], len(frames[step]), axis=0)
    return frames


def steps_shuffled(toy: Toy, dose: float) -> list[Frames]:
    """Rotate the order of a share of the clips before the last."""
    frames = truth(toy)
    places = _hit(toy, 4, list(range(len(frames) - 1)), dose)
    if len(places) < 2:
        return frames
    moved = [frames[place] for place in [*places[1:], places[0]]]
    for place, clip in zip(places, moved, strict=True):
        frames[place] = clip
    return frames


def wrong_dish(toy: Toy, dose: float) -> list[Frames]:
    """Show another, whole food in the last clip of a share of the recipes."""
    frames = truth(toy)
    if toy.index < round(dose * toy.count):
        used = {scene.food_name for scene in toy.scenes}
        others = [food for food in FOODS if food not in used]
        rng = np.random.default_rng([toy.recipe.seed, 5])
        last = toy.scenes[-1].showing(str(rng.choice(others)), "whole")
        frames[-1] = render(last, toy.recipe.kitchen).frames
    return frames


def wrong_clips(toy: Toy, dose: float) -> list[Frames]:
    """Show a step of another recipe in a share of the clips of all recipes together.

    A clip that is wrong in one dose is the same in every larger one.
    """
    frames = truth(toy)
    order = toy.order(9, list(range(len(frames))))
    for rank, step in enumerate(order):
        if (rank + (toy.index + 0.5) / toy.count) / len(order) >= dose:
            continue
        rng = np.random.default_rng([toy.recipe.seed, step, 10])
        true = toy.scenes[step]
        other = true
        while (other.action, other.food_name) == (true.action, true.food_name):
            scenes = random_recipe(HELD_OUT + int(rng.integers(10**6, 2 * 10**6))).steps
            other = scenes[int(rng.integers(len(scenes)))].scene
        frames[step] = render(other, toy.recipe.kitchen).frames
    return frames


def state_backwards(toy: Toy, dose: float) -> list[Frames]:
    """Show whole food in a share of the clips with cut or cooked food."""
    frames = truth(toy)
    cut = [
        i
        for i, s in enumerate(toy.scenes)
        if s.state_before != "whole" and s.action not in PRODUCES
    ]
    for step in _hit(toy, 6, cut, dose):
        scene = toy.scenes[step].showing(state="whole")
        frames[step] = render(scene, toy.recipe.kitchen).frames
    return frames


def reference_pasted(toy: Toy, dose: float, size: float = 1.0, jitter: int = 0) -> list[Frames]:
    """Paste the reference over its object in a share of the clips that have one; `size` scales it
    and `jitter` shifts it by up to this many pixels."""
    frames, references = truth(toy), toy.references()
    with_one = [step for step, each in enumerate(references) if each]
    for step in _hit(toy, 7, with_one, dose):
        vessel = toy.scenes[step].vessel
        boxes = [boxes[vessel] for boxes in toy.clips[step].boxes]
        rng = np.random.default_rng([toy.recipe.seed, step, 8])
        image = references[step][0].image
        assert image is not None
        frames[step] = np.stack(
            [
                pasted(frame, image, grown(box, size, rng.integers(-jitter, jitter + 1, 2)))
                for frame, box in zip(frames[step], boxes, strict=True)
            ]
        )
    return frames


def _hit(toy: Toy, salt: int, among: list[int], dose: float) -> list[int]:
    return toy.order(salt, among)[: round(dose * len(among))]


def _towards(kitchen: ToyKitchen, other: ToyKitchen, share: float) -> ToyKitchen:
    vessels = {
        name: replace(look, rgb=_moved(look.rgb, other.vessels[name].rgb, share))
        for name, look in kitchen.vessels.items()
    }
    counter = replace(
        kitchen.counter,
        rgb=_moved(kitchen.counter.rgb, other.counter.rgb, share),
        second=_moved(kitchen.counter.second, other.counter.second, share),
    )
    return replace(kitchen, vessels=vessels, counter=counter)


def _moved(rgb: RGB, other: RGB, share: float) -> RGB:
    """Move towards the other colour, or towards the negative if the two are similar."""
    if sum(abs(a - b) for a, b in zip(rgb, other, strict=True)) < 120:
        other = (255 - rgb[0], 255 - rgb[1], 255 - rgb[2])
    return blend(rgb, other, share)


def grown(box: BoxXYXY, size: float, by: np.ndarray) -> BoxXYXY:
    """Return a box scaled about its centre and moved by (x, y)."""
    x, y = (box[0] + box[2]) / 2 + by[0], (box[1] + box[3]) / 2 + by[1]
    across, up = size * (box[2] - box[0]) / 2, size * (box[3] - box[1]) / 2
    return (x - across, y - up, x + across, y + up)


def pasted(frame: Image, reference: Image, box: BoxXYXY) -> Image:
    """Return the frame with the non-white pixels of the reference pasted over a box, clipped."""
    height, width = frame.shape[:2]
    x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
    x1, y1 = int(np.ceil(box[2])), int(np.ceil(box[3]))
    small = resize(reference, max(1, x1 - x0), max(1, y1 - y0))
    small = small[max(0, -y0) : height - y0, max(0, -x0) : width - x0]
    top, left = max(0, y0), max(0, x0)
    out = frame.copy()
    visible = (small < WHITE).any(axis=2)
    out[top : top + small.shape[0], left : left + small.shape[1]][visible] = small[visible]
    return out
