"""`fvd`: do the clips look and move like real clips, as a set?

What: Fréchet distance of I3D features between the clips (16 frames each, evenly spread) and real clips.
Several runs are compared as one set of clips; the distances are not averaged.
Range: 0 upwards.
Direction: lower is better.
Backbone: I3D (Kinetics-400) of the package cd-fvd, if it is installed.
Blind spots: needs hundreds of clips on each side; fewer give a value that is too high, so compare only
scores with the same n. It favours single frames over motion (Ge et al., 2024).
Source: Unterthiner et al., Towards Accurate Generative Models of Video, 2018.
"""

from __future__ import annotations

from procvid.evaluate.evidence import VIDEO
from procvid.evaluate.metric import SetMetric


class Fvd(SetMetric):
    """See the card above."""

    id = "fvd"
    title = "FVD"
    group = "standard"
    order = 4
    direction = "lower"
    needs = (VIDEO,)
