"""Metrics of a whole set of clips against real ones: one figure for all runs together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from procvid.evaluate.evidence import RunEvidence, SetEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items, not_applicable

NO_REAL = "no real clips are given to compare with (--real)"


class SetMetric(Metric):
    """Fréchet distance of the features of `needs[0]`."""

    def __init__(self) -> None:
        super().__init__()
        self._sets: list[tuple[SetEvidence, str]] = []

    def measure(self, run: RunEvidence) -> Result:
        """The distance of one run's clips."""
        kind = self.needs[0]
        found = run.sets.get(kind)
        if found is None:
            return not_applicable(self.id, self.direction, NO_REAL)
        self._sets.append((found, run.backbones[kind]))
        return self._distance(found, run.backbones[kind])

    def compute(self) -> Result:
        """The distance of the clips of all runs together."""
        mean = super().compute()
        if len(self._sets) < 2 or len(self._sets) < len(self._results):
            return mean
        first, backbone = self._sets[0]
        made = np.concatenate([found.made for found, _ in self._sets])
        return replace(self._distance(replace(first, made=made), backbone), items=mean.items)

    def _distance(self, found: SetEvidence, backbone: str) -> Result:
        if min(len(found.real), len(found.made)) < 2:
            why = "there are fewer than two feature vectors on one side"
            return not_applicable(self.id, self.direction, why)
        value = found.distance(found.real, found.made)
        told = f"{len(found.made)} feature vectors against {len(found.real)} real ones"
        result = from_items(
            self.id, self.direction, [Item("all clips", value, told)], backbone=backbone
        )
        return replace(result, n=len(found.made))
