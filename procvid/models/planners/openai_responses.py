"""The planner that asks a language model, in two stages (paper, sections 3.6 and 7).

First the objects of the whole recipe: evidence in the text, name, look, likelihood. Then, some steps at
a time, what each step shows: the states before and after, and the prompt. What follows from the
kitchen is kept by rule (`procvid.plan.scripted`), and where no usable answer comes, the rules planner
plans and the plan's notes say why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial

from procvid.errors import InputError, ServiceError
from procvid.models.meter import Meter
from procvid.models.openai_client import CHARS_PER_TOKEN, OpenAIClient, Question
from procvid.plan.cast import Member, ObjectsAnswer, StepsAnswer, believed
from procvid.plan.codec import check_plan
from procvid.plan.lexicon import lexicon
from procvid.plan.prompts import read_prompt
from procvid.plan.scripted import Continuity, plan_answered_step, problems_of
from procvid.settings import Budget
from procvid.types import ModelInfo, Plan, Recipe, ServiceUse

STEPS_AT_ONCE = 10
OBJECT_TOKENS, STEP_TOKENS = 70, 230
"""What one object and one step of an answer cost about, for the forecast: 280 and 900 characters."""


class OpenAIPlanner:
    """Plans with a model behind the OpenAI protocol.

    Args:
        client: Asks it.
        rules: The rules planner: it knows the usual action of a step, and stands in.
        budget: The most that one plan may ask.
        strict: Whether what only a person can mend (a wrong key, no quota) is an error; otherwise
            the rules planner stands in there too.
    """

    def __init__(
        self,
        client: OpenAIClient,
        rules: Callable[[Recipe], Plan],
        budget: Budget,
        *,
        strict: bool = True,
    ) -> None:
        self._client, self._rules, self._budget, self._strict = client, rules, budget, strict
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe.

        Raises:
            ServiceError: Asked for by name, and the key, the quota or the model is not there.
        """
        try:
            return self._asked(recipe, only_kept=False)
        except ServiceError as error:
            if error.lasting and self._strict:
                raise
            return stand_in(self._rules(recipe), error)

    def recall(self, recipe: Recipe) -> Plan | None:
        """The plan as far as it costs nothing: all answers were given before; else None."""
        try:
            return self._asked(recipe, only_kept=True)
        except ServiceError:
            return None

    def forecast(self, recipe: Recipe) -> ServiceUse:
        """What `plan` would ask, without repairs; the answers' length is a guess."""
        if self.recall(recipe) is not None:
            return ServiceUse()
        usual = self._rules(recipe)
        names = {item.name for step in usual.steps for item in step.objects}
        first = self._objects_question(recipe)
        tokens = first.about_tokens(ObjectsAnswer.model_json_schema()) + OBJECT_TOKENS * len(names)
        groups = _groups(len(recipe.steps))
        for group in groups:
            question = self._steps_question(recipe, {}, Continuity(), group)
            tokens += question.about_tokens(StepsAnswer.model_json_schema())
            # The list of objects goes along each time.
            tokens += len(names) * 120 // CHARS_PER_TOKEN + STEP_TOKENS * len(group)
        return ServiceUse(1 + len(groups), tokens)

    def _asked(self, recipe: Recipe, *, only_kept: bool) -> Plan:
        meter = Meter(self._budget)
        usual = self._rules(recipe)
        repair = read_prompt("repair")
        told = self._client.ask(
            self._objects_question(recipe),
            ObjectsAnswer,
            meter,
            repair=repair,
            check=lambda answer: [] if answer.objects else ["it lists no objects"],
            only_kept=only_kept,
        )
        cast, notes = believed(told, recipe)
        if not cast:
            raise ServiceError(f"{self._client.model} listed nothing that the recipe contains.")
        continuity = Continuity(notes=[*recipe.notes, *notes])
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
            return check_plan(plan)
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
    """The rules planner's plan, with the reason why it is not the model's as its first note."""
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
