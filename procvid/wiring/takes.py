"""Build the judge that chooses the best of several takes."""

from __future__ import annotations

from collections.abc import Mapping

from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.take_judge import ClipScore, EvidenceTakeJudge, PlanChecks, WeighedScore
from procvid.protocols import TakeJudge
from procvid.settings import Profile
from procvid.settings.environment import read_environment
from procvid.toykitchen.scene import STATES
from procvid.train.rl.readers import SceneStateReader
from procvid.train.rl.rewards.identity import Identity
from procvid.train.rl.rewards.object_state import ObjectStateReward
from procvid.train.rl.rewards.reward import Reward, Shown
from procvid.types import Frames, Image, StepPlan, TakeVerdict
from procvid.wiring.evaluation import build_evaluation, build_tiny_reader
from procvid.wiring.run import build_scene_reader, check_key

TOY_CHECKS = PlanChecks(frozenset(STATES), least_likeness=0.6)
"""Of 121 rendered clips of the toy kitchen, the least likeness to the references was 0.63."""


def build_take_judge(profile: Profile, parts: EvaluationParts | None = None) -> TakeJudge:
    """Build the judge of takes from the backbones of the metrics. It asks no service.

    Args:
        profile: The profile of the clips.
        parts: Its backbones, if they are built already.
    """
    parts = parts or build_evaluation(profile, "rules")
    if not profile.fixed_vocabulary:
        # The scene reader is a vision model behind an API, and is not asked.
        return EvidenceTakeJudge(parts, PlanChecks())
    reader = build_tiny_reader(profile)
    rewards: tuple[tuple[float, Reward], ...] = (
        (2.0, ObjectStateReward(reader)),
        (1.0, Identity(reader)),
    )
    scores = [WeighedScore(reward.card.id, weight, _scored(reward)) for weight, reward in rewards]
    return EvidenceTakeJudge(parts, TOY_CHECKS, scores)


class RewardTakeJudge:
    """Scores takes by one reward.

    Args:
        reward: The reward.
    """

    def __init__(self, reward: Reward) -> None:
        self._reward = reward
        self.info = reward.models[0]

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        """Return the value of the reward; see `TakeJudge`."""
        value = self._reward(Shown(frames, step, references))
        name = self._reward.card.title
        if value is None:
            return TakeVerdict(None, f"{name} does not apply to this step.")
        return TakeVerdict(value, f"{name} by {self.info.id} {value:.2f}.")


def build_final_judge(profile: Profile) -> TakeJudge:
    """Build the judge that decides between the two best takes: a vision model reads the states.

    Raises:
        ServiceError: There is no API key.
    """
    check_key(read_environment(), "final judge", "Omit --final-judge, which needs it.")
    return RewardTakeJudge(ObjectStateReward(SceneStateReader(build_scene_reader("openai"))))


def _scored(reward: Reward) -> ClipScore:
    def score(frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> float | None:
        return reward(Shown(frames, step, references))

    return score
