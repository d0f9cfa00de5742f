"""`python -m lab.coached --out FOLDER`: measure the coach on clips with planted mistakes.

Each clip is a step of a held-out toy recipe, filmed in another kitchen: as the recipe says, with one
planted mistake, or of no step at all. Prints how often the right step ranks first, how often the coach
abstains, and precision and recall of its remarks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lab.command import count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.differences.coach import coach
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.plan.rules import plan_recipe
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.lock import output_folder
from procvid.toykitchen.dataset import NATURAL_STATES, random_scene
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import VESSELS, ToyKitchen, random_kitchen
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import Scene, item
from procvid.types import Plan, Recipe
from procvid.wiring.differences import build_coach

FIRST_SEED = HELD_OUT + 90_000
FPS = 8
KINDS = ("none", "food", "cut", "heat", "state", "vessel", "no step")
CATEGORY = {
    "food": "ingredients",
    "cut": "techniques",
    "heat": "techniques",
    "state": "ingredients",
    "vessel": "tools",
}
"""Category of the remark that a planted mistake should get."""

OTHER_CUT = {"slice": "dice", "dice": "slice"}
OTHER_HEAT = {"fry": "boil", "boil": "bake", "bake": "fry"}


@dataclass(frozen=True)
class CoachedClip:
    """A clip with its truth: what was planted, and the number of its step (0 for none)."""

    kind: str
    plan: Plan
    step: int
    scene: Scene
    kitchen: ToyKitchen


def planted(
    rng: np.random.Generator, recipe: ToyRecipe, plan: Plan, kind: str
) -> CoachedClip | None:
    """Return a clip of a random step with a mistake; None if no step can have it."""
    kitchen = random_kitchen(rng, "test")
    if kind == "no step":
        return CoachedClip(kind, plan, 0, _foreign(rng, plan), kitchen)
    places = [
        k
        for k, step in enumerate(recipe.steps)
        if step.scene.food is not None and step.scene.food.name in FOODS
    ]
    for place in rng.permutation(places):
        scene = replace(recipe.steps[place].scene, seed=int(rng.integers(2**31)))
        changed = _changed(rng, scene, plan, kind)
        if changed is not None:
            return CoachedClip(kind, plan, int(place) + 1, changed, kitchen)
    return None


def _changed(rng: np.random.Generator, scene: Scene, plan: Plan, kind: str) -> Scene | None:
    assert scene.food is not None
    match kind:
        case "food":
            others = [food for food in FOODS if food not in _foods(plan)]
            return replace(scene, food=replace(scene.food, name=str(rng.choice(others))))
        case "cut":
            other = OTHER_CUT.get(scene.action)
        case "heat":
            other = OTHER_HEAT.get(scene.action)
        case "state":
            states = [s for s in NATURAL_STATES[scene.action] if s != scene.food.state]
            states = [s for s in states if s != "peeled"]
            if not states:
                return None
            return replace(scene, food=item(scene.food.name, str(rng.choice(states))))
        case "vessel":
            vessels = [vessel for vessel in VESSELS if vessel != scene.vessel]
            return replace(scene, vessel=str(rng.choice(vessels)))
        case _:
            return scene
    return None if other is None else replace(scene, action=other)


def _foods(plan: Plan) -> set[str]:
    return {o.name for step in plan.steps for o in step.objects if o.role == "food"}


def _foreign(rng: np.random.Generator, plan: Plan) -> Scene:
    """Return a scene without any food of the recipe."""
    while True:
        scene = random_scene(rng)
        names = {scene.food_name, *(other.name for other in scene.others)}
        if scene.food_name in FOODS and not names & _foods(plan):
            return scene


def clips(amount: int, seed: int) -> list[CoachedClip]:
    """Return clips of held-out recipes, each kind in turn."""
    rng = np.random.default_rng(seed)
    found: list[CoachedClip] = []
    number = FIRST_SEED
    while len(found) < amount:
        recipe = random_recipe(number)
        plan = plan_recipe(Recipe(recipe.title, tuple(step.text for step in recipe.steps)))
        kind = KINDS[len(found) % len(KINDS)]
        number += 1
        if len(plan.steps) != len(recipe.steps):
            continue
        clip = planted(rng, recipe, plan, kind)
        if clip is not None:
            found.append(clip)
    return found


def measured(amount: int, seed: int) -> dict[str, object]:
    """Return the counts of the coach on clips with planted mistakes."""
    comparer, reader = build_coach(TINY)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for clip in clips(amount, seed):
        frames = render(clip.scene, clip.kitchen).frames
        shown = ClipInput(1, frames=frames, fps=FPS)
        none = RunInput("run", (), plan=clip.plan)
        free = coach(none, clip.plan, shown, comparer, reader)
        tally = counts[clip.kind]
        tally["clips"] += 1
        tally["abstained"] += free.step == 0
        tally["first"] += bool(clip.step) and free.guesses[0].number == clip.step
        tally["taken"] += bool(clip.step) and free.step == clip.step
        if not clip.step:
            continue
        named = coach(none, clip.plan, shown, comparer, reader, clip.step)
        wanted = CATEGORY.get(clip.kind)
        foods = {clip.scene.food_name, *(o.name for o in clip.plan.steps[clip.step - 1].objects)}
        right = [
            r
            for r in named.remarks
            if r.difference.category == wanted
            and (wanted != "ingredients" or r.difference.subject in foods)
        ]
        tally["found"] += bool(right)
        tally["remarks"] += len(named.remarks)
        tally["right remarks"] += len(right)
        tally["clips with a false remark"] += len(named.remarks) > len(right)
        tally["mistakes"] += sum(r.meaning == "mistake" for r in right)
    return {"clips": amount, "seed": seed, "by kind": {k: dict(v) for k, v in counts.items()}}


def table(found: dict[str, object]) -> str:
    """Return the counts as a table."""
    by_kind = found["by kind"]
    assert isinstance(by_kind, dict)
    steps = [by_kind[kind] for kind in KINDS if kind != "no step"]
    plants = [by_kind[kind] for kind in CATEGORY]

    def total(rows: Sequence[dict[str, int]], key: str) -> int:
        return sum(row.get(key, 0) for row in rows)

    lines = [
        "| planted | clips | right step first | abstained | found | remarks | of them planted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        row = by_kind[kind]
        cells = [row.get(key, 0) for key in ("clips", "first", "abstained", "found", "remarks")]
        lines.append(f"| {kind} | {' | '.join(map(str, cells))} | {row.get('right remarks', 0)} |")
    n = total(steps, "clips")
    lines += [
        "",
        f"Right step first: {total(steps, 'first')} of {n}. Abstained on clips of no step: "
        f"{by_kind['no step']['abstained']} of {by_kind['no step']['clips']}, on others: "
        f"{total(steps, 'abstained')} of {n}. Planted mistakes: precision "
        f"{total(plants, 'right remarks') / max(1, total(steps, 'remarks')):.2f}, recall "
        f"{total(plants, 'found') / max(1, total(plants, 'clips')):.2f}.",
    ]
    return "\n".join(lines) + "\n"


def measure(arguments: argparse.Namespace) -> None:
    """Write `coached.json` and `coached.md`."""
    folder = Path(arguments.out)
    with output_folder(folder):
        found = measured(arguments.clips, arguments.seed)
        write_text(folder / "coached.json", json.dumps(found, indent=1) + "\n")
        write_text(folder / "coached.md", table(found))
    print(table(found), end="")


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser("coached", "Measure the coach on toy clips with planted mistakes.")
    made.add_argument("--out", metavar="FOLDER", required=True, help="folder of the results")
    made.add_argument("--clips", metavar="N", type=count, default=140, help="clips (140)")
    made.add_argument("--seed", metavar="N", type=int, default=2, help="seed of the clips (2)")
    made.set_defaults(run=measure)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
