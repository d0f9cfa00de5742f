"""Measure which reference of its food serves a clip best: as before the step, as after it, or none.

    python -m lab.food_reference --out FOLDER

Every step of held-out toy recipes is made alone, in each way, with the same seed and the other
references equal. The oracle decides whether food and state are right. `clips.jsonl` keeps every
result. Run the command again to continue. `table.md` has the shares by action.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import Oracle
from lab.weights import load_oracle
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.memory.slots import choose_slots
from procvid.plan.writing.toy_prompt import with_toy_looks
from procvid.run.condition import condition, looks_of
from procvid.run.generate import step_seed
from procvid.run.parts import Parts, start_memory
from procvid.run.step import in_known_words
from procvid.storage.atomic import write_text
from procvid.toykitchen.recipes import HELD_OUT, ToyStep, random_recipe
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Clip, Conditioning, Recipe, Retrieval, StepPlan
from procvid.wiring import run as wiring

FIRST = 1000
"""First recipe after `HELD_OUT`, far from those of the ablation."""

WAYS = ("before", "after", "none")


def clip_of(parts: Parts, conditioning: Conditioning, seed: int) -> Clip:
    """Make a clip without the progress."""
    sampling = dataclasses.replace(parts.profile.sampling, seed=seed)
    making = parts.generator.generate(conditioning, sampling)
    while True:
        try:
            next(making)
        except StopIteration as done:
            clip: Clip = done.value
            return clip


def ways_of(
    parts: Parts, step: StepPlan, retrievals: Sequence[Retrieval], hits: dict[str, Retrieval]
) -> Iterator[tuple[str, Conditioning]]:
    """Yield the conditioning of a step for each way that the memory can serve."""
    for way, answer in hits.items():
        answers = [answer if one.object_name == answer.object_name else one for one in retrievals]
        slots = choose_slots(step.objects, answers, limit=parts.profile.max_references)
        looks = looks_of(slots, answers)
        yield (
            way,
            condition(
                in_known_words(step, parts.stand_ins),
                answers,
                slots,
                looks=looks,
                add_looks=with_toy_looks,
            ),
        )


def measure_recipe(parts: Parts, oracle: Oracle, number: int) -> Iterator[dict[str, Any]]:
    """Yield one result per step and way of a recipe."""
    toy = random_recipe(HELD_OUT + number)
    plan = parts.planner.plan(Recipe(toy.title, tuple(step.text for step in toy.steps)))
    memory = start_memory(parts, number, plan)
    assert memory is not None
    for step, truth in zip(plan.steps, toy.steps, strict=True):
        item = next((o for o in step.objects if o.name == truth.scene.food_name), None)
        if item is None:
            continue
        retrievals = memory.retrieve_all(step.objects, step.number)
        hits = {"none": Retrieval(item.name, item.state_before, None, "left out")}
        for way, state in (("before", item.state_before), ("after", item.state_after)):
            shown = dataclasses.replace(item, state_before=state, state_after=state)
            answer = memory.retrieve(shown, step.number, step.objects)
            if answer.hit is not None and (way == "before" or state != item.state_before):
                hits[way] = answer
        for way, conditioning in ways_of(parts, step, retrievals, hits):
            clip = clip_of(parts, conditioning, step_seed(number, step.number))
            yield {
                "recipe": number,
                "step": step.number,
                "way": way,
                **_judged(oracle, clip, truth),
            }


def _judged(oracle: Oracle, clip: Clip, truth: ToyStep) -> dict[str, Any]:
    answer = oracle.name([clip.frames[:NUM_FRAMES]])[0]
    scene = truth.scene
    return {
        "action": scene.action,
        "food": answer["food"] == scene.food_name,
        "state": answer["state"] == scene.state_after,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the shares of clips with the right food and state, of steps with all three ways.

    The last rows compare steps that lack a way.
    """
    steps: dict[tuple[int, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        steps[row["recipe"], row["step"]][row["way"]] = row
    lines = []
    for ways in (WAYS, ("before", "none"), ("after", "none")):
        chosen = [s for s in steps.values() if tuple(w for w in WAYS if w in s) == ways]
        groups: dict[str, list[dict[str, dict[str, Any]]]] = {"all": chosen}
        for step in chosen:
            groups.setdefault(step["none"]["action"], []).append(step)
        lines += [f"| action | clips | {' | '.join(ways)} |", "| --- " * (2 + len(ways)) + "|"]
        for action, group in sorted(groups.items()):
            cells = [_shares([step[way] for step in group]) for way in ways]
            lines.append(f"| {action} | {len(group)} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _shares(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    food, state = (sum(row[key] for row in rows) / len(rows) for key in ("food", "state"))
    return f"{food:.2f} / {state:.2f}"


def parser() -> Parser:
    """Return the parser of `python -m lab.food_reference`."""
    made = new_parser("food_reference", "Measure which reference of its food serves a clip best.")
    made.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="results and table")
    made.add_argument("--recipes", metavar="N", type=count, default=60)
    made.add_argument("--assets", type=Path, default=ASSETS, help="folder of the weights")
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Measure the missing recipes, and write the table."""
    oracle = load_oracle(arguments.assets / "oracle")
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    file = out / "clips.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done, parts = {row["recipe"] for row in rows}, wiring.build("tiny")
    for number in range(FIRST, FIRST + arguments.recipes):
        if number in done:
            continue
        rows += list(measure_recipe(parts, oracle, number))
        write_text(file, "".join(json.dumps(row) + "\n" for row in rows))
        print(f"{number - FIRST + 1} of {arguments.recipes} recipes", flush=True)
    write_text(out / "table.md", table(rows))
    print(table(rows), end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
