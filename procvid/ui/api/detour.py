"""The endpoint /detour."""

from __future__ import annotations

import dataclasses
from typing import Literal, cast

import gradio as gr
from typing_extensions import TypedDict

from procvid.errors import InputError
from procvid.plan.detour.detour import Detour
from procvid.plan.recipe.written import recipe_text
from procvid.types import Plan
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.detours import detour_of, detour_of_run, read_wishes, start_detour
from procvid.ui.server.jobs import make_draft
from procvid.ui.server.visitors import visitor_of


class DetourStep(TypedDict):
    """A step of the new recipe, or a dropped one of the old recipe.

    `before` is its text before, or "". `objects` are sentences about what it shows now.
    """

    kind: Literal["kept", "changed", "new", "dropped"]
    step: str
    text: str
    before: str
    objects: list[str]


class DetourIngredient(TypedDict):
    """An ingredient line that changes; `now` is "" if it goes."""

    before: str
    now: str


class DetourSwap(TypedDict):
    """A food or tool and what takes its place; `new` is "" for nothing."""

    old: str
    new: str


class DetourAnswer(TypedDict):
    """A changed recipe and its difference from the old one.

    `recipe` is its text. `run_id` is the new run if `make` is true, else "".
    """

    title: str
    summary: str
    steps: list[DetourStep]
    ingredients: list[DetourIngredient]
    swaps: list[DetourSwap]
    notes: list[str]
    recipe: str
    plan: Plan
    run_id: str


def mount(context: AppContext) -> None:
    """Add the endpoint to the enclosing Blocks."""

    def detour(
        run_id: str = "",
        recipe: str = "",
        without: list[str] | None = None,
        swap: list[str] | None = None,
        skip: list[str] | None = None,
        add: list[str] | None = None,
        servings: str = "",
        diet: list[str] | None = None,
        make: bool = False,
        request: gr.Request | None = None,
    ) -> DetourAnswer:
        """Change the recipe of a run, or any recipe, and return what stays and what changes.

        Parameters:
            run_id: the run whose recipe changes, as in the events of /generate
            recipe: or a recipe: plain text, Markdown, JSON or JSON-LD
            without: foods and tools to do without; a known substitute takes their place
            swap: things to replace, such as "butter=olive oil"
            skip: steps to skip, such as "3", or one shot of a step, such as "3b"
            add: steps to add before serving; "2: Text" adds one after step 2
            servings: number of servings, or "2/4" for two instead of four
            diet: diets to keep, such as "vegan"
            make: true starts a new run that takes over the clips of run_id in which nothing changes
        """
        visitor = visitor_of(request)
        if not isinstance(make, bool):
            raise InputError(
                f"Make is {str(make)[:40]!r}, not true or false.", "Write true or false."
            )
        wishes = read_wishes(without, swap, skip, add, servings, diet)
        if bool(run_id) == bool(recipe):
            which = "Both a run and a recipe are" if run_id else "No run and no recipe is"
            raise InputError(f"{which} given.", "Send either run_id or recipe.")
        if make and not run_id:
            raise InputError(
                "Only the recipe of a run can be changed and made at once.",
                "Send the new recipe to /generate.",
            )
        context.allowance.spend(visitor, "plans")
        if not run_id:
            found = detour_of(make_draft(context, recipe), wishes)
            return _answer(found)
        found = detour_of_run(context, run_id, wishes)
        new = start_detour(context, run_id, wishes, visitor).snapshot().run_id if make else ""
        return _answer(found, new)

    endpoint(detour, DetourAnswer, concurrency_limit=2)


def _answer(found: Detour, run_id: str = "") -> DetourAnswer:
    return DetourAnswer(
        title=found.recipe.title,
        summary=found.summary,
        steps=[
            DetourStep(
                kind=step.kind,
                step=step.name,
                text=step.text,
                before=step.before,
                objects=list(step.objects),
            )
            for step in found.steps
        ],
        ingredients=[DetourIngredient(before=old, now=now) for old, now in found.lines],
        swaps=[DetourSwap(old=swap.old, new=swap.new) for swap in found.swaps],
        notes=list(found.notes),
        recipe=recipe_text(found.recipe),
        plan=cast(Plan, dataclasses.asdict(found.plan)),
        run_id=run_id,
    )
