"""The planner that asks a language model, in two stages (paper, sections 3.6 and 7).

The first request lists the objects of the whole recipe: evidence in the text, name, look, likelihood.
The next ones plan a few steps each: states before and after, and the prompt. Rules keep the kitchen
consistent (`procvid.plan.scripted`). Without a usable answer the rules planner makes the plan, and the
plan's notes give the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial

from procvid.errors import InputError, ServiceError
from procvid.models.meter import Meter
from procvid.models.openai_client import CHARS_PER_TOKEN, OpenAIClient, Question
from procvid.plan.cast import Member, ObjectsAnswer, StepsAnswer, believed
from procvid.plan.codec import check_plan
from procvid.plan.language.lexicon import lexicon
from procvid.plan.prompts import read_prompt
from procvid.plan.recipe.servings import other_notes
from procvid.plan.rules import plan_recipe
from procvid.plan.scripted import Continuity, plan_answered_step, problems_of
from procvid.plan.shots import with_recipe_steps
from procvid.settings.environment import Budget
from procvid.types import ModelInfo, Plan, Recipe, ServiceUse

STEPS_AT_ONCE = 10
OBJECT_TOKENS, STEP_TOKENS = 70, 230
"""Approximate cost of one object and one step of an answer, for the forecast: 280 and 900 characters."""


class OpenAIPlanner:
    """Plans with a model behind the OpenAI protocol.

    Args:
        client: Asks the model.
        budget: Limits of one plan.
        strict: Raise errors that only the user can fix (a wrong key, no quota); otherwise the rules
            planner makes the plan then too.
    """

    def __init__(
        self,
        client: OpenAIClient,
        budget: Budget,
        *,
        strict: bool = True,
    ) -> None:
        self._client, self._budget, self._strict = client, budget, strict
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe.

        Raises:
            ServiceError: The planner is strict, and the key, the quota or the model is missing.
        """
        try:
            return self._asked(recipe, only_kept=False)
        except ServiceError as error:
            if error.lasting and self._strict:
                raise
            return stand_in(with_recipe_steps(plan_recipe(recipe), recipe), error)

    def recall(self, recipe: Recipe) -> Plan | None:
        """Return the plan if all answers are cached and it costs nothing; else None."""
        try:
            return self._asked(recipe, only_kept=True)
        except ServiceError:
            return None

    def forecast(self, recipe: Recipe) -> ServiceUse:
        """Return what `plan` would request, without repairs; the length of the answers is estimated."""
        if self.recall(recipe) is not None:
            return ServiceUse()
        usual = plan_recipe(recipe)
        names = {item.name for step in usual.steps for item in step.objects}
        first = self._objects_question(recipe)
        tokens = first.about_tokens(ObjectsAnswer.model_json_schema()) + OBJECT_TOKENS * len(names)
        groups = _groups(len(recipe.steps))
        for group in groups:
            question = self._steps_question(recipe, {}, Continuity(), group)
            tokens += question.about_tokens(StepsAnswer.model_json_schema())
            # The list of objects is sent with each request.
            tokens += len(names) * 120 // CHARS_PER_TOKEN + STEP_TOKENS * len(group)
        return ServiceUse(1 + len(groups), tokens)

    def _asked(self, recipe: Recipe, *, only_kept: bool) -> Plan:
        meter = Meter(self._budget)
        usual = plan_recipe(recipe)
        repair = read_prompt("repair")
        listed = self._client.ask(
            self._objects_question(recipe),
            ObjectsAnswer,
            meter,
            repair=repair,
            check=lambda answer: [] if answer.objects else ["it lists no objects"],
            only_kept=only_kept,
        )
        cast, notes = believed(listed, recipe)
        if not cast:
            raise ServiceError(f"{self._client.model} listed nothing that the recipe contains.")
        continuity = Continuity(notes=[*other_notes(recipe.notes), *notes])
        steps = []
        for group in _groups(len(recipe.steps)):
            answer = self._client.ask(
                self._steps_question(recipe, cast, continuity, group),
                StepsAnswer,
                meter,
                repair=repair,
                check=partial(problems_of, wanted=group),
                only_kept=only_kept,
            )
            by_number = {step.number: step for step in answer.steps}
            for number in group:
                text, rules_step = recipe.steps[number - 1], usual.steps[number - 1]
                steps.append(
                    plan_answered_step(by_number[number], text, rules_step, cast, continuity)
                )
        unique = tuple(dict.fromkeys(continuity.notes))
        plan = Plan(recipe.title, tuple(steps), f"openai {self._client.model}", unique)
        try:
            return check_plan(with_recipe_steps(plan, recipe))
        except InputError as error:
            raise ServiceError(f"The plan of {self._client.model} is wrong: {error}") from error

    def _objects_question(self, recipe: Recipe) -> Question:
        known = ", ".join(entry.name for entry in lexicon().of_role("vessel", "tool", "surface"))
        instructions = f"{read_prompt('objects')}\nUsual names of things: {known}."
        return Question(
            instructions,
            {
                "title": recipe.title,
                "ingredients": list(recipe.ingredients),
                "steps": _numbered(recipe),
            },
        )

    def _steps_question(
        self,
        recipe: Recipe,
        cast: Mapping[str, Member],
        continuity: Continuity,
        group: tuple[int, ...],
    ) -> Question:
        actions = ", ".join(lexicon().actions)
        objects = [
            {key: asdict(member)[key] for key in ("name", "role", "description")}
            for member in cast.values()
        ]
        return Question(
            f"{read_prompt('steps')}\nAllowed actions: {actions}.",
            {
                "title": recipe.title,
                "steps": _numbered(recipe),
                "objects": objects,
                "before": dict(continuity.states),
                "plan": list(group),
            },
        )


def stand_in(plan: Plan, error: ServiceError) -> Plan:
    """Return the rules planner's plan with the error as its first note."""
    reason = error.message.rstrip(".")
    if reason.startswith(("The ", "There ")):
        reason = reason[0].lower() + reason[1:]
    note = f"the rules planner made this plan, because {reason}"
    return replace(plan, notes=(note, *plan.notes))


def _numbered(recipe: Recipe) -> dict[str, str]:
    return {str(number): text for number, text in enumerate(recipe.steps, start=1)}


def _groups(num_steps: int) -> list[tuple[int, ...]]:
    numbers = range(1, num_steps + 1)
    return [
        tuple(numbers[start : start + STEPS_AT_ONCE])
        for start in range(0, num_steps, STEPS_AT_ONCE)
    ]
