"""`goal_faithfulness`: does a description of the clip fit its dish better than other dishes?

What: caption and cosines of `caption_alignment`, but against a sentence about the finished dish and
nine about other dishes, which the judge writes. The score of a clip is the share of the other dishes
that its caption fits less than its own; a tie counts half. The value is the mean over all clips. Parts:
`top1`, the share of clips whose own dish fits best, with `top1_chance`; `margin`, the alignment with
the own dish minus the mean alignment with the others, on the scale of 2.5.
Range: 0 to 1.
Direction: higher is better. Chance: 0.5.
Backbone: as `caption_alignment`; judge of the evaluation.
Blind spots: early clips rarely show the dish, so even a perfect video stays below 1 (the paper found
the same of goals). `goal_retrieval` looks at the last frame alone.
Source: paper 001, section 5.3: the image against its goal and other goals, here by captions instead of
CLIP. The paper gives no formula; share, top-1 and margin are procvid's.
"""

from __future__ import annotations

from procvid.evaluate.alignment import FaithfulnessMetric
from procvid.evaluate.evidence import CAPTIONS, ENCODER, JUDGE, ClipEvidence, RunEvidence, Texts


class GoalFaithfulness(FaithfulnessMetric):
    """See the card above."""

    id = "goal_faithfulness"
    title = "Goal faithfulness (captions)"
    group = "captions"
    order = 2
    direction = "higher"
    needs = (CAPTIONS, ENCODER, JUDGE)
    plot = "steps"

    def texts(self, run: RunEvidence, clip: ClipEvidence) -> Texts | None:
        """Return the dish of the recipe, followed by other dishes."""
        assert run.captions is not None
        return run.captions.goal
