"""Write a recipe for a goal with a model behind the OpenAI protocol (papers 002 and 003).

Each stage knows all stages before: the ingredients, then the steps. The planner adds action, prompt and
states of each step. Nobody has cooked such a recipe, and the result says so.
"""

from __future__ import annotations

from procvid.errors import InputError
from procvid.models.meter import Meter
from procvid.models.openai_client import OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.detour.table import allowed_for
from procvid.plan.detour.words import foods_named, names, thing_of
from procvid.plan.director.goal import Goal
from procvid.plan.language.verbs import names_action
from procvid.plan.prompts import read_prompt
from procvid.plan.recipe.parse import MAX_STEP_CHARS, MAX_TITLE_CHARS
from procvid.plan.recipe.servings import serves
from procvid.types import ModelInfo, Recipe

MOST_INGREDIENTS, MOST_STEPS = 15, 10
MAX_LINE_CHARS = 100


class DirectedDishAnswer(Answer):
    """The answer to `dish_ingredients.txt`."""

    refusal: str
    title: str
    servings: int
    ingredients: list[str]


class DirectedStepsAnswer(Answer):
    """The answer to `dish_steps.txt`."""

    steps: list[str]


class OpenAIDirector:
    """A director that asks a language model.

    Args:
        client: Asks the model.
        meter: Counts the requests.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def direct(self, goal: Goal) -> Recipe:
        """Return a recipe for a goal.

        Raises:
            InputError: The model writes no recipe for this goal, or gave no usable answer.
            ServiceError: The service is not available, or the budget is used up.
        """
        asked = {"goal": goal.text, "diets": list(goal.diets), "without": list(goal.without)}
        dish = self._client.ask_about_one(
            Question(read_prompt("dish_ingredients"), asked),
            DirectedDishAnswer,
            self._meter,
            lambda answer: _dish_problems(answer, goal),
        )
        if dish.refusal.strip():
            raise InputError(
                f"{self._client.model} wrote no recipe: {clean_words(dish.refusal, 200)}",
                "Ask for a dish that people cook at home.",
            )
        lines = tuple(clean_words(line, MAX_LINE_CHARS) for line in dish.ingredients)
        title = clean_words(dish.title, MAX_TITLE_CHARS)
        known = {"goal": goal.text, "title": title, "servings": dish.servings}
        made = self._client.ask_about_one(
            Question(read_prompt("dish_steps"), {**known, "ingredients": list(lines)}),
            DirectedStepsAnswer,
            self._meter,
            lambda answer: _step_problems(answer, goal),
        )
        steps = tuple(clean_words(step, MAX_STEP_CHARS) for step in made.steps)
        return Recipe(title, steps, lines, (serves(dish.servings),))


def _dish_problems(answer: DirectedDishAnswer, goal: Goal) -> list[str]:
    if answer.refusal.strip():
        return []
    found = []
    if not clean_words(answer.title, MAX_TITLE_CHARS):
        found.append("the title is empty")
    if not 1 <= answer.servings <= 12:
        found.append("servings must be from 1 to 12")
    if not 1 <= len(answer.ingredients) <= MOST_INGREDIENTS:
        found.append(f"there must be 1 to {MOST_INGREDIENTS} ingredients")
    return found + _forbidden(answer.ingredients, goal)


def _step_problems(answer: DirectedStepsAnswer, goal: Goal) -> list[str]:
    found = []
    if not 2 <= len(answer.steps) <= MOST_STEPS:
        found.append(f"there must be 2 to {MOST_STEPS} steps")
    idle = [number for number, step in enumerate(answer.steps, start=1) if not names_action(step)]
    if idle:
        found.append(f"step {idle[0]} names no action")
    return found + _forbidden(answer.steps, goal)


def _forbidden(texts: list[str], goal: Goal) -> list[str]:
    """Return the foods in texts that the goal excludes."""
    foods = dict.fromkeys(food for text in texts for food in foods_named(text))
    found = [
        f"{food} is not {diet}"
        for food in foods
        for diet in goal.diets
        if not allowed_for(food, diet)
    ]
    return found + [
        f"the goal is without {name}"
        for name in goal.without
        if any(names(text, thing_of(name)) for text in texts)
    ]
