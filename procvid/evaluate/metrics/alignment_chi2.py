"""`alignment_chi2`: are the scores of `caption_alignment` distributed as those of real clips?

What: half the sum over the bins of (p - q)^2 / (p + q), where p and q are the shares of generated and
of real clips. This is the chi-square statistic of two equally large sets, divided by twice their size,
so it does not grow with the number of clips. Bins, smoothing, pooling, parts and least number of clips
are those of `alignment_kl`.
Range: 0 to 1. The paper prints 100 times its value.
Direction: lower is better.
Backbone: as `caption_alignment`.
Blind spots: those of `alignment_kl`. It is symmetric, so it does not show which side has worse scores.
Source: paper 001, section 5.3 (chi-square), which gives neither form, bins nor smoothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.evaluate.alignment import DivergenceMetric, Shares, chi_square


class AlignmentChi2(DivergenceMetric):
    """See the card above."""

    id = "alignment_chi2"
    title = "Chi-square distance of alignments"
    order = 5

    def divergence(self, made: Shares, real: Shares) -> NDArray[np.float64]:
        """Return half the symmetric chi-square distance, 0 to 1."""
        return chi_square(made, real)
