"""What a person must know before a run: what is missing, how clips fit, and how long they take.

`procvid doctor` and `procvid generate --dry-run` print it. Without a GPU it imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from procvid.machine import generator_folder
from procvid.models.machine_facts import (
    OLDEST_LIBRARIES,
    GraphicsCard,
    MachineFacts,
    check_library,
    machine_facts,
)
from procvid.phantom.published import download_of, written_bytes
from procvid.run.timings import ClipSample, ClipSetting, pattern_of
from procvid.settings import Profile
from procvid.storage.pins import BASES, TRANSFORMERS
from procvid.types import Sampling
from procvid.wiring.stores import missing_downloads

__all__ = [
    "OLDEST_LIBRARIES",
    "GraphicsCard",
    "MachineFacts",
    "MissingPart",
    "Readiness",
    "check_library",
    "machine_facts",
    "readiness",
]


@dataclass(frozen=True)
class MissingPart:
    """Something that a profile needs and this machine lacks.

    Attributes:
        what: Its name, for the user.
        command: The command that gets it; "" if none does.
        fetch_bytes: Bytes to download.
        write_bytes: Bytes to write besides the download.
        needed: False if a run downloads it.
    """

    what: str
    command: str
    fetch_bytes: int = 0
    write_bytes: int = 0
    needed: bool = True

    def __str__(self) -> str:
        sizes = []
        if self.fetch_bytes:
            sizes.append(f"downloads {_gb(self.fetch_bytes)}")
        if self.write_bytes:
            sizes.append(f"writes {_gb(self.write_bytes)}")
        if not self.needed:
            sizes = [f"{_gb(self.fetch_bytes)}, downloaded by the first run"]
        detail = f" ({', '.join(sizes)})" if sizes else ""
        return f"{self.what}{detail}"


@dataclass(frozen=True)
class Readiness:
    """What a profile can do on a machine.

    Attributes:
        profile: Name of the profile.
        missing: What it lacks here.
        rung: Name of the rung of the VRAM ladder; "" without a GPU, without a ladder, or if none fits.
        placement: How the model is placed, as a sentence; "" if unknown.
        fits: True if the clips fit the card, False if they do not; None without a card.
        clip_seconds: Time of a clip; None if unknown.
        measured: True if that time was measured on this machine, False if it is counted.
        basis: Where the time comes from.
    """

    profile: str
    missing: tuple[MissingPart, ...] = ()
    rung: str = ""
    placement: str = ""
    fits: bool | None = None
    clip_seconds: float | None = None
    measured: bool = False
    basis: str = ""

    @property
    def runs(self) -> bool:
        """True if a run can start now, with a network for the rest of the downloads."""
        return self.fits is not False and not any(part.needed for part in self.missing)

    @property
    def time(self) -> str:
        """The time of a clip and its basis, for the user."""
        if self.clip_seconds is None:
            return f"not known ({self.basis})"
        seconds = self.clip_seconds
        about = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(1, round(seconds))} s"
        return f"about {about} a clip ({self.basis})"

    def lines(self) -> Iterator[str]:
        """Yield the verdict, placement, time and what is missing with its command."""
        can = "can" if self.runs else "cannot"
        yield f"Profile {self.profile}: {can} run on this machine now."
        if self.placement:
            yield f"Placement: {self.placement}."
        if self.clip_seconds is not None:
            yield f"Time: {self.time}."
        for part in self.missing:
            yield f"Missing: {part}."
            if part.command:
                yield f"  -> {part.command}"

    def as_json(self) -> dict[str, object]:
        """Return the readiness as JSON."""
        return {
            "profile": self.profile,
            "runs": self.runs,
            "fits": self.fits,
            "rung": self.rung,
            "placement": self.placement,
            "clip_seconds": self.clip_seconds,
            "measured": self.measured,
            "basis": self.basis,
            "missing": [vars(part) for part in self.missing],
        }


def readiness(
    profile: Profile,
    sampling: Sampling,
    facts: MachineFacts,
    samples: Sequence[ClipSample],
    device: str,
    *,
    precise: bool | None = None,
) -> Readiness:
    """Return what a profile can do on a machine. Downloads nothing and loads no weights.

    Args:
        profile: The profile.
        sampling: The clips to make.
        facts: The machine.
        samples: Measured clips of this machine.
        device: Name of the device under which they were measured.
        precise: As for `procvid generate`; None is the profile's default.
    """
    precise = profile.is_precise(precise)
    missing = tuple(_missing(profile, facts))
    setting = ClipSetting.of(profile.name, device, sampling, precise)
    pattern = pattern_of(samples, setting)
    known = Readiness(profile.name, missing, basis="no such clip was made on this machine")
    if pattern is not None:
        clips = "1 clip" if pattern.num_samples == 1 else f"{pattern.num_samples} clips"
        basis = f"measured on {clips} made on this machine"
        known = replace(known, clip_seconds=pattern.clip_s, measured=True, basis=basis)
    if not profile.needs_gpu or facts.card is None:
        return known
    return _on_card(known, profile, sampling, facts, facts.card, precise)


def _on_card(
    known: Readiness,
    profile: Profile,
    sampling: Sampling,
    facts: MachineFacts,
    card: GraphicsCard,
    precise: bool,
) -> Readiness:
    """Add how the clips fit the card, and count their time if none was measured."""
    from procvid.models.outlook import foresee

    outlook = foresee(
        profile,
        generator_folder(profile),
        sampling,
        (card.free_bytes, facts.ram_free_bytes),
        precise=precise,
        dtype=card.precision,
    )
    if outlook.rung is None:
        least = outlook.smallest
        if least.device_bytes > card.free_bytes:
            needs, free = f"{_gb(least.device_bytes)} of GPU memory", card.free_bytes
        else:
            needs, free = f"{_gb(least.host_bytes)} of RAM", facts.ram_free_bytes
        lacks = f"does not fit: about {needs} is needed, {_gb(free)} is free"
        return replace(known, placement=lacks, fits=False)
    rung = outlook.rung
    memory = _memory(rung.device_bytes, rung.host_bytes)
    placed = replace(known, rung=rung.name, placement=f"{rung.summary}, {memory}", fits=True)
    if placed.measured or not card.tflops:
        return placed
    basis = (
        f"counted, not measured: {outlook.tflop:,.0f} TFLOP at {card.tflops:,.0f} TFLOP/s, "
        "without copies to the card"
    )
    return replace(placed, clip_seconds=outlook.tflop / card.tflops, basis=basis)


def _missing(profile: Profile, facts: MachineFacts) -> Iterator[MissingPart]:
    if profile.bundled:
        return
    if profile.needs_gpu and facts.card is None:
        yield MissingPart("a CUDA GPU", "")
    if not (generator_folder(profile) / "model_index.json").is_file():
        downloads = (TRANSFORMERS[profile.name], BASES[profile.name])
        yield MissingPart(
            "the converted weights",
            f"procvid convert {profile.name}",
            sum(download_of(model, ask=False).fetch_bytes for model in downloads),
            written_bytes(profile.name),
        )
    for model in missing_downloads(profile):
        yield MissingPart(model.repo, model.command, model.size_bytes, needed=False)


def _memory(device_bytes: int, host_bytes: int) -> str:
    ram = f" and {_gb(host_bytes)} of RAM" if host_bytes else ""
    return f"about {_gb(device_bytes)} of GPU memory{ram}"


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
