"""What every metric has in common: an id, a direction, what it needs, `update` and `compute`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from procvid.evaluate.evidence import RunEvidence
from procvid.evaluate.result import Direction, Result, pooled, unavailable

NO_JOINTS = "there are no two clips of following steps, so there is no joint"


def why_no_dish(run: RunEvidence) -> str:
    """Why the metrics of the finished dish do not apply."""
    if run.steps is None:
        return "there is no recipe, so no dish"
    return "the last clip is not that of the recipe's last step, so no dish is shown"


class Metric(ABC):
    """One metric over one or more recipes.

    Attributes:
        id: As in reports and on the command line.
        title: For people.
        direction: Which way is better.
        needs: Kinds of evidence without which it is unavailable.
        heeds: Kinds that it looks at where they can be had: the corrected metrics see by the detector
            whether a reference is pasted.
        paper: Whether it is a column of the paper's Table 1, as published.
        standard: Whether it is one of the field's usual figures, measured only when asked for.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    direction: ClassVar[Direction]
    needs: ClassVar[tuple[str, ...]]
    heeds: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[bool] = False
    standard: ClassVar[bool] = False

    def __init__(self) -> None:
        self._results: list[tuple[str, Result]] = []

    def update(self, run: RunEvidence) -> Metric:
        """Take in one recipe's clips; returns the metric itself."""
        missing = next((run.missing[need] for need in self.needs if need in run.missing), None)
        result = (
            self.measure(run) if missing is None else unavailable(self.id, self.direction, missing)
        )
        self._results.append((run.name, result))
        return self

    def compute(self) -> Result:
        """The result over all recipes so far: their mean, with the standard deviation over them.

        Raises:
            ValueError: no recipe was given.
        """
        if not self._results:
            raise ValueError(f"{self.id} has seen no clips")
        return pooled(self._results)

    @abstractmethod
    def measure(self, run: RunEvidence) -> Result:
        """The result of one recipe, whose evidence has all that the metric needs."""
