"""Build the models of curation from the options of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procvid.data.stages import Tools
from procvid.errors import InputError
from procvid.machine import use_one_thread
from procvid.protocols import Captioner, PairWriter, SceneReader, StepFinder
from procvid.settings import (
    CAPTIONER_CHOICES,
    PAIR_WRITER_CHOICES,
    SEEN_CHOICES,
    STEP_FINDER_CHOICES,
    TINY,
)
from procvid.settings.environment import read_environment
from procvid.wiring.evaluation import build_shot_detector, build_tiny_reader
from procvid.wiring.run import build_scene_reader, check_key, openai_client

if TYPE_CHECKING:
    from procvid.models.meter import Meter
    from procvid.models.openai_client import OpenAIClient

__all__ = ["build_tools"]

NO_CAPTIONER = "No vision model was asked; --captions openai asks one."


def build_tools(step_finder: str = "rules", captioner: str = "none") -> Tools:
    """Build the models of curation, computing on one thread. A worker passes no arguments.

    Args:
        step_finder: "rules" or "openai".
        captioner: "none" or "openai".

    Raises:
        InputError: A name is unknown.
        ServiceError: There is no API key.
        UnavailableError: TransNetV2 is missing.
    """
    # The light parts first: a missing key is reported before torch is loaded.
    finder, eyes = build_step_finder(step_finder), build_captioner(captioner)
    use_one_thread()
    return Tools(finder, build_shot_detector(), eyes, "" if eyes else NO_CAPTIONER)


def build_step_finder(wanted: str) -> StepFinder:
    """Build the finder of steps in transcripts. Raises as `build_tools`."""
    match wanted:
        case "rules":
            from procvid.models.step_finders.rules import RulesStepFinder

            return RulesStepFinder()
        case "openai":
            client, meter = _service("step finder", "Use --steps rules, which asks no service.")
            from procvid.models.step_finders.openai_transcripts import OpenAIStepFinder

            return OpenAIStepFinder(client, meter)
        case _:
            raise _unknown("step finder", wanted, STEP_FINDER_CHOICES)


def build_captioner(wanted: str) -> Captioner | None:
    """Build the captioner; None for "none". Raises as `build_tools`."""
    match wanted:
        case "none":
            return None
        case "openai":
            client, meter = _service("captioner", "Omit --captions to make none.")
            from procvid.models.captioners.openai_vision import OpenAICaptioner

            return OpenAICaptioner(client, meter)
        case _:
            raise _unknown("captioner", wanted, CAPTIONER_CHOICES)


def build_pair_writer(wanted: str) -> PairWriter:
    """Build the writer of descriptions and questions. Raises as `build_tools`."""
    match wanted:
        case "rules":
            from procvid.models.pair_writers.rules import RulesPairWriter

            return RulesPairWriter()
        case "openai":
            client, meter = _service("pair writer", "Use --writer rules, which asks no service.")
            from procvid.models.pair_writers.openai import OpenAIPairWriter

            return OpenAIPairWriter(client, meter)
        case _:
            raise _unknown("pair writer", wanted, PAIR_WRITER_CHOICES)


def build_object_reader(wanted: str) -> SceneReader | None:
    """Build what names the objects of a clip; None for "none". Raises as `build_tools`."""
    match wanted:
        case "none":
            return None
        case "tiny":
            return build_tiny_reader(TINY)
        case "openai":
            return build_scene_reader("openai")
        case _:
            raise _unknown("reader of objects", wanted, SEEN_CHOICES)


def _service(part: str, hint: str) -> tuple[OpenAIClient, Meter]:
    """Build the client of a part and the meter of its run; `hint` is the way without a key."""
    environment = read_environment()
    check_key(environment, part, hint)
    from procvid.models.meter import Meter

    return openai_client(environment, hint=hint), Meter(environment.openai_budget)


def _unknown(part: str, wanted: str, choices: tuple[str, ...]) -> InputError:
    return InputError(f"There is no {part} {wanted!r}.", f"Choose one of {', '.join(choices)}.")
