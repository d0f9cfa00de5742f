"""Measure judges on groups of generated clips: `python -m lab.judges --out FOLDER`.

A group are clips of one prompt and one set of references with different seeds. A judge is good if it
orders a right and a wrong clip of the same group rightly; a share of .5 is chance. The frozen oracle
says which are right. It names the state of one true clip in ten wrongly, so for states the table has a
second row: where oracle and reader disagree, or both find a fault, a person decided
(`judged_by_eye.csv`), and other disagreements are left out. The prompts are of recipes of the test
kitchen that no other measurement uses.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import Oracle, truth_of
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import IDENTITY, reference_crops, toy_clip
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.media.image import crop_on_white
from procvid.models.detectors.tiny import TinyDetector
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.scene_readers.tiny import TinyReader
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.storage.atomic import output_errors, write_bytes
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import COLOURS, COUNTER_PATTERNS, PATTERNS, ToyKitchen
from procvid.toykitchen.reading import ABSENT, FOOD_STATES
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.scene import STATES, Scene
from procvid.toykitchen.words import caption
from procvid.types import Frames, Image

FIRST_SEED = HELD_OUT + 5000
SHARES = {"add": 3, "serve": 3, "stir": 3, "flip": 2, "mash": 2, "fry": 2}
"""How often an action is drawn against the others; most spread within groups is in these."""
REFERENCES = 3
BY_EYE = Path(__file__).with_name("judged_by_eye.csv")


@dataclass(frozen=True, eq=False)
class GroupOfClips:
    """Clips of one prompt and one set of references, uint8 (N, T, H, W, 3), of a recipe's step."""

    seed: int
    step: int
    scene: Scene
    kitchen: ToyKitchen
    references: tuple[Image, ...]
    clips: Frames


Judge = Callable[[GroupOfClips, Frames], dict[str, float]]
"""Maps a group and one of its clips to a score by question."""


def shots(groups: int) -> Iterator[tuple[int, int]]:
    """Yield (seed, step) of recipes, with the actions of `SHARES` more often."""
    rng = np.random.default_rng(24)
    most = max(SHARES.values())
    for seed in range(FIRST_SEED, FIRST_SEED + 100 * groups):
        for number, step in enumerate(random_recipe(seed).steps, start=1):
            if step.scene.food is not None and rng.random() * most < SHARES.get(
                step.scene.action, 1
            ):
                yield seed, number


def make_groups(folder: Path, groups: int, takes: int) -> list[GroupOfClips]:
    """Generate the groups, or read those that the folder holds."""
    pipeline = load_pipeline(ASSETS / "tiny_phantom")
    pipeline.set_progress_bar_config(disable=True)
    made = []
    for seed, number in islice(shots(groups), groups):
        recipe = random_recipe(seed)
        step = recipe.steps[number - 1]
        rng = np.random.default_rng([seed, number, 5])
        objects = objects_of(np.random.default_rng(0), step.scene, step.scene.food_name or None)
        crops = reference_crops(rng, recipe.kitchen, step.scene, REFERENCES)
        file = folder / f"{seed}-{number}.npy"
        if file.is_file():
            clips = np.load(file)[:takes]
        else:
            prompt = toy_prompt(step.text, step.scene.action, objects)
            clips = np.stack([toy_clip(pipeline, prompt, crops, take) for take in range(takes)])
            with output_errors(file):
                np.save(file, clips)
        made.append(GroupOfClips(seed, number, step.scene, recipe.kitchen, tuple(crops), clips))
    return made


def reader_judge(reader: TinyReader) -> Judge:
    """Return the scores of the embedded reader."""

    def judge(group: GroupOfClips, clip: Frames) -> dict[str, float]:
        scene, food = group.scene, group.scene.food_name
        ends, spread = [clip[-1], clip[-2]], [clip[0], clip[8], clip[-1]]
        names = {"vessel": scene.vessel, "counter": "counter"}
        looks = {
            thing: float(np.mean(reader.look_fit(spread, name, group.references[place]) or [0]))
            for place, (thing, name) in zip((0, 2), names.items(), strict=True)
        }
        there = 1 - np.mean(reader.state_fit(ends, food, ABSENT) or [0])
        after = float(np.mean(reader.state_fit(ends, food, scene.state_after) or [0]))
        return {
            "state": after,
            "food": float(there),
            "vessel": looks["vessel"],
            "vessel_pattern": looks["vessel"],
            "side object": looks["counter"],
            "counter": looks["counter"],
        }

    return judge


