"""What `procvid doctor` says of cards and machines of common sizes, computed from the configs alone."""

from __future__ import annotations

from pathlib import Path

from procvid.settings import PROFILES
from procvid.wiring.readiness import GraphicsCard, MachineFacts, Readiness, readiness

CARDS = {6: (8, 6), 8: (8, 6), 12: (8, 6), 16: (8, 9), 24: (8, 9), 80: (9, 0)}
"""Memory in GiB, and the compute capability of a common card with so much."""
HOSTS = (16, 32, 64, 128)
"""Memory of a machine, in GiB."""

TAKEN_VRAM = 0.6e9
"""Bytes of a card that the CUDA context and the screen take."""
TAKEN_RAM = 3e9
"""Bytes of a machine that the system and this program take."""


def on_card(profile: str, card_gib: int, host_gib: int) -> Readiness:
    """Return how the default clip of a profile fits a card in a machine."""
    card = GraphicsCard(
        f"a card of {card_gib} GB",
        total_bytes=card_gib * 2**30,
        free_bytes=int(card_gib * 2**30 - TAKEN_VRAM),
        capability=CARDS[card_gib],
        tflops=0.0,
    )
    ram = host_gib * 2**30
    facts = MachineFacts(card, ram, int(ram - TAKEN_RAM), 8, Path("models"), 10**12)
    chosen = PROFILES[profile]
    return readiness(chosen, chosen.sampling, facts, [], card.name)
