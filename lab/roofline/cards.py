"""Rates of graphics cards: what their kernels reach in practice. Stated, not measured here."""

from __future__ import annotations

from dataclasses import dataclass

from lab.roofline.count import CallCost

LAUNCH_S = 4e-6
"""Seconds between two kernels; they count only where the GPU waits for the host."""


@dataclass(frozen=True)
class Card:
    """Rates of a card in half precision.

    Attributes:
        name: Name for the table.
        products: Matrix products, 10^12 operations per second.
        attention: Attention by kernel, 10^12 operations per second.
        moved: Memory, 10^12 bytes per second.
        default: The attention kernel that procvid chooses.
    """

    name: str
    products: float
    attention: dict[str, float]
    moved: float
    default: str

    def seconds(self, cost: CallCost, attention: str = "") -> float:
        """Return the seconds of a cost, with the default or another attention kernel."""
        rate = self.attention[attention or self.default]
        busy_s = (
            cost.products / self.products + cost.attention / rate + cost.moved / self.moved
        ) / 1e12
        return max(busy_s, cost.kernels * LAUNCH_S)


H100 = Card("H100", 650, {"flash": 390, "cudnn": 620, "8 bits": 900}, 2.8, "cudnn")
RTX_4090 = Card("4090", 150, {"flash": 145, "cudnn": 145, "8 bits": 400}, 0.9, "flash")
RTX_3060 = Card("3060", 22, {"flash": 21, "cudnn": 21, "8 bits": 36}, 0.33, "flash")

CARDS = (H100, RTX_4090, RTX_3060)
"""Rates near those that are published for these kernels: cuBLAS; FlashAttention 2; cuDNN 9 on Hopper;
SageAttention 2. The 3060 multiplies with float32 accumulation at half of its half-precision rate."""
