"""`python -m lab.visual_states --out FOLDER`: measure predicted looks of clips on held-out toy recipes.

Trains a model for each loss and each input (papers 002 and 003, tables 6 and 7), and measures it on
recipes of the test kitchen, whose looks and wordings no training has: cosine and L2 to the true clip,
and the rank of the true scene among 50. Then the three uses, each alone: retrieval of scenes fused with
the words, the guard against repeated steps on planted repeats, and the ranking of generated clips.

Intervals are 95 % percentile bootstraps over recipes. Finished parts are kept in the folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lab.command import ASSETS, count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.compare import paired_difference
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.state_predictors.causal import (
    ClipStatePredictor,
    NetworkConfig,
    StateNetwork,
    embedder_id,
    load_network,
)
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.toy_prompt import toy_caption
from procvid.protocols import Embedder
from procvid.run.repeats import LOOKS_THE_SAME
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, ToyStep, random_recipe
from procvid.toykitchen.words import step_text
from procvid.train.director.measure import measure
from procvid.train.director.settings import DirectorSettings
from procvid.train.director.stories import TOY_SEED, Story, embedded, toy_stories
from procvid.train.director.training import loop_of, unrolled
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
    torch.manual_seed(settings.seed)
    config = NetworkConfig(
        embedder.dim, embedder_id(embedder), settings.texts, settings.context, settings.width,
        settings.layers,
    )  # fmt: skip
    network = StateNetwork(config)
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
            network = trained(folder / name.replace(" ", "_"), embedder, train, settings)
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
        mixed = [share * a + (1 - share) * b for a, b in zip(own, words, strict=True)]
        lines.append(row(f"{share:.2f} state + {1 - share:.2f} words", measure(test, mixed)))
    return lines


def with_repeat(seed: int) -> tuple[ToyRecipe, int]:
    """Return a recipe in which a step comes twice, in other words, and the index of the second."""
    recipe = random_recipe(seed)
    rng = np.random.default_rng([seed, 5])
    place = int(rng.integers(0, len(recipe.steps)))
    scene = recipe.steps[place].scene
    names = [scene.food_name] if scene.food_name else [""]
    text = recipe.steps[place].text
    for _ in range(20):
        text = step_text(rng, scene, recipe.kitchen, names[0], "test")
        if text != recipe.steps[place].text:
            break
    steps = list(recipe.steps)
    steps.insert(place + 1, ToyStep(scene, text))
    return replace(recipe, steps=tuple(steps)), place + 1


def guard(predictor: ClipStatePredictor, embedder: Embedder) -> list[str]:
    """Return precision and recall of the guard on planted repeats, and of the words alone."""
    found: dict[str, list[tuple[float, bool]]] = {
        "predicted state": [],
        "caption": [],
        "action": [],
    }
    for seed in range(TEST_SEED, TEST_SEED + TEST):
        recipe, second = with_repeat(seed)
        plan = plan_recipe(Recipe(recipe.title, tuple(step.text for step in recipe.steps)))
        rows = {
            "predicted state": predictor.predict(plan),
            "caption": embedder.embed_texts([toy_caption(step) for step in plan.steps]),
            "action": embedder.embed_texts([step.text for step in plan.steps]),
        }
        for name, vectors in rows.items():
            near = (vectors[1:] * vectors[:-1]).sum(1)
            found[name] += [(float(v), k + 1 == second) for k, v in enumerate(near)]
    lines = ["## Guard against repeated steps", "",
             "| by | threshold | precision | recall |", "| --- | --- | --- | --- |"]  # fmt: skip
    for name, pairs in found.items():
        values = np.array([value for value, _ in pairs])
        true = np.array([planted for _, planted in pairs])
        thresholds = [LOOKS_THE_SAME] if name == "predicted state" else []
        best = max(np.unique(values), key=lambda t: _f1(values >= t, true))
        for limit in [*thresholds, float(best)]:
            said = values >= limit
            precision = (said & true).sum() / max(1, said.sum())
            recall = (said & true).sum() / true.sum()
            note = "" if limit in thresholds else " (best F1)"
            lines.append(f"| {name} | {limit:.3f}{note} | {precision:.2f} | {recall:.2f} |")
    return lines


def _f1(said: np.ndarray, true: np.ndarray) -> float:
    return float(2 * (said & true).sum() / (said.sum() + true.sum()))


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
    for name, make in parts.items():
        kept = folder / f"{name}.json"
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
