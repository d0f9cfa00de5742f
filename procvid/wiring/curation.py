"""The composition root of curation: words of the command line become the models of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procvid.data.stages import Tools
from procvid.errors import InputError
from procvid.plan.transcript import steps_said
from procvid.protocols import Captioner, StepFinder
from procvid.settings import CAPTIONER_CHOICES, STEP_FINDER_CHOICES, read_environment
from procvid.wiring.evaluation import build_shot_detector
from procvid.wiring.run import check_key, openai_client

if TYPE_CHECKING:
    from procvid.models.meter import Meter
    from procvid.models.openai_client import OpenAIClient

__all__ = ["build_tools"]

NO_CAPTIONER = "No vision model was asked; --captions openai asks one."


def build_tools(step_finder: str = "rules", captioner: str = "none") -> Tools:
    """The models of curation, computing on one thread. A worker calls it without arguments.

    Args:
        step_finder: "rules" or "openai".
        captioner: "none" or "openai".

    Raises:
        InputError: One of them has no such name.
        ServiceError: There is no key.
        UnavailableError: TransNetV2 is missing.
    """
    # The cheap parts first: a missing key is told before torch is loaded.
    finder, eyes = build_step_finder(step_finder), build_captioner(captioner)
    from procvid.models.device import one_thread

    one_thread()
    return Tools(finder, build_shot_detector(), eyes, "" if eyes else NO_CAPTIONER)


def build_step_finder(wanted: str) -> StepFinder:
    """What finds the steps in a transcript. Raises as `build_tools`."""
    match wanted:
        case "rules":
            from procvid.models.step_finders.rules import RulesStepFinder

            return RulesStepFinder(steps_said)
        case "openai":
            asked = _service("step finder", "Use --steps rules, which asks nobody.")
            from procvid.models.step_finders.openai_transcripts import OpenAIStepFinder

            return OpenAIStepFinder(*asked)
        case _:
            raise _unknown("step finder", wanted, STEP_FINDER_CHOICES)


def build_captioner(wanted: str) -> Captioner | None:
    """What looks at clips; None for "none". Raises as `build_tools`."""
    match wanted:
        case "none":
            return None
        case "openai":
            asked = _service("captioner", "Leave --captions out, and there are none.")
            from procvid.models.captioners.openai_vision import OpenAICaptioner

            return OpenAICaptioner(*asked)
        case _:
            raise _unknown("captioner", wanted, CAPTIONER_CHOICES)


def _service(part: str, hint: str) -> tuple[OpenAIClient, Meter]:
    """The client of a part and the meter of its run; without a key, `hint` says what else to do."""
    environment = read_environment()
    check_key(environment, part, hint)
    from procvid.models.meter import Meter

    return openai_client(environment, hint=hint), Meter(environment.openai_budget)


def _unknown(part: str, wanted: str, choices: tuple[str, ...]) -> InputError:
    return InputError(f"There is no {part} {wanted!r}.", f"Choose one of {', '.join(choices)}.")
