"""`python -m lab.visual_states --out FOLDER`: measure predicted looks of clips on held-out toy recipes.

Trains a model for each loss and each input (papers 002 and 003, tables 6 and 7), and measures it on
recipes of the test kitchen, whose looks and wordings no training has: cosine and L2 to the true clip,
and the rank of the true scene among 50. Then two uses, each alone: retrieval of scenes fused with
the words, and the guard against repeated steps on planted repeats. `lab.best_of` ranks takes.

Intervals are 95 % percentile bootstraps over recipes. Finished parts are kept in the folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from lab.command import ASSETS, count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.compare import paired_difference
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.state_predictors.causal import (
    WEIGHTS,
    ClipStatePredictor,
    StateNetwork,
    load_network,
)
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.toy_prompt import toy_caption
from procvid.protocols import Embedder
from procvid.run.repeats import alike
from procvid.storage.files import sha256_of
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, ToyStep, random_recipe
from procvid.toykitchen.words import step_text
from procvid.train.director.measure import measure
from procvid.train.director.settings import DirectorSettings
from procvid.train.director.stories import TOY_SEED, Story, embedded, toy_stories
from procvid.train.director.training import loop_of, new_network, unrolled
from procvid.types import Recipe, Vectors

TRAIN, TEST, TEST_SEED = 1500, 200, HELD_OUT + 50_000
FIGURES = ("cosine", "l2", "recall@1", "recall@5")
LOSSES = {"MSE": (0.0, 1.0), "cosine": (1.0, 0.0), "both": (1.0, 1.0)}
INPUTS = {"actions": "action", "captions": "caption", "both": "both"}
CONTEXTS = (2, 4, 8)
HEAD = "| | cosine | L2 | recall@1 | recall@5 |\n| --- | --- | --- | --- | --- |"


def row(name: str, found: Mapping[str, Sequence[float]]) -> str:
    """Return a line of a table: the mean over stories of each figure, with its interval."""
    cells = []
    for figure in FIGURES:
        mean = paired_difference([0.0] * len(found[figure]), found[figure])
        cells.append(f"{mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}]")
    return f"| {name} | {' | '.join(cells)} |"


def stories_of(folder: Path, embedder: Embedder, seed: int, count: int) -> list[Story]:
    """Return embedded toy stories; they are kept in the folder."""
    stories: list[Story] = []
    for done in embedded(toy_stories(seed, count), embedder, folder, stories):
        if done % 100 == 0:
            print(f"{done} of {count} stories", flush=True)
    return stories


def trained(
    folder: Path, embedder: Embedder, stories: Sequence[Story], settings: DirectorSettings
) -> StateNetwork:
    """Train a network, or resume the training in the folder."""
    network = new_network(embedder, settings)
    for _ in loop_of(network, stories, settings, folder, f"toykitchen {len(stories)}").run():
        pass
    return network


def tables(folder: Path, embedder: Embedder, train: list[Story], test: list[Story]) -> list[str]:
    """Return the tables of losses, inputs and contexts, each with what needs no training."""
    base = DirectorSettings()
    lines = ["## The next clip from goal and texts", "", HEAD]
    texts = {"actions": "action", "captions": "caption"}
    for name, kind in texts.items():
        alone = measure(test, [getattr(story, kind) for story in test])
        lines.append(row(f"text alone: {name}", alone))
    before = [np.concatenate([story.clips[:1], story.clips[:-1]]) for story in test]
    lines.append(row("the clip before", measure(test, before)))
    runs = {f"loss: {name}": replace(base, alpha=a, beta=b) for name, (a, b) in LOSSES.items()}
    runs |= {f"from {name}": replace(base, inputs=kind) for name, kind in INPUTS.items()}
    runs |= {f"{steps} earlier steps": replace(base, context=steps) for steps in CONTEXTS}
    done: dict[DirectorSettings, dict[str, list[float]]] = {}
    for name, settings in runs.items():
        if settings not in done:
            network = trained(
                folder / name.replace(": ", "_").replace(" ", "_"), embedder, train, settings
            )
            done[settings] = measure(test, unrolled(network, test))
            print(row(name, done[settings]), flush=True)
        lines.append(row(name, done[settings]))
    return lines


def with_true_clips(network: StateNetwork, story: Story) -> Vectors:
    """Return the predictions of a story in which each sees the true clips before it."""
    given = dict(enumerate(story.clips))
    return network.unroll(story.goal, story.texts(network.config.texts), given)


def fusion(network: StateNetwork, test: list[Story]) -> list[str]:
    """Return the table of scene retrieval by words, by the predicted state, and by both."""
    own = unrolled(network, test)
    seen = [with_true_clips(network, story) for story in test]
    words = [story.caption for story in test]
    lines = ["## Retrieval of the true scene", "", HEAD]
    lines.append(row("words (captions)", measure(test, words)))
    lines.append(row("predicted state", measure(test, own)))
    lines.append(row("predicted state, true clips before", measure(test, seen)))
    for share in (0.25, 0.5, 0.75):
        sums = [share * a + (1 - share) * b for a, b in zip(own, words, strict=True)]
        mixed = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in sums]
        lines.append(row(f"{share:.2f} state + {1 - share:.2f} words", measure(test, mixed)))
    return lines


def with_repeat(seed: int) -> tuple[ToyRecipe, int]:
    """Return a recipe in which a step comes twice, in other words, and the index of the second."""
    recipe = random_recipe(seed)
    rng = np.random.default_rng([seed, 5])
    place = int(rng.integers(0, len(recipe.steps)))
    scene = recipe.steps[place].scene
    text = recipe.steps[place].text
    for _ in range(20):
        text = step_text(rng, scene, recipe.kitchen, scene.food_name, "test")
        if text != recipe.steps[place].text:
            break
    steps = list(recipe.steps)
    steps.insert(place + 1, ToyStep(scene, text))
    return replace(recipe, steps=tuple(steps)), place + 1


def guard(predictor: ClipStatePredictor, embedder: Embedder) -> list[str]:
    """Return precision and recall of the guard on planted repeats, and of simpler ones."""
    found: dict[str, list[bool]] = {}
    planted: list[bool] = []

    def note(name: str, said: Sequence[bool]) -> None:
        found.setdefault(name, []).extend(said)

    for seed in range(TEST_SEED, TEST_SEED + TEST):
        recipe, second = with_repeat(seed)
        plan = plan_recipe(Recipe(recipe.title, tuple(step.text for step in recipe.steps)))
        states = predictor.predict(plan)
        words = embedder.embed_texts([step.text for step in plan.steps])
        captions = embedder.embed_texts([toy_caption(step) for step in plan.steps])
        near = [(rows[1:] * rows[:-1]).sum(1) for rows in (states, words, captions)]
        same = np.array([b.action == a.action for a, b in pairwise(plan.steps)])
        kept = set(alike(plan, states))
        planted += [k + 1 == second for k in range(len(same))]
        note(
            "same action, foods, vessels and predicted look (the guard)",
            [k + 1 in kept for k in range(len(same))],
        )
        every = set(alike(plan, np.ones((len(plan.steps), 1), np.float32)))
        note("same action, foods and vessels", [k + 1 in every for k in range(len(same))])
        note("predicted look, 0.95", (near[0] >= 0.95).tolist())
        note("same action", same.tolist())
        note("text of the action, 0.85", (near[1] >= 0.85).tolist())
        note("same action and its text, 0.85", (same & (near[1] >= 0.85)).tolist())
        note("caption, 0.98", (near[2] >= 0.98).tolist())
    true = np.array(planted)
    lines = [
        "## Guard against repeated steps",
        "",
        "| by | precision | recall |",
        "| --- | --- | --- |",
    ]
    for name, said in found.items():
        hits = np.array(said) & true
        lines.append(
            f"| {name} | {hits.sum() / max(1, sum(said)):.2f} | {hits.sum() / true.sum():.2f} |"
        )
    return lines


def measure_all(arguments: argparse.Namespace) -> None:
    """Write `visual_states.md`."""
    torch.set_num_threads(1)
    folder = Path(arguments.out)
    embedder = OpenClipEmbedder(ASSETS / "tiny_step_clip")
    train = stories_of(folder / "stories", embedder, TOY_SEED, arguments.stories)
    test = stories_of(folder / "stories", embedder, TEST_SEED, TEST)
    parts: dict[str, Callable[[], list[str]]] = {
        "tables": lambda: tables(folder, embedder, train, test),
        "fusion": lambda: fusion(load_network(ASSETS / "tiny_director"), test),
        "guard": lambda: guard(
            ClipStatePredictor(ASSETS / "tiny_director", embedder, toy_caption), embedder
        ),
    }
    lines: list[str] = []
    shipped = sha256_of(ASSETS / "tiny_director" / WEIGHTS)[:8]
    for name, make in parts.items():
        kept = folder / f"{name}-{len(train)}-{shipped}.json"
        if not kept.exists():
            kept.write_text(json.dumps(make()))
        lines += [*json.loads(kept.read_text()), ""]
    (folder / "visual_states.md").write_text("\n".join(lines))
    print("\n".join(lines))


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser("visual_states", "Measure predicted looks of clips on held-out toy recipes.")
    made.add_argument("--out", metavar="DIR", required=True, help="folder of everything")
    made.add_argument(
        "--stories", metavar="N", type=count, default=TRAIN, help=f"training recipes ({TRAIN})"
    )
    made.set_defaults(run=measure_all)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
