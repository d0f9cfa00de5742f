"""`fvd`: do the clips look and move like real clips, as a set?

What: Fréchet distance of I3D features between the clips (16 frames each, uniform) and the real clips
that were given for comparison. Over several runs: of all their clips together, not the mean.
Range: 0 upwards. Direction: lower is better.
Backbone: I3D (Kinetics-400) of the package cd-fvd, where that is installed.
Blind spots: needs hundreds of clips on each side; with fewer it is too high, so compare only figures
of the same n; favours single frames over motion (Ge et al., 2024).
Source: Unterthiner et al., Towards Accurate Generative Models of Video, 2018.
"""

from __future__ import annotations

from procvid.evaluate.evidence import VIDEO
from procvid.evaluate.set_metric import SetMetric


class Fvd(SetMetric):
    """See the module."""

    id = "fvd"
    title = "FVD"
    direction = "lower"
    needs = (VIDEO,)
    standard = True
