"""Does the clip fit the text of its step better than texts that differ in one way?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procvid.evaluate.vectors import softmax, video_vector
from procvid.protocols import TextImageScorer
from procvid.train.rl.rewards.clips import spread_frames
from procvid.train.rl.rewards.reward import RewardCard, Shown
from procvid.types import ModelInfo, Vectors

CARD = RewardCard(
    id="text",
    title="Text",
    measures="Probability of the step's own text among texts with another verb, food or state; 1 if the "
    "clip fits only its own text, 0 if it fits only the others.",
    none="The step has no text, or no other text can be made from it.",
    limits="The scorer sees single frames and not their order, so actions that differ only in motion look "
    "alike. Chance is 1 divided by the number of texts.",
)

NUM_FRAMES = 8


class Text:
    """Score the step's text against hard negatives, as `step_retrieval` does.

    Args:
        scorer: A CLIP model with a logit scale.
        negatives: Returns texts that differ from a step's text in one way; the same ones every time.
    """

    card = CARD

    def __init__(self, scorer: TextImageScorer, negatives: Callable[[str], Sequence[str]]) -> None:
        self._scorer, self._negatives = scorer, negatives
        self._known: dict[str, Vectors | None] = {}
        self.models: tuple[ModelInfo, ...] = (scorer.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return the probability of the right text, 0 to 1, or None without other texts."""
        texts = self._texts(clip.step.text)
        if texts is None:
            return None
        images = self._scorer.embed_images(spread_frames(clip.frames, NUM_FRAMES))
        cosines = texts @ video_vector(images)
        return float(softmax(cosines * self._scorer.logit_scale)[0])

    def _texts(self, text: str) -> Vectors | None:
        """Return the vectors of the step's text and its negatives, in this order; None without any."""
        if text not in self._known:
            others = [each for each in self._negatives(text) if each != text] if text else []
            self._known[text] = self._scorer.embed_texts([text, *others]) if others else None
        return self._known[text]
