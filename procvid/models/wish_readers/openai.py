"""Read a free wish about a recipe with a model behind the OpenAI protocol.

The answer is held to the wishes that a person can also type, and refers to things of the recipe, so
neither the wish nor a text of the recipe can ask for anything else.
"""

from __future__ import annotations

from procvid.errors import InputError
from procvid.models.meter import Meter
from procvid.models.openai_client import OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.detour.choose import is_in
from procvid.plan.detour.table import diets
from procvid.plan.detour.wishes import Wishes, wishes_of
from procvid.plan.prompts import read_prompt
from procvid.plan.recipe.parse import MAX_STEP_CHARS
from procvid.types import ModelInfo, Plan, Recipe

MAX_WISH_CHARS = 500


class SwapAnswer(Answer):
    """A thing of the recipe, and what takes its place."""

    old: str
    new: str


class AddAnswer(Answer):
    """A new step, and the number of the step before it."""

    after: int
    text: str


class WishesAnswer(Answer):
    """The answer to `wishes.txt`."""

    without: list[str]
    swap: list[SwapAnswer]
    skip: list[int]
    add: list[AddAnswer]
    servings: int
    diet: list[str]
    refusal: str


class OpenAIWishReader:
    """A reader of wishes that asks a language model.

    Args:
        client: Asks the model.
        meter: Counts the requests.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def read(self, recipe: Recipe, plan: Plan, wish: str) -> tuple[Wishes, str]:
        """Return the wishes, and what of the wish they do not hold ("" if nothing).

        Raises:
            InputError: The wish is empty or too long, or the model gave no usable answer.
            ServiceError: The service is not available, or the budget is used up.
        """
        text = " ".join(wish.split())
        if not any(c.isalpha() for c in text) or len(text) > MAX_WISH_CHARS:
            raise InputError(
                f"A wish of {len(text)} characters cannot be read.",
                f"Write 1 to {MAX_WISH_CHARS} characters.",
            )
        texts = recipe.whole_steps
        material = {
            "title": recipe.title,
            "ingredients": list(recipe.ingredients),
            "steps": {str(number): step for number, step in enumerate(texts, start=1)},
            "diets": list(diets()),
            "wish": text,
        }

        def problems(answer: WishesAnswer) -> list[str]:
            return _problems(answer, recipe, plan, len(texts))

        question = Question(read_prompt("wishes"), material)
        answer = self._client.ask_about_one(question, WishesAnswer, self._meter, problems)
        return _wishes(answer), clean_words(answer.refusal, 200)


def _problems(answer: WishesAnswer, recipe: Recipe, plan: Plan, num_steps: int) -> list[str]:
    found = [
        f"the recipe has no {name[:40]!r}; name things in the words of the recipe"
        for name in (*answer.without, *(pair.old for pair in answer.swap))
        if not is_in(recipe, plan, name)
    ]
    if not all(1 <= number <= num_steps for number in answer.skip):
        found.append(f"skip must hold numbers from 1 to {num_steps}")
    if not all(0 <= one.after <= num_steps for one in answer.add):
        found.append(f"after must be a number from 0 to {num_steps}")
    if not 0 <= answer.servings <= 100:
        found.append("servings must be from 0 to 100")
    if not set(answer.diet) <= set(diets()):
        found.append(f"diet must be one of {', '.join(diets())}")
    try:
        _wishes(answer)
    except InputError as error:
        found.append(error.message)
    return found


def _wishes(answer: WishesAnswer) -> Wishes:
    return wishes_of(
        without=answer.without,
        swap=[f"{pair.old}={pair.new}" for pair in answer.swap],
        skip=[str(number) for number in answer.skip],
        add=[f"{one.after}: {clean_words(one.text, MAX_STEP_CHARS)}" for one in answer.add],
        servings=str(answer.servings) if answer.servings else "",
        diet=answer.diet,
    )