def step_clip_judge(scorer: OpenClipEmbedder) -> Judge:
    """Return the scores of the step CLIP: the right caption among those of other foods or states."""

    def fit(clip: Frames, scene: Scene, others: Sequence[Scene]) -> float:
        vectors = scorer.embed_images(list(clip[1::2])).mean(0)
        logits = 20 * scorer.embed_texts([caption(scene), *map(caption, others)]) @ vectors
        return float(np.exp(logits[0] - np.logaddexp.reduce(logits)))

    def judge(group: GroupOfClips, clip: Frames) -> dict[str, float]:
        scene = group.scene
        states = [scene.showing(state=s) for s in STATES if s != scene.state_before]
        foods = [scene.showing(name) for name in FOODS if name != scene.food_name]
        return {"state": fit(clip, scene, states), "food": fit(clip, scene, foods)}

    return judge


def crop_judge(detector: TinyDetector, encoder: OpenClipEmbedder) -> Judge:
    """Return the cosine of the vessel's crop with its reference, by the CLIP of the memory."""

    def judge(group: GroupOfClips, clip: Frames) -> dict[str, float]:
        frames = [clip[0], clip[8], clip[-1]]
        found = detector.detect(frames, [group.scene.vessel])
        crops = [
            crop_on_white(f, d[0].box_xyxy, d[0].mask) for f, d in zip(frames, found, strict=True)
        ]
        vectors = encoder.embed_images([group.references[0], *crops])
        fit = float((vectors[1:] @ vectors[0]).mean())
        return {"vessel": fit, "vessel_pattern": fit}

    return judge


def states_by_eye() -> dict[tuple[int, int, int], bool]:
    """Return whether the state is right, by seed, step and take."""
    with BY_EYE.open(newline="", encoding="utf-8") as lines:
        return {
            (int(row["seed"]), int(row["step"]), int(row["take"])): row["state"] == "1"
            for row in csv.DictReader(lines)
        }


def checked_states(
    groups: Sequence[GroupOfClips], right: Sequence[Sequence[dict[str, bool]]], reader: TinyReader
) -> None:
    """Add "state, checked" to the right answers: a person's, else where oracle and reader agree."""
    seen = states_by_eye()
    for group, answers in zip(groups, right, strict=True):
        food = FOODS.index(group.scene.food_name)
        wanted = FOOD_STATES.index(group.scene.state_after)
        for take, (clip, answer) in enumerate(zip(group.clips, answers, strict=True)):
            states, _ = reader.answers([clip[-1], clip[-2]])
            agrees = (int(states[:, food].sum(0).argmax()) == wanted) == answer["state"]
            by_eye = seen.get((group.seed, group.step, take))
            if by_eye is not None or (agrees and answer["state"]):
                answer["state, checked"] = answer["state"] if by_eye is None else by_eye


SWAPS = ("vessel pattern", "vessel colour", "counter pattern", "side object's colour")
"""Looks that are too rarely wrong in generated clips for pairs of clips."""


def other_kitchen(kitchen: ToyKitchen, vessel: str, what: str) -> ToyKitchen | None:
    """Return a kitchen that differs in one look alone; None if it has no such thing."""
    look, counter, side = kitchen.vessels[vessel], kitchen.counter, kitchen.side

    def following(values: Sequence[str], value: str) -> str:
        return values[(values.index(value) + 1) % len(values)]

    if what == "vessel pattern":
        changed = replace(look, pattern=following(PATTERNS, look.pattern))
        return replace(kitchen, vessels={**kitchen.vessels, vessel: changed})
    if what == "vessel colour":
        colour = following(tuple(COLOURS), look.colour)
        changed = replace(look, colour=colour, rgb=COLOURS[colour])
        return replace(kitchen, vessels={**kitchen.vessels, vessel: changed})
    if what == "counter pattern":
        pattern = following(COUNTER_PATTERNS, counter.pattern)
        return replace(kitchen, counter=replace(counter, pattern=pattern))
    if side is None:
        return None
    colour = following(tuple(COLOURS), side.colour)
    return replace(kitchen, side=replace(side, colour=colour, rgb=COLOURS[colour]))


