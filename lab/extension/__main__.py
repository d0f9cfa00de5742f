"""Can a LoRA teach what the base was never shown? `python -m lab.extension COMMAND`.

data      clips, crops and texts of the wider toy kitchen, for `procvid train lora`
oracle    widen the shipped oracle by the new foods and the new counter
recipes   held-out recipes with new foods, for `procvid ablate`
measure   held-out clips with and without the LoRA, of the new kitchen and of the old one
ablation  name the clips of an ablation on those recipes
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from lab.extension.data import write_data
from lab.pretrain.oracle import CLASSES, Oracle, accuracy, soften, truth_of
from lab.pretrain.vae import to_video
from lab.quality.__main__ import ASSETS, SHEET_CLIPS, load_oracle, load_pipeline, sheet
from lab.quality.clips import GeneratedClip, first_seeds, held_out_clips
from procvid.evaluate.compare import paired_difference
from procvid.media.video import read_clip
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import find_lora, merge_loras, read_lora
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.files import sha256_of, write_json
from procvid.toykitchen.dataset import random_clip
from procvid.toykitchen.extension import EXTRA_FOODS, extended_clip, extended_recipe
from procvid.toykitchen.identity import EXTRA_COUNTERS
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe

WIDENED = {
    **CLASSES,
    "food": (*CLASSES["food"], *EXTRA_FOODS),
    "counter": (*CLASSES["counter"], *EXTRA_COUNTERS),
}
ORACLE = "extension_oracle.safetensors"
ORACLE_CLIPS = 1800
MEASURED_STEPS = 6
"""Score as twelve do (docs/fast.md)."""
QUESTIONS = tuple(CLASSES)
NEW_QUESTIONS = ("food", "counter")


def widened_oracle() -> Oracle:
    """The shipped oracle with more answers; those that it had are as they were, the new ones blank."""
    shipped, wider = load_oracle(ASSETS / "oracle").state_dict(), Oracle(classes=WIDENED)
    state = wider.state_dict()
    for name, value in state.items():
        value.zero_()
        value[: len(shipped[name])] = shipped[name]
    wider.load_state_dict(state)
    return wider


def fit_heads(oracle: Oracle, clips: int, seed: int = 0) -> None:
    """Fit the two linear heads that have new answers; body and other heads stay the shipped ones.

    On fresh clips of both kitchens, softened as in the oracle's own training.
    """
    rng = np.random.default_rng([seed, 31])
    torch.manual_seed(seed)
    features, truths = [], []
    for k in range(0, clips, 30):
        drawn = [(random_clip if (k // 30) % 3 == 2 else extended_clip)(rng) for _ in range(30)]
        video = to_video(np.stack([rendered.frames for _, _, rendered in drawn]))
        with torch.no_grad():
            softness = float(rng.uniform(0.45, 0.9)) if rng.random() < 0.7 else 1.0
            features.append(oracle.hidden(soften(softness, video)))
        truths += [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
    x = torch.cat(features)
    for question in NEW_QUESTIONS:
        head, words = oracle.heads[question], oracle.classes[question]
        y = torch.tensor([words.index(truth[question]) for truth in truths])
        solver = torch.optim.LBFGS(head.parameters(), max_iter=300, line_search_fn="strong_wolfe")

        def loss(head: Any = head, y: torch.Tensor = y, solver: Any = solver) -> torch.Tensor:
            solver.zero_grad()
            value = F.cross_entropy(head(x), y) + 1e-5 * head.weight.square().sum()
            value.backward()
            return value

        solver.step(loss)


def make_oracle(work: Path, clips: int) -> None:
    """Fit the widened oracle and print its accuracy on renders."""
    oracle = widened_oracle()
    fit_heads(oracle, clips)
    save_file(
        {key: value.contiguous() for key, value in oracle.state_dict().items()}, work / ORACLE
    )
    report = {
        "new kitchen": accuracy(oracle, draw_clip=extended_clip),
        "old kitchen": accuracy(oracle),
        "old kitchen, shipped oracle": accuracy(load_oracle(ASSETS / "oracle")),
    }
    write_json(work / "extension_oracle.json", report)
    print(json.dumps(report, indent=1))


def load_widened(work: Path) -> Oracle:
    """The trained one."""
    oracle = Oracle(classes=WIDENED)
    oracle.load_state_dict({k: v.float() for k, v in load_file(work / ORACLE).items()})
    return oracle.eval()


def write_recipes(folder: Path, count: int) -> None:
    """Held-out recipes of the new kitchen as text; the number in a name is that of its seed."""
    for k in range(count):
        recipe = extended_recipe(HELD_OUT + k)
        steps = [f"{n}. {step.text}" for n, step in enumerate(recipe.steps, start=1)]
        write_text(folder / f"new-{k:03d}.txt", "\n".join([recipe.title, "", *steps]) + "\n")


def with_lora(lora: Path | None, weight: float = 1.0) -> PhantomWanPipeline:
    """The shipped pipeline, with a LoRA merged or without."""
    folder = ASSETS / TINY.models["generator"]
    pipeline = load_pipeline(folder)
    if lora is not None:
        config = read_config(folder / "transformer" / "config.json")
        file = read_lora(find_lora(lora), parameter_shapes(config), config["num_layers"], weight)
        merge_loras(pipeline.transformer, [file])
    return pipeline


WORLDS: Mapping[str, Callable[[int], ToyRecipe]] = {
    "new kitchen": extended_recipe,
    "old kitchen": random_recipe,
}


def measure(work: Path, lora: Path, out: Path, recipes: int, weight: float = 1.0) -> None:
    """Held-out recipes of both kitchens, the same seeds with and without the LoRA, named by the oracle.

    Answers are kept by the LoRA's hash, so the base is measured once.
    """
    oracle = load_widened(work)
    named = {
        "base": _answers(oracle, None, out, recipes),
        "lora": _answers(oracle, lora, out, recipes, weight),
    }
    report: dict[str, Any] = {
        "recipes_each": recipes,
        "references": 3,
        "steps": MEASURED_STEPS,
        "weight": weight,
    }
    for world in WORLDS:
        report[world] = _compare({name: answers[world] for name, answers in named.items()})
    write_json(out / "extension.json", report)
    print(json.dumps(report, indent=1))


def _answers(
    oracle: Oracle, lora: Path | None, out: Path, recipes: int, weight: float = 1.0
) -> dict[str, Any]:
    """By kitchen, a (truth, answer) for every clip."""
    of = sha256_of(find_lora(lora))[:16] if lora else "shipped"
    of += "" if weight == 1 else f"x{weight:g}"
    known = out / f"answers-{of}-{recipes}.json"
    if known.is_file():
        return dict(json.loads(known.read_text("utf-8")))
    pipeline, named = with_lora(lora, weight), {}
    sampling = replace(TINY.sampling, num_inference_steps=MEASURED_STEPS)
    for world, draw in WORLDS.items():
        shown: list[GeneratedClip] = []
        answers = []
        for made in held_out_clips(pipeline, first_seeds(recipes), 3, sampling, draw=draw):
            answers.append((truth_of(made.scene, made.kitchen), oracle.name([made.frames])[0]))
            shown += [made] if len(shown) < SHEET_CLIPS else []
        named[world] = answers
        sheet(shown, out / f"{world.replace(' ', '_')}_{of}.png")
        print(world, of, len(answers), "clips", flush=True)
    write_json(known, named)
    return named


def _compare(
    per_clip: Mapping[str, Sequence[tuple[Mapping[str, str], Mapping[str, str]]]],
) -> dict[str, Any]:
    """Shares of right answers with and without, and the paired difference; also by what is new."""
    told: dict[str, Any] = {"clips": len(per_clip["base"])}
    parts: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
        "all clips": lambda _: True,
        "new foods": lambda truth: truth["food"] in EXTRA_FOODS,
        "new counter": lambda truth: truth["counter"] in EXTRA_COUNTERS,
        "nothing new": lambda truth: (
            truth["food"] not in EXTRA_FOODS and truth["counter"] not in EXTRA_COUNTERS
        ),
    }
    for part, belongs in parts.items():
        chosen = [k for k, (truth, _) in enumerate(per_clip["base"]) if belongs(truth)]
        if not chosen:
            continue
        told[part] = {"clips": len(chosen)}
        for question in QUESTIONS:
            right = {
                name: [float(named[k][0][question] == named[k][1][question]) for k in chosen]
                for name, named in per_clip.items()
            }
            told[part][question] = _difference(right["base"], right["lora"])
    return told


def _difference(before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    found = paired_difference(list(before), list(after))
    told = {"base": round(float(np.mean(before)), 4), "lora": round(float(np.mean(after)), 4)}
    if found.low is not None and found.high is not None:
        told |= {"low": round(found.low, 4), "high": round(found.high, 4)}
    return told


def name_ablation(work: Path, folder: Path) -> None:
    """Name every clip of an ablation on `recipes`; the intervals are over recipes."""
    oracle = load_widened(work)
    shares: dict[str, dict[str, dict[str, float]]] = {}
    for setting in sorted((folder / "runs").iterdir()):
        shares[setting.name] = {}
        for run in sorted(setting.glob("new-*-seed*")):
            recipe = extended_recipe(HELD_OUT + int(run.name.split("-")[1]))
            right: dict[str, list[bool]] = defaultdict(list)
            for number, step in enumerate(recipe.steps, start=1):
                file = run / "steps" / f"{number:02d}" / "clip.mp4"
                if not file.is_file():
                    continue
                clip = read_clip(file, downscale=TINY.display_scale)
                truth, answer = truth_of(step.scene, recipe.kitchen), oracle.name([clip.frames])[0]
                new = "new food" if step.scene.food_name in EXTRA_FOODS else "old food"
                right[new].append(truth["food"] == answer["food"])
                for question in ("action", "food", "state"):
                    right[question].append(truth[question] == answer[question])
            shares[setting.name][run.name] = {k: float(np.mean(v)) for k, v in right.items()}
    base = shares["base"]
    told: dict[str, Any] = {"recipes": len(base)}
    for setting_name, runs in shares.items():
        names = [name for name in base if name in runs]
        told[setting_name] = {"recipes": len(names)}
        for question in ("action", "food", "new food", "old food", "state"):
            before = [base[name].get(question) for name in names]
            after = [runs[name].get(question) for name in names]
            there = [value for value in after if value is not None]
            row: dict[str, Any] = {"mean": round(float(np.mean(there)), 4)}
            found = paired_difference(before, after)
            if setting_name != "base" and found.low is not None and found.high is not None:
                row |= {"low": round(found.low, 4), "high": round(found.high, 4)}
            told[setting_name][question] = row
    write_json(folder / "oracle.json", told)
    print(json.dumps(told, indent=1))


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("data", "oracle", "recipes", "measure", "ablation"))
    parser.add_argument("--work", type=Path, required=True, help="of the oracle")
    parser.add_argument("--out", type=Path, help="what is written; the ablation's own folder")
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--weight", type=float, default=1.0, help="of the LoRA that is measured")
    parser.add_argument("--recipes", type=int, default=12)
    parser.add_argument("--clips", type=int, default=ORACLE_CLIPS, help="to fit the oracle on")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    out = args.out or args.work
    out.mkdir(parents=True, exist_ok=True)
    match args.command:
        case "data":
            print(write_data(out, args.recipes), "clips")
        case "oracle":
            make_oracle(args.work, args.clips)
        case "recipes":
            write_recipes(out, args.recipes)
        case "measure":
            measure(args.work, args.lora, out, args.recipes, args.weight)
        case "ablation":
            name_ablation(args.work, out)


if __name__ == "__main__":
    main()
