"""Build the models that read a wish or a goal in free words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procvid.settings.environment import read_environment
from procvid.wiring.run import check_key, openai_client

if TYPE_CHECKING:
    from procvid.models.directors.openai import OpenAIDirector
    from procvid.models.wish_readers.openai import OpenAIWishReader

HINT = "Use --swap, --without, --skip, --add, --servings or --diet, which need no model."


def build_wish_reader() -> OpenAIWishReader:
    """Build the reader of free wishes. Raise ServiceError if there is no API key."""
    environment = read_environment()
    check_key(environment, "reader of wishes", HINT)
    from procvid.models.meter import Meter
    from procvid.models.wish_readers.openai import OpenAIWishReader

    return OpenAIWishReader(openai_client(environment, hint=HINT), Meter(environment.openai_budget))


def build_director() -> OpenAIDirector:
    """Build the writer of recipes. Raise ServiceError if there is no API key."""
    environment = read_environment()
    hint = "Use --writer recipes, which changes a known recipe."
    check_key(environment, "director", hint)
    from procvid.models.directors.openai import OpenAIDirector
    from procvid.models.meter import Meter

    return OpenAIDirector(openai_client(environment, hint=hint), Meter(environment.openai_budget))


def has_language_model() -> bool:
    """Return True if the environment names a language model."""
    return read_environment().has_openai