def swapped_table(groups: Sequence[GroupOfClips], judges: dict[str, Judge]) -> str:
    """Return how often a clip fits its own reference better than one that differs in one look alone."""
    named = {
        name: judge
        for name, judge in judges.items()
        if "vessel" in judge(groups[0], groups[0].clips[0])
    }
    rows = [
        f"| reference differs in | pairs | {' | '.join(named)} |",
        "|---" * (2 + len(named)) + "|",
    ]
    for what in SWAPS:
        key = what.split()[0].replace("side", "counter")
        wins: dict[str, list[float]] = {name: [] for name in named}
        for group in groups:
            other = other_kitchen(group.kitchen, group.scene.vessel, what)
            if other is None:
                continue
            rng = np.random.default_rng([group.seed, group.step, 5])
            crops = reference_crops(rng, other, group.scene, REFERENCES)
            rival = replace(group, references=tuple(crops))
            for name, judge in named.items():
                for clip in group.clips[:2]:
                    own, false = judge(group, clip), judge(rival, clip)
                    if key in own:
                        wins[name].append(0.5 + 0.5 * np.sign(own[key] - false[key]))
        cells = [f"{np.mean(each):.2f}" if each else "" for each in wins.values()]
        rows.append(f"| {what} | {max(map(len, wins.values()))} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def right_answers(oracle: Oracle, group: GroupOfClips) -> list[dict[str, bool]]:
    """Return for each clip of a group which questions it answers rightly, by the oracle."""
    truth = truth_of(group.scene, group.kitchen)
    parts = {
        "state": ("state",),
        "food": ("food",),
        "vessel": IDENTITY["vessel"],
        "vessel_pattern": ("vessel_pattern",),
        "counter": IDENTITY["counter"],
        "side object": IDENTITY["side object"] if group.kitchen.side else (),
    }
    return [
        {name: all(answer[q] == truth[q] for q in asked) for name, asked in parts.items() if asked}
        for answer in oracle.name(list(group.clips))
    ]


def pairs(scores: Sequence[float], right: Sequence[bool]) -> tuple[float, int]:
    """Return how many pairs of a right and a wrong clip are in order (a tie counts half), and all."""
    ordered, number = 0.0, 0
    for a, good in zip(scores, right, strict=True):
        for b, other in zip(scores, right, strict=True):
            if good and not other:
                ordered += 1.0 if a > b else 0.5 if a == b else 0.0
                number += 1
    return ordered, number


def table_of(
    groups: Sequence[GroupOfClips], judges: dict[str, Judge], oracle: Oracle, reader: TinyReader
) -> str:
    """Return a table of the share of ordered pairs by judge and question."""
    rows = [
        "| question | right | pairs | " + " | ".join(judges) + " |",
        "|---" * (3 + len(judges)) + "|",
    ]
    right = [right_answers(oracle, group) for group in groups]
    checked_states(groups, right, reader)
    scores = {
        name: [[judge(group, clip) for clip in group.clips] for group in groups]
        for name, judge in judges.items()
    }
    for question in (
        "state", "state, checked", "food", "vessel", "vessel_pattern", "side object", "counter"
    ):  # fmt: skip
        scored = question.partition(",")[0]
        hits = [one[question] for answers in right for one in answers if question in one]
        cells, number = [], 0
        for name in judges:
            if scored not in scores[name][0][0]:
                cells.append("")
                continue
            found = []
            for values, answers in zip(scores[name], right, strict=True):
                known = [k for k, one in enumerate(answers) if question in one]
                found.append(
                    pairs([values[k][scored] for k in known], [answers[k][question] for k in known])
                )
            ordered, number = sum(f[0] for f in found), sum(f[1] for f in found)
            cells.append(f"{ordered / number:.2f}" if number else "no pairs")
        rows.append(f"| {question} | {np.mean(hits):.2f} | {number} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def parser() -> Parser:
    """Return the parser of `python -m lab.judges`."""
    made = new_parser(
        "judges", "Measure how well judges order right and wrong clips of one prompt."
    )
    made.add_argument("--out", type=Path, required=True, help="folder of clips and table")
    made.add_argument("--groups", type=count, default=96, help="prompts (default 96)")
    made.add_argument("--takes", type=count, default=6, help="clips of each prompt (default 6)")
    made.add_argument(
        "--reader", type=Path, help="folder of the reader's weights (default: shipped)"
    )
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Generate the groups and print the table."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    groups = make_groups(arguments.out, arguments.groups, arguments.takes)
    embedder = OpenClipEmbedder(ASSETS / "tiny_clip")
    reader = TinyReader(arguments.reader or ASSETS / "tiny_reader")
    judges = {
        "reader": reader_judge(reader),
        "step CLIP": step_clip_judge(OpenClipEmbedder(ASSETS / "tiny_step_clip")),
        "crop by CLIP": crop_judge(TinyDetector(ASSETS / "tiny_detector", embedder), embedder),
    }
    text = table_of(groups, judges, load_oracle(ASSETS / "oracle"), reader)
    text += "\n" + swapped_table(groups, judges)
    write_bytes(arguments.out / "judges.md", text.encode())
    print(text, end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
