"""Base classes of all metrics: `Metric` scores one recipe at a time, `SetMetric` a set of clips."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from procvid.evaluate.evidence import ClipEvidence, RunEvidence, SetEvidence
from procvid.evaluate.known_world import clips_in_words
from procvid.evaluate.result import (
    Direction,
    MetricItem,
    Result,
    from_items,
    not_applicable,
    pooled,
    unavailable,
)

Group = Literal["paper", "corrected", "standard", "captions"]
Plot = Literal["joints", "steps", "gaps", "objects"]

GROUP_TITLES: Mapping[Group, str] = {
    "paper": "Paper metrics, as published",
    "corrected": "Corrected metrics",
    "standard": "Standard metrics",
    "captions": "Metrics of captions",
}
"""Title of each group, in the order of a report."""

NO_JOINTS = "there are no two clips of consecutive steps, so there is no joint"
NO_REAL_CLIPS = "no real clips were given to compare with (--real)"


class Metric(ABC):
    """One metric over one or more recipes.

    A subclass is one file in `procvid.evaluate.metrics` and is found there. Reports and the page read
    its attributes.

    Attributes:
        id: Name in reports and on the command line; also the name of its file.
        title: Title in tables and plots.
        group: "paper": a column of the paper's Table 1, as published. "corrected": a metric that a
            frozen or pasted video cannot win. "standard" and "captions": measured only on
            request; captions may ask a vision model.
        order: Position within the group, from 1.
        direction: Which way is better.
        needs: Kinds of evidence without which the metric is unavailable.
        optional_needs: Kinds of evidence that are used when available. The corrected metrics use the
            detector to see pasted references.
        plot: How the items are plotted; None for no plot.
        plotted_fact: Fact of an item that is plotted in place of its value.
        published: Values in the paper's Table 1: Phantom, then fine-tuned with memory.
        chained: The items of a clip depend on the clips before it.
        has_objections: An item with value 0 holds an objection of the judge as its note.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[Group]
    order: ClassVar[int]
    direction: ClassVar[Direction]
    needs: ClassVar[tuple[str, ...]]
    optional_needs: ClassVar[tuple[str, ...]] = ()
    plot: ClassVar[Plot | None] = None
    plotted_fact: ClassVar[str] = ""
    published: ClassVar[tuple[str, ...]] = ()
    chained: ClassVar[bool] = False
    has_objections: ClassVar[bool] = False

    def __init__(self) -> None:
        self._results: list[tuple[str, Result]] = []

    def update(self, run: RunEvidence) -> Metric:
        """Measure one recipe and keep the result; return the metric."""
        self._results.append((run.name, self._result(run)))
        return self

    def _result(self, run: RunEvidence) -> Result:
        missing = next((run.missing[need] for need in self.needs if need in run.missing), None)
        if missing is not None:
            return unavailable(self.id, self.direction, missing)
        unknown = [clip for clip in self.clips_read(run) if clip.known is False]
        if not unknown or run.limited.isdisjoint(self.needs):
            return self.measure(run)
        return self._limited(run, unknown)

    def _limited(self, run: RunEvidence, unknown: Sequence[ClipEvidence]) -> Result:
        """Return no value for a run with clips that the models do not know.

        A mean over the other clips would be of another video. Their items are kept, unless they depend on
        the missing clips.
        """
        known = [clip for clip in run.clips if clip.known is not False]
        why = run.why_limited
        if known:
            why = f"{clips_in_words([clip.number for clip in unknown])}: {why}"
        result = unavailable(self.id, self.direction, why)
        if not known or self.chained:
            return result
        items = self.measure(replace(run, clips=tuple(known))).items
        lost = [MetricItem(f"step {clip.number}", None, run.why_limited) for clip in unknown]
        return replace(result, items=(*items, *lost))

    def clips_read(self, run: RunEvidence) -> tuple[ClipEvidence, ...]:
        """Return the clips on which the value rests."""
        return run.clips

    def compute(self) -> Result:
        """Return the result over all recipes so far: the mean, with its standard deviation.

        Raises:
            ValueError: No recipe was measured.
        """
        if not self._results:
            raise ValueError(f"{self.id} has measured no recipe. Call update first.")
        return pooled(self._results)

    @abstractmethod
    def measure(self, run: RunEvidence) -> Result:
        """Return the result of one recipe whose evidence has every kind in `needs`."""


class SetMetric(Metric):
    """Fréchet distance between all clips and real clips, by the features of `needs[0]`.

    Several runs give one distance of all their clips together, not a mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sets: list[tuple[SetEvidence, str]] = []

    def measure(self, run: RunEvidence) -> Result:
        """Return the distance of one run's clips."""
        kind = self.needs[0]
        found = run.sets.get(kind)
        if found is None:
            return not_applicable(self.id, self.direction, NO_REAL_CLIPS)
        self._sets.append((found, run.backbones[kind]))
        return self._distance(found, run.backbones[kind])

    def compute(self) -> Result:
        """Return the distance of the clips of all runs together."""
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
        note = f"{len(found.made)} feature vectors against {len(found.real)} real ones"
        result = from_items(
            self.id, self.direction, [MetricItem("all clips", value, note)], backbone=backbone
        )
        return replace(result, n=len(found.made))


def why_no_dish(run: RunEvidence) -> str:
    """Return why the metrics of the finished dish do not apply to a run without a goal."""
    if run.steps is None:
        return "there is no recipe, so no dish is known"
    return "the last clip does not show the last step of the recipe, so it shows no finished dish"
