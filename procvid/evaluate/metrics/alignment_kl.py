"""`alignment_kl`: are the scores of `caption_alignment` distributed as those of real clips?

What: KL(generated || real) in nats, between the histograms of the scores of generated clips and of
real clips with their texts. Both have 25 bins of 0.1 from 0 to 2.5, and 0.5 is added to every bin.
Several runs are compared as one set of clips. Parts: `low` and `high`, the 95 % interval of a bootstrap
over the clips of both sides (value plus and minus 1.96 standard deviations); `floor`, the mean value if
the clips of both sides are mixed at random; `real_n`, the number of real clips. Under 50 scores on
either side it is not applicable.
Range: 0 upwards. The paper prints 100 times its value.
Direction: lower is better.
Backbone: as `caption_alignment`.
Blind spots: few clips give a value above 0 for equal sets: compare it with `floor`, and only scores
with the same n. It does not see which clip fits its text. Clips of one recipe are not independent, so
the interval is somewhat narrow. Real clips of easier steps have other scores.
Source: paper 001, section 5.3, which gives neither direction, bins nor smoothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.evaluate.alignment import DivergenceMetric, Shares, kl_divergence


class AlignmentKl(DivergenceMetric):
    """See the card above."""

    id = "alignment_kl"
    title = "KL divergence of alignments"
    order = 4

    def divergence(self, made: Shares, real: Shares) -> NDArray[np.float64]:
        """Return KL(made || real) in nats."""
        return kl_divergence(made, real)
