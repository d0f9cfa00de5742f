"""DiffRank: does a reader order clips by how much they differ from a reference, as annotators do?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from procvid.evaluate.differences.annotations import ClipSpan, Ranking
from procvid.types.difference import ClipDifferences

Differences = Callable[[ClipSpan, ClipSpan, str], ClipDifferences]
"""Says what the second clip shows instead of the first; the text is the step or ""."""

Severity = Callable[[Ranking], Sequence[float]]
"""Returns how much each target differs from the reference."""


def kendall_tau(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Return Kendall's tau-b, -1 to 1, or None if one side has only ties (Kendall, 1945).

    Raises:
        ValueError: The two have different lengths.
    """
    a, b = np.asarray(x, float), np.asarray(y, float)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} and {len(b)} values cannot be paired.")
    first, second = np.triu_indices(len(a), 1)
    one, two = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    size = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum() / size) if size else None


def ranking_taus(rankings: Iterable[Ranking], severity: Severity) -> list[float]:
    """Return tau of each ranking whose annotated severities differ.

    A reader that gives all targets one severity ranks nothing and gets 0.
    """
    taus = []
    for ranking in rankings:
        if len(set(ranking.severities)) > 1:
            taus.append(kendall_tau(severity(ranking), ranking.severities) or 0.0)
    return taus


def reader_severity(differences: Differences) -> Severity:
    """Return the severity that a reader of differences gives, in the category that is ranked."""

    def severities(ranking: Ranking) -> list[float]:
        found = [differences(ranking.reference, t, ranking.step) for t in ranking.targets]
        if ranking.category is None:
            return [each.severity for each in found]
        return [float(each.severity_in(ranking.category)) for each in found]

    return severities
