"""`fid`: do the frames look like real frames, as a set?

What: Fréchet distance of Inception features between 8 frames of each clip and 8 of each real clip.
Several runs are compared as one set of frames; the distances are not averaged.
Range: 0 upwards.
Direction: lower is better.
Backbone: Inception (2048 features) of torch-fidelity, through torchmetrics.
Blind spots: needs thousands of frames on each side; fewer give a value that is too high, so compare
only scores with the same n. It ignores steps, order and identity.
Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017.
"""

from __future__ import annotations

from procvid.evaluate.evidence import INCEPTION
from procvid.evaluate.metric import SetMetric


class Fid(SetMetric):
    """See the card above."""

    id = "fid"
    title = "FID"
    group = "standard"
    order = 3
    direction = "lower"
    needs = (INCEPTION,)
