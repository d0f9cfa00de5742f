"""`step_faithfulness`: does a description of the clip fit its own step better than the other steps?

What: caption and cosines of `caption_alignment`, but against every step of the recipe. The score of a
clip is the share of the other steps that its caption fits less than its own; a tie counts half. Other
steps with the same text are left out. The value is the mean over the clips. Parts: `top1`, the share of
clips whose own step fits best, with `top1_chance`; `margin`, the alignment with the own step minus the
mean alignment with the others, on the scale of 2.5.
Range: 0 to 1.
Direction: higher is better. Chance: 0.5.
Backbone: as `caption_alignment`.
Blind spots: a recipe of few or very different steps is easy. Steps that differ in motion alone look
alike to a captioner. It ignores quality and identity.
Source: paper 001, section 5.3: the image against its step and other steps, here by captions instead of
CLIP. The paper gives no formula; share, top-1 and margin are procvid's.
"""

from __future__ import annotations

from procvid.evaluate.alignment import FaithfulnessMetric
from procvid.evaluate.evidence import CAPTIONS, ENCODER, ClipEvidence, RunEvidence, Texts


class StepFaithfulness(FaithfulnessMetric):
    """See the card above."""

    id = "step_faithfulness"
    title = "Step faithfulness (captions)"
    group = "captions"
    order = 3
    direction = "higher"
    needs = (CAPTIONS, ENCODER)
    plot = "steps"
    why_none = "no clip has a caption, a text and another step beside it"

    def texts(self, run: RunEvidence, clip: ClipEvidence) -> Texts | None:
        """Return the clip's step, followed by the steps with other texts."""
        assert run.captions is not None
        steps = run.captions.steps
        others = [place for place, text in enumerate(steps.texts) if text != clip.text]
        if not others:
            return None
        order = [clip.number - 1, *others]
        return Texts(tuple(steps.texts[place] for place in order), steps.vectors[order])
