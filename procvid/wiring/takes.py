"""Build the judge that chooses the best of several takes."""

from __future__ import annotations

from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.take_judge import EvidenceTakeJudge, PlanChecks
from procvid.protocols import TakeJudge
from procvid.settings import Profile
from procvid.toykitchen.scene import STATES
from procvid.wiring.evaluation import build_evaluation

TOY_CHECKS = PlanChecks(frozenset(STATES), least_likeness=0.6)
"""Of 121 rendered clips of the toy kitchen, the least likeness to the references was 0.63."""


def build_take_judge(profile: Profile, parts: EvaluationParts | None = None) -> TakeJudge:
    """Build the judge of takes from the backbones of the metrics. It asks no service.

    Args:
        profile: The profile of the clips.
        parts: Its backbones, if they are built already.
    """
    parts = parts or build_evaluation(profile, "rules")
    # Without a fixed vocabulary, the scene reader is a vision model behind an API.
    return EvidenceTakeJudge(parts, TOY_CHECKS if profile.fixed_vocabulary else PlanChecks())
