"""The rung of the ladder on cards and machines of common sizes, computed from the configs alone."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.errors import UnavailableError
from procvid.phantom.ladder import choose_rung, describe_choice, describe_shortage, rungs
from procvid.phantom.layout import CONFIGS
from procvid.phantom.vram import ClipShape, Denoising, estimate
from procvid.settings import PROFILES

CARDS_GB = (6, 8, 12, 16, 24, 80)
HOSTS_GB = (16, 32, 64, 128)
"""As they are sold, in GiB."""

TAKEN_VRAM = 0.6e9
"""Bytes of a card that the CUDA context and the screen take."""
TAKEN_RAM = 3e9
"""Bytes of a machine that the system and this program take."""


@dataclass(frozen=True)
class CardRow:
    """A profile on a card in a machine: the rung, its needs in 10^9 bytes, and the sentence."""

    profile: str
    card_gb: int
    host_gb: int
    rung: str
    device_gb: float
    needed_ram_gb: float
    sentence: str


def card_rows(profile: str) -> list[CardRow]:
    """Return a row for each card and machine, for the default clip with four references."""
    sampling = PROFILES[profile].sampling
    clip = ClipShape(sampling.width, sampling.height, sampling.num_frames, 4)
    all_rungs = rungs(
        clip, lambda shape: estimate(shape, CONFIGS[profile], denoising=Denoising(precise=True))
    )
    rows = []
    for card_gb in CARDS_GB:
        for host_gb in HOSTS_GB:
            free = int(card_gb * 2**30 - TAKEN_VRAM), int(host_gb * 2**30 - TAKEN_RAM)
            chosen = choose_rung(all_rungs, *free)
            if chosen is None:
                error = describe_shortage(profile, clip, all_rungs, *free)
                rows.append(_refused(profile, card_gb, host_gb, error))
                continue
            rung = all_rungs[chosen]
            name = rung.name if rung.pinned or not rung.in_groups else f"{rung.name}, from files"
            rows.append(
                CardRow(
                    profile,
                    card_gb,
                    host_gb,
                    name,
                    rung.device_bytes / 1e9,
                    rung.host_bytes / 1e9,
                    describe_choice(profile, clip, all_rungs, chosen, free[0]),
                )
            )
    return rows


def _refused(profile: str, card_gb: int, host_gb: int, error: UnavailableError) -> CardRow:
    return CardRow(profile, card_gb, host_gb, "none", 0.0, 0.0, f"{error.message} {error.hint}")
