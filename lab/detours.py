"""Make fifteen detours of three runs, and count what was made, taken over, and stayed the same.

`python -m lab.detours --out FOLDER` makes the runs with the shipped tiny models, and writes
`detours.json` and `detours.md`. A clip had to be made if its step is new, or if its words, objects or
states differ from those of the step that it comes from. All other clips must have the bytes of the
earlier run. The frozen oracle compares the vessel of each clip that was made with that of each clip that
was taken over, where both steps use the same vessel; the pairs of the earlier run are beside it. A
repeated command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from lab.command import ASSETS, new_parser
from lab.pretrain.oracle import Oracle
from lab.weights import load_oracle
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import RunError
from procvid.media.video import read_clip
from procvid.plan.detour.detour import make_detour
from procvid.plan.detour.wishes import wishes_of
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.detour import DetourOf
from procvid.run.folder import CLIP, RunFolder, read_run
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.settings import TINY, choose_sampling
from procvid.storage.atomic import write_text
from procvid.storage.files import write_json
from procvid.storage.lock import output_folder
from procvid.types import GenerateRequest, Plan, StepPlan
from procvid.wiring import run as wiring

EXAMPLES = Path(__file__).parents[1] / "examples"
LOOKS = ("vessel_colour", "vessel_shape")
DETOURS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "carrot_omelette.txt": (
        {"swap": ["carrot=potato"]},
        {"diet": ["vegan"]},
        {"skip": ["1"]},
        {"add": ["Slice the tomato on the cutting board."]},
        {"servings": "4/2"},
    ),
    "mushroom_pan.txt": (
        {"swap": ["mushroom=eggplant"]},
        {"swap": ["plate=bowl"]},
        {"skip": ["2"]},
        {"add": ["1: Slice the carrot on the cutting board."]},
        {"swap": ["spoon=spatula"]},
    ),
    "shrimp_and_onion.txt": (
        {"swap": ["shrimp=potato"]},
        {"without": ["onion"]},
        {"skip": ["1"], "add": ["Serve the lemon on a plate."]},
        {"add": ["0: Peel the potato on the cutting board."]},
        {"diet": ["shellfish-free"]},
    ),
}


def detours(arguments: argparse.Namespace) -> None:
    """Make the runs and their detours, and write what was made and what stayed.

    Raises:
        RunError: A clip that had to stay has other bytes.
    """
    rows: list[dict[str, Any]] = []
    with output_folder(arguments.out):
        parts, oracle = wiring.build(TINY.name, planner="rules"), load_oracle(ASSETS / "oracle")
        for name, all_wishes in DETOURS.items():
            source = arguments.out / Path(name).stem
            recipe = cut_into_shots(read_recipe(EXAMPLES / name))
            request = GenerateRequest(recipe, choose_sampling(TINY), TINY.name, seed=1)
            _finish(request, parts, source, None)
            for number, wishes in enumerate(all_wishes, start=1):
                out = arguments.out / f"{source.name}-{number}"
                rows.append({"recipe": recipe.title, "wishes": wishes})
                rows[-1] |= detour_row(source, out, wishes, parts, oracle)
                print(f"{recipe.title}, {_asked(wishes)}: {rows[-1]['made']} made", flush=True)
        write_json(arguments.out / "detours.json", {"rows": rows})
        write_text(arguments.out / "detours.md", table(rows))
    print(table(rows), end="")
    wrong = [row for row in rows if row["other_bytes"]]
    if wrong:
        raise RunError(f"{len(wrong)} detours changed clips that had to stay.")


def detour_row(
    source: Path, out: Path, wishes: Mapping[str, Any], parts: Parts, oracle: Oracle
) -> dict[str, Any]:
    """Make one detour, and return what was made, what stayed, and the vessel's identity."""
    there = RunFolder(source, read_run(source))
    plan = there.read_plan()
    assert plan is not None
    checked = wishes_of(**wishes)
    detour = make_detour(there.record.request.recipe, plan, checked)
    request = dataclasses.replace(there.record.request, recipe=detour.recipe)
    _finish(request, parts, out, DetourOf(source, checked, detour))
    made_run = RunFolder(out, read_run(out))
    records = {step.number: made_run.read_step(step.number) for step in detour.plan.steps}
    taken = {n for n, record in records.items() if record is not None and record.taken_from}
    needed = {step.number for step in detour.steps if step.kind in ("changed", "new")}
    old = {number: shot.old for number, shot in enumerate(detour.shots, start=1)}
    same = {n for n in taken if _clip(out, n) == _clip(source, old[n])}
    vessels = {step.number: _vessel(step) for step in detour.plan.steps}
    pairs = [
        (a, b)
        for a, b in combinations(sorted(records), 2)
        if (a in taken) != (b in taken) and vessels[a] and vessels[a] == vessels[b]
    ]
    return {
        "summary": detour.summary,
        "steps": len(records),
        "needed": len(needed),
        "made": len(records) - len(taken),
        "made_but_not_needed": sorted(set(records) - taken - needed),
        "other_bytes": sorted(taken - same),
        "pairs": len(pairs),
        "same_vessel": _same(oracle, out, pairs),
        "source": _of_source(oracle, source, plan),
    }


