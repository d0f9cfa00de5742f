"""Wait for a judge behind a service that is away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from procvid.errors import ServiceError
from procvid.stopping import stop_if_asked

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Waiting:
    """A judge is away; it is asked again after some seconds."""

    reason: str
    seconds: float


def patiently(
    ask: Callable[[], Answer], waits_s: Sequence[float]
) -> Generator[Waiting, None, Answer]:
    """Return the answer; yield a pause before each new attempt.

    Args:
        ask: Asks the judge.
        waits_s: Length of the pauses, s.

    Raises:
        ServiceError: The judge is still away after the last pause, or a person has to act.
    """
    pauses = iter(waits_s)
    while True:
        stop_if_asked()
        try:
            return ask()
        except ServiceError as error:
            pause_s = None if error.lasting else next(pauses, None)
            if pause_s is None:
                raise
            yield Waiting(error.message, pause_s)
        time.sleep(pause_s)
