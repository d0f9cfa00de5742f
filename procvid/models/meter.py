"""What may be asked of a paid model in one run, and what has been."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.errors import ServiceError
from procvid.settings import Budget

MAX_OUTPUT_TOKENS = 16_000
"""Of one answer, the thinking of a reasoning model included."""


@dataclass
class Meter:
    """What one run has asked so far, against its budget.

    Args:
        budget: The most that it may ask.
    """

    budget: Budget
    calls: int = 0
    tokens: int = 0
    images: int = 0

    def restart(self) -> None:
        """Begin another run: nothing is asked yet."""
        self.calls = self.tokens = self.images = 0

    def admit(self, about_tokens: int, images: int) -> int:
        """Count a request that is about to be made; the tokens that its answer may have.

        Raises:
            ServiceError: It would go over the budget; nothing was sent.
        """
        left = self.budget.max_tokens - self.tokens - about_tokens
        for what, name, over in (
            (f"{self.budget.max_calls} calls", "CALLS", self.calls + 1 > self.budget.max_calls),
            (f"{self.budget.max_tokens} tokens", "TOKENS", left < 500),
            (f"{self.budget.max_images} images", "IMAGES", self.images + images > self.budget.max_images),
        ):  # fmt: skip
            if over:
                raise ServiceError(
                    f"The budget of {what} for one run is used up.",
                    f"Set PROCVID_OPENAI_MAX_{name} higher; what is answered is kept.",
                )
        self.calls += 1
        self.images += images
        return min(MAX_OUTPUT_TOKENS, left)
