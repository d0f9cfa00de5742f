"""Build the table of planted faults: each metric must react to its own faults and to no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.metrics_proof import faults
from lab.metrics_proof.faults import Fault, Toy, run_of
from lab.metrics_proof.generated import BLIND, TRICKS, GeneratedRun, Trick, played
from procvid.errors import InputError
from procvid.evaluate.compare import paired_difference, spearman
from procvid.evaluate.events import MetricDone
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.metrics import DEFAULT, METRICS, metrics_in
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.result import Result, mean_of
from procvid.evaluate.suite import evaluate
from procvid.protocols import Planner
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Recipe

WINS_NOT = "does not win"
DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEEDED_SPEARMAN = 0.95
MAX_RECIPES = 200
LEAST_NOISE = 0.02
"""A smaller change counts as none, even if the control does not move at all."""

Figures = Mapping[str, Sequence[float | None]]
"""Values of each figure by recipe."""


@dataclass(frozen=True)
class Claim:
    """Expected effect of a fault.

    Attributes:
        fault: Name of the fault.
        plant: Function that plants it.
        answers: Figures that must move, and the direction: "up" or "down".
        leaves: Figures that must stay within noise at full dose.
        must_not_win: Figures that the fault must not improve beyond noise.
    """

    fault: str
    plant: Fault
    answers: Mapping[str, str]
    leaves: tuple[str, ...]
    must_not_win: tuple[str, ...] = ()


CORRECTED = metrics_in("corrected")

CLAIMS = (
    Claim(
        "identities swapped",
        faults.identities_swapped,
        {
            "object_fidelity": "down",
            "dino_l2": "up",
            "joint_ratio": "up",
            "shot_boundary": "up",
        },
        ("goal_retrieval", "copy_paste"),
    ),
    Claim(
        "recoloured midway",
        faults.recoloured_midway,
        {"object_fidelity": "down"},
        ("goal_retrieval", "copy_paste"),
    ),
    Claim(
        "clips frozen",
        faults.frozen,
        {
            "joint_ratio": "up",
            "joint_ratio.motion": "down",
            "step_retrieval": "down",
            "goal_retrieval": "down",
            "object_fidelity": "down",
            "object_state_strict": "down",
        },
        # Every corrected metric gives a still its worst value, so no figure must stay.
        (),
        must_not_win=CORRECTED,
    ),
    Claim("middle frame held", partial(faults.frozen, place=0.5), {}, (), CORRECTED),
    Claim("first frame held", partial(faults.frozen, place=0.0), {}, (), CORRECTED),
    Claim(
        "steps shuffled",
        faults.steps_shuffled,
        {"step_retrieval.recipe_top1": "down", "step_retrieval": "down"},
        # Not `copy_paste`: the references of later steps were cut out of an earlier clip, which is
        # now shown beside them and so contains their pixels.
        ("goal_retrieval", "joint_ratio.motion"),
    ),
    Claim(
        "wrong dish at the end",
        faults.wrong_dish,
        {"goal_retrieval": "down"},
        ("object_fidelity", "copy_paste"),
    ),
    Claim(
        "state backwards",
        faults.state_backwards,
        {"object_state_strict": "down", "object_state": "down"},
        ("object_fidelity", "copy_paste"),
    ),
    Claim(
        "reference pasted",
        faults.reference_pasted,
        {"copy_paste": "up", "object_fidelity": "down"},
        # It hides the food, freezes the object and adds a jump, so no figure must stay.
        (),
        must_not_win=CORRECTED,
    ),
    *(
        Claim(
            f"pasted x {size}, jittered",
            partial(faults.reference_pasted, size=size, jitter=2),
            {"copy_paste": "up"},
            (),
            must_not_win=CORRECTED,
        )
        for size in (0.8, 1.2)
    ),
)

WRONG_CLIPS = Claim(
    "wrong clips",
    faults.wrong_clips,
    {
        "caption_alignment": "down",
        "goal_faithfulness": "down",
        "step_faithfulness": "down",
        "alignment_kl": "up",
        "alignment_chi2": "up",
    },
    (),
)
"""The claim of the metrics of captions, measured in doses of its own (`lab.metrics_proof.captions`)."""


@dataclass(frozen=True)
class Row:
    """One figure under one fault.

    Attributes:
        fault: Name of the fault.
        figure: Name of the figure.
        claim: Expected effect.
        values: Mean over recipes at each dose.
        spearman: Rank correlation of the means with the dose.
        change: Paired change at full dose.
        low: Lower end of its 95 % interval (bootstrap over recipes).
        high: Upper end of its 95 % interval.
        noise: Twice the change when every clip is drawn again, at least `LEAST_NOISE`.
        holds: True if the claim holds.
    """

    fault: str
    figure: str
    claim: str
    values: tuple[float | None, ...]
    spearman: float | None
    change: float | None
    low: float | None
    high: float | None
    noise: float
    holds: bool


@dataclass(frozen=True)
class DoseDone:
    """Progress: `done` of `total` doses of all faults are measured."""

    done: int
    total: int
    fault: str


def prove(
    parts: EvaluationParts,
    planner: Planner,
    *,
    recipes: int,
    make: Callable[[Sequence[int]], Iterator[GeneratedRun]],
    claims: Sequence[Claim] = CLAIMS,
    tricks: Mapping[str, Trick] = TRICKS,
    doses: Sequence[float] = DOSES,
    first: int = HELD_OUT,
) -> Iterator[DoseDone | dict[str, Any]]:
    """Plant each fault in each dose into held-out recipes and measure.

    Args:
        parts: Backbones of the metrics.
        planner: Planner of the recipes.
        recipes: Number of recipes.
        make: Generates the recipes of given seeds, for the tricks.
        claims: Expected effects of faults in rendered video.
        tricks: Tricks on generated video; none may improve a corrected metric.
        doses: Doses from 0 to 1.
        first: Seed of the first recipe.

    Yields:
        `DoseDone` after each dose, then the whole table as a JSON-ready dict.

    Raises:
        InputError: The number of recipes is out of range.
    """
    if not 2 <= recipes <= MAX_RECIPES:
        raise InputError(f"{recipes} recipes prove nothing.", f"Choose 2 to {MAX_RECIPES}.")
    seeds = range(first, first + recipes)
    toys = [toy_of(planner, seed, k, recipes) for k, seed in enumerate(seeds)]
    measure = _Measure(parts, Judgements.of(parts), recipes)
    total = (len(claims) + len(tricks)) * (len(doses) - 1) + recipes + 3
    base = measure(planted(toys, faults.drawn_again, 0.0))
    yield DoseDone(1, total, "the truth")
    again = measure(planted(toys, faults.drawn_again, 1.0))
    yield DoseDone(2, total, "drawn again")
    noise = {}
    for name, values in base.items():
        moved = paired_difference(values, again[name]).mean
        noise[name] = abs(moved) if moved is not None else 0.0
    rows, done = [], 2
    for claim in claims:
        measured = [base]
        # The shot detector costs more than all other metrics; use it only where it is named.
        named = {name.partition(".")[0] for name in (*claim.answers, *claim.leaves)}
        metrics = [n for n in DEFAULT if n != "shot_boundary" or n in named]
        for dose in doses[1:]:
            measured.append(measure(planted(toys, claim.plant, dose), metrics))
            done += 1
            yield DoseDone(done, total, claim.fault)
        rows += _rows(claim, doses, measured, noise)
    generated: list[GeneratedRun] = []
    if tricks:
        for run in make(seeds):
            generated.append(run)
            done += 1
            yield DoseDone(done, total, "generating")
        base = measure([run.run for run in generated], CORRECTED)
        done += 1
    for name, trick in tricks.items():
        measured = [base]
        for dose in doses[1:]:
            measured.append(measure([played(trick, run, dose) for run in generated], CORRECTED))
            done += 1
            yield DoseDone(done, total, name)
        judged = [each for each in CORRECTED if (name, each) not in BLIND]
        rows += [row_of(name, each, WINS_NOT, doses, measured, noise) for each in judged]
    yield {
        "schema_version": 1,
        "recipes": recipes,
        "clips": sum(len(toy.clips) for toy in toys),
        "generated_clips": sum(len(run.frames) for run in generated),
        "doses": list(doses),
        "backbones": parts.backbones(),
        "noise": {name: round(value, 6) for name, value in sorted(noise.items())},
        "rows": [vars(row) for row in rows],
        "holds": all(row.holds for row in rows),
    }


def toy_of(planner: Planner, seed: int, index: int, count: int) -> Toy:
    """Return the recipe of a seed with its plan and true clips; number `index` of `count`."""
    recipe = random_recipe(seed)
    steps = tuple(step.text for step in recipe.steps)
    clips = tuple(recipe.render(number + 1) for number in range(len(steps)))
    return Toy(recipe, planner.plan(Recipe(recipe.title, steps)), clips, index, count)


def planted(toys: Sequence[Toy], plant: Fault, dose: float) -> list[RunInput]:
    """Return the recipes with a dose of a fault."""
    return [run_of(toy, plant(toy, dose), f"recipe {toy.index}") for toy in toys]


class _Measure:
    def __init__(self, parts: EvaluationParts, judgements: Judgements | None, recipes: int) -> None:
        self._parts, self._judgements, self._cache = parts, judgements, EvidenceCache()
        self._recipes = recipes

    def __call__(self, runs: Sequence[RunInput], metrics: Sequence[str] | None = None) -> Figures:
        """Return every figure of each recipe; parts are named "metric.part"."""
        found: dict[str, list[float | None]] = {}
        events = evaluate(runs, self._parts, metrics, self._judgements, self._cache)
        for event in events:
            if isinstance(event, MetricDone):
                for name, value in _figures(event.result).items():
                    known = found.setdefault(name, [])
                    # A part is None for recipes that do not report it.
                    known += [None] * (int(event.run.removeprefix("recipe ")) - len(known))
                    known.append(value)
        for values in found.values():
            values += [None] * (self._recipes - len(values))
        return found


def _figures(result: Result) -> dict[str, float | None]:
    parts = {f"{result.metric}.{part}": value for part, value in result.parts.items()}
    return {result.metric: result.value, **parts}


def _rows(
    claim: Claim, doses: Sequence[float], measured: Sequence[Figures], noise: Mapping[str, float]
) -> list[Row]:
    rows = []
    for name, way in claim.answers.items():
        rows.append(row_of(claim.fault, name, f"goes {way}", doses, measured, noise))
    for name in claim.leaves:
        rows.append(row_of(claim.fault, name, "stays", doses, measured, noise))
    for name in claim.must_not_win:
        rows.append(row_of(claim.fault, name, WINS_NOT, doses, measured, noise))
    return rows


def row_of(
    fault: str,
    name: str,
    claim: str,
    doses: Sequence[float],
    measured: Sequence[Figures],
    noise: Mapping[str, float],
) -> Row:
    """Return one figure under one fault, from its values by recipe at each dose."""
    nothing = [None] * len(measured[0][name])
    by_dose = [figures.get(name, nothing) for figures in measured]
    values = tuple(mean_of(each) for each in by_dose)
    present = [value for value in values if value is not None]
    rho = spearman(doses, present) if len(present) == len(doses) else None
    moved, room = paired_difference(by_dose[0], by_dose[-1]), _room(noise, name)
    match claim:
        case "goes up":
            holds = rho is not None and rho >= NEEDED_SPEARMAN
        case "goes down":
            holds = rho is not None and rho <= -NEEDED_SPEARMAN
        case "stays":
            holds = moved.mean is not None and (
                abs(moved.mean) <= room or _spans_zero(moved.low, moved.high)
            )
        case _:
            better = -1.0 if METRICS[name].direction == "lower" else 1.0
            gain = None if moved.mean is None else better * moved.mean
            holds = gain is None or gain <= room or _spans_zero(moved.low, moved.high)
    return Row(
        fault, name, claim, values, rho, moved.mean, moved.low, moved.high, room, bool(holds)
    )


def _spans_zero(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low <= 0 <= high


def _room(noise: Mapping[str, float], name: str) -> float:
    """Return how far a figure may move and still count as unmoved."""
    return max(LEAST_NOISE, 2 * noise.get(name, 0.0))


def table_markdown(table: Mapping[str, Any]) -> str:
    """Return the table as Markdown for the docs."""
    doses = " | ".join(f"{dose:g}" for dose in table["doses"])
    lines = [
        f"| fault | figure | must | {doses} | Spearman | change at full dose | noise | holds |",
        f"| --- | --- | --- |{' ---: |' * len(table['doses'])} ---: | --- | ---: | --- |",
    ]
    for row in table["rows"]:
        values = " | ".join("–" if v is None else f"{v:.3f}" for v in row["values"])
        rho = "" if row["spearman"] is None else f"{row['spearman']:.2f}"
        change = "–"
        if row["change"] is not None:
            change = f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        verdict = "yes" if row["holds"] else "**no**"
        lines.append(
            f"| {row['fault']} | `{row['figure']}` | {row['claim']} | {values} | {rho} | {change} "
            f"| {row['noise']:.3f} | {verdict} |"
        )
    return "\n".join(lines) + "\n"
