"""`fid`: do the frames look like real frames, as a set?

What: Fréchet distance of Inception features between 8 frames of each clip and 8 of each real clip
that was given for comparison. Over several runs: of all their frames together, not the mean.
Range: 0 upwards. Direction: lower is better.
Backbone: Inception (2048 features) of torch-fidelity, through torchmetrics.
Blind spots: needs thousands of frames on each side; with fewer it is too high, so compare only
figures of the same n; knows nothing of steps, order or identity.
Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017.
"""

from __future__ import annotations

from procvid.evaluate.evidence import INCEPTION
from procvid.evaluate.set_metric import SetMetric


class Fid(SetMetric):
    """See the module."""

    id = "fid"
    title = "FID"
    direction = "lower"
    needs = (INCEPTION,)
    standard = True