def _finish(request: GenerateRequest, parts: Parts, folder: Path, asked: DetourOf | None) -> None:
    plan = None if asked is None else asked.detour.plan
    for _ in make_video(request, parts, folder, plan=plan, detour=asked):
        pass


def _clip(folder: Path, number: int) -> bytes:
    return (folder / f"steps/{number:02d}" / CLIP).read_bytes()


def _vessel(step: StepPlan) -> str:
    return next((item.name for item in step.objects if item.role == "vessel"), "")


def _of_source(oracle: Oracle, source: Path, plan: Plan) -> tuple[int, int]:
    """Return how many pairs of clips of the earlier run share a vessel, and in how many it looks so."""
    vessels = {step.number: _vessel(step) for step in plan.steps}
    pairs = [(a, b) for a, b in combinations(vessels, 2) if vessels[a] and vessels[a] == vessels[b]]
    return len(pairs), _same(oracle, source, pairs)


def _same(oracle: Oracle, folder: Path, pairs: Sequence[tuple[int, int]]) -> int:
    """Return in how many pairs of clips the oracle sees the same colour and shape of the vessel."""
    numbers = sorted({number for pair in pairs for number in pair})
    if not numbers:
        return 0
    files = [folder / f"steps/{number:02d}" / CLIP for number in numbers]
    frames = [read_clip(file, downscale=TINY.display_scale).frames for file in files]
    answers = dict(zip(numbers, oracle.name(frames), strict=True))
    return sum(all(answers[a][look] == answers[b][look] for look in LOOKS) for a, b in pairs)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a Markdown table with a line of sums."""
    lines = [
        "| recipe | change | clips | had to be made | made | taken over byte for byte | same vessel |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        taken = row["steps"] - row["made"] - len(row["other_bytes"])
        lines.append(
            f"| {row['recipe']} | {_asked(row['wishes'])} | {row['steps']} | {row['needed']} "
            f"| {row['made']} | {taken} | {row['same_vessel']} of {row['pairs']} |"
        )
    total = {key: sum(row[key] for row in rows) for key in ("steps", "needed", "made")}
    pairs, same = (sum(row[key] for row in rows) for key in ("pairs", "same_vessel"))
    taken = sum(row["steps"] - row["made"] - len(row["other_bytes"]) for row in rows)
    sources = {row["recipe"]: row["source"] for row in rows}.values()
    lines.append(
        f"| all | | {total['steps']} | {total['needed']} | {total['made']} | {taken} "
        f"| {same} of {pairs} |"
    )
    lines += [
        "",
        f"In the earlier runs the vessel looks the same in {sum(s[1] for s in sources)} of "
        f"{sum(s[0] for s in sources)} pairs.",
    ]
    return "\n".join(lines) + "\n"


def _asked(wishes: Mapping[str, Any]) -> str:
    parts = []
    for name, given in wishes.items():
        texts = [given] if isinstance(given, str) else given
        parts += [f'`--{name} "{text}"`' for text in texts]
    return " ".join(parts)


def parser() -> Parser:
    """Return the parser of `python -m lab.detours`."""
    made = new_parser("detours", __doc__ or "")
    made.add_argument(
        "--out", metavar="FOLDER", type=Path, required=True, help="folder of the runs"
    )
    made.set_defaults(run=detours)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
