"""Count the requests of one run to a paid model against its budget."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.errors import ServiceError
from procvid.settings.environment import Budget

MAX_OUTPUT_TOKENS = 16_000
"""Limit of one answer, including the thinking of a reasoning model."""


@dataclass
class Meter:
    """Requests, tokens and images of one run so far.

    Args:
        budget: Their limits.
    """

    budget: Budget
    calls: int = 0
    tokens: int = 0
    images: int = 0

    def restart(self) -> None:
        """Reset all counts for another run."""
        self.calls = self.tokens = self.images = 0

    def admit(self, about_tokens: int, images: int) -> int:
        """Count a request before it is sent; return the tokens that its answer may have.

        Raises:
            ServiceError: The request would exceed the budget.
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
                    f"Raise PROCVID_OPENAI_MAX_{name}; answers so far are cached.",
                )
        self.calls += 1
        self.images += images
        return min(MAX_OUTPUT_TOKENS, left)
