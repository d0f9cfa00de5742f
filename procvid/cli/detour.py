"""`procvid detour`: change a recipe, and make anew only the clips that change."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from procvid.cli.arguments import add_json
from procvid.cli.screen import show_run
from procvid.errors import InputError, RunError
from procvid.plan.detour.detour import Detour, make_detour
from procvid.plan.detour.diff import StepDiff
from procvid.plan.detour.table import diets
from procvid.plan.detour.wishes import Wishes, joined, wishes_of
from procvid.plan.graph.habits import detours_taken
from procvid.plan.graph.mined import MinedGraph
from procvid.plan.graph.mined_file import load_mined
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.recipe.written import recipe_text
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.run.detour import DetourOf, asked_json, asked_there, check_same_detour
from procvid.run.folder import RUN, RunFolder, read_run
from procvid.run.story import make_video
from procvid.settings.environment import user_path
from procvid.storage.atomic import write_text
from procvid.storage.text import printable
from procvid.types import GenerateRequest, Plan, Recipe
from procvid.wiring import run as wiring
from procvid.wiring.takes import build_final_judge, build_take_judge
from procvid.wiring.wishes import build_wish_reader

MARKS = {"kept": " ", "changed": "~", "new": "+", "dropped": "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Change a recipe: show what stays and what changes, and write the new recipe, or remake the "
        "video of a run, generating only the clips that change."
    )
    parser.add_argument("recipe", metavar="RECIPE|RUN", help="recipe file, or run folder")
    parser.add_argument(
        "--without",
        metavar="THING",
        action="append",
        default=[],
        help="food or tool to leave out; replaced if a substitute is known; repeatable",
    )
    parser.add_argument(
        "--swap",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help='thing to replace, such as "butter=olive oil"; repeatable',
    )
    parser.add_argument(
        "--skip",
        metavar="STEP",
        action="append",
        default=[],
        help="step to skip, such as 3, or a shot of it, such as 3b; repeatable",
    )
    parser.add_argument(
        "--add",
        metavar="TEXT",
        action="append",
        default=[],
        help='step to add before serving; "2: TEXT" adds it after step 2; repeatable',
    )
    parser.add_argument(
        "--servings", metavar="N", default="", help="number of servings; 2/4 scales from 4 to 2"
    )
    parser.add_argument(
        "--diet",
        metavar="DIET",
        action="append",
        default=[],
        help=f"diet to follow: {', '.join(diets())}; repeatable",
    )
    parser.add_argument(
        "--ask",
        metavar="WISH",
        help='free wish, such as "make it spicy", read by a language model (OPENAI_API_KEY)',
    )
    parser.add_argument(
        "--mined",
        metavar="FILE",
        help="say what other recipes do in place of steps (from `procvid graph mine`)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE|DIR",
        help="file for the new recipe, or run folder of the new video; without it the command only "
        "shows what would change",
    )
    add_json(parser, "print what changes as JSON; with a run the events of the new run follow")
    parser.set_defaults(run=make)


def make(arguments: argparse.Namespace) -> None:
    """Show what a detour changes, and make it.

    Raises:
        InputError: A wish is wrong, the recipe does not have what it names, or the mined graph cannot be
            read.
        RunError: The run has no plan, or the folder holds another run.
        OutputError: The recipe or the folder cannot be written.
    """
    wishes = wishes_of(
        without=arguments.without,
        swap=arguments.swap,
        skip=arguments.skip,
        add=arguments.add,
        servings=arguments.servings,
        diet=arguments.diet,
    )
    path = user_path(arguments.recipe)
    if arguments.mined is not None:
        mined = load_mined(user_path(arguments.mined))
        if not wishes.empty or arguments.ask or arguments.out:
            raise InputError("--mined only lists changes.", "Use it without other options.")
        _list_taken(path, mined, arguments.json)
        return
    out = user_path(arguments.out) if arguments.out else None
    if out is not None and asked_there(out):
        # The earlier run is not needed any more.
        check_same_detour(out, asked_json(wishes, arguments.ask or ""))
        _generate(read_run(out).request, out, None, arguments.json)
        return
    if not path.is_dir():
        recipe = cut_into_shots(read_recipe(path))
        plan = with_recipe_steps(plan_recipe(recipe), recipe)
        wishes = _with_asked(recipe, plan, wishes, arguments)
        detour = make_detour(recipe, plan, wishes)
        _show(detour, arguments.json)
        if out is not None:
            write_text(out, recipe_text(detour.recipe) + "\n")
            _say(arguments.json, f"Recipe: {printable(out)}")
        return
    request, plan = _run_of(path)
    typed, wishes = wishes, _with_asked(request.recipe, plan, wishes, arguments)
    detour = make_detour(request.recipe, plan, wishes)
    _show(detour, arguments.json)
    if out is None:
        return
    if (out / RUN).exists():
        raise RunError(
            f"The folder {str(out)!r} holds another run.", "Choose a new folder for --out."
        )
    changed = dataclasses.replace(request, recipe=detour.recipe)
    asked = DetourOf(path, wishes, detour, arguments.ask or "", typed)
    _generate(changed, out, asked, arguments.json)


def _list_taken(path: Path, mined: MinedGraph, as_json: bool) -> None:
    plan = _run_of(path)[1] if path.is_dir() else plan_recipe(cut_into_shots(read_recipe(path)))
    taken = detours_taken(plan, mined)
    if as_json:
        print(json.dumps({"detours": taken}, ensure_ascii=False))
    else:
        print("\n".join(taken) or "Other recipes do the same as this one.")


def _with_asked(
    recipe: Recipe, plan: Plan, wishes: Wishes, arguments: argparse.Namespace
) -> Wishes:
    """Return the wishes with those that a language model reads out of a free wish."""
    if arguments.ask is None:
        return wishes
    asked, refusal = build_wish_reader().read(recipe, plan, arguments.ask)
    if asked.empty:
        raise InputError(
            f"The wish cannot be fulfilled: {refusal or 'it asks for no change of this recipe.'}",
            "Ask for another change, or use --swap.",
        )
    if refusal:
        _say(arguments.json, f"Not included: {refusal}")
    return joined(wishes, asked)


def _run_of(path: Path) -> tuple[GenerateRequest, Plan]:
    run = RunFolder(path, read_run(path))
    plan = run.read_plan()
    if plan is None:
        raise RunError("The run has no plan yet.", "Finish it with `procvid generate` first.")
    return run.record.request, plan


def _generate(request: GenerateRequest, out: Path, detour: DetourOf | None, as_json: bool) -> None:
    parts = wiring.build_again(request)
    judge = build_take_judge(parts.profile) if request.takes.several else None
    final = build_final_judge(parts.profile) if request.takes.final_judge else None
    plan = None if detour is None else detour.detour.plan
    events = make_video(
        request, parts, out, plan=plan, judge=judge, final_judge=final, detour=detour
    )
    show_run(events, as_json)


def _show(detour: Detour, as_json: bool) -> None:
    if as_json:
        print(json.dumps(detour.as_json(), ensure_ascii=False))
    else:
        show_detour(detour)


def show_detour(detour: Detour) -> None:
    """Print what a detour changes, a line or more per step."""
    print(detour.recipe.title)
    for step in detour.steps:
        _show_step(step)
    for before, now in detour.lines:
        print(f"Ingredient: {before} -> {now or 'none'}")
    print(detour.summary)
    for note in detour.notes:
        print(f"Note: {note}")


def _show_step(step: StepDiff) -> None:
    number = f"({step.name})" if step.kind == "dropped" else f"{step.name}."
    print(f"{MARKS[step.kind]} {number} {step.text}")
    if step.before:
        print(f"     before: {step.before}")
    if step.objects:
        print(f"     {'; '.join(step.objects)}")


def _say(as_json: bool, text: str) -> None:
    if not as_json:
        print(text)
