"""Facts of this machine on which a run depends: card, memory, disk and library versions.

torch is imported only where a GPU may exist, since its import takes seconds.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import UnavailableError
from procvid.machine import (
    expected_tflops,
    first_gpu,
    free_bytes,
    free_machine_bytes,
    gpu_facts,
    is_lent,
)
from procvid.settings.environment import read_environment

OLDEST_LIBRARIES = {"torch": (2, 8), "diffusers": (0, 41), "transformers": (5, 3)}
"""The lower bounds of `pyproject.toml` whose violation gives wrong clips or unclear errors."""

BFLOAT16_CAPABILITY = (8, 0)
"""The first compute capability whose attention kernels take bfloat16 (A100, RTX 30xx)."""


def half_precision(capability: tuple[int, int]) -> str:
    """Return the half precision for a card: "bfloat16", or "float16" before `BFLOAT16_CAPABILITY`.

    Without a fused attention, that of a clip of 81 frames needs 36 GB.
    """
    return "bfloat16" if capability >= BFLOAT16_CAPABILITY else "float16"


@dataclass(frozen=True)
class GraphicsCard:
    """The first GPU.

    Attributes:
        name: Name that the driver reports.
        total_bytes: Its memory.
        free_bytes: Memory that no program uses.
        capability: CUDA's compute capability, such as (8, 9).
        tflops: Expected speed in half precision, 10^12 operations per second.
        is_amd: True for an AMD card, which torch drives as if it were CUDA.
    """

    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int]
    tflops: float
    is_amd: bool = False

    @property
    def precision(self) -> str:
        """The half precision in which clips are computed: "bfloat16", or "float16" on old cards."""
        return half_precision(self.capability)


@dataclass(frozen=True)
class MachineFacts:
    """The hardware of a run.

    Attributes:
        card: The first GPU; None without one.
        ram_bytes: Memory of the machine.
        ram_free_bytes: Memory that a program can use without swapping.
        cores: CPU cores.
        models_folder: Where converted models are kept.
        disk_free_bytes: Free space there.
        apple_gpu: True on a Mac with Apple's own GPU.
    """

    card: GraphicsCard | None
    ram_bytes: int
    ram_free_bytes: int
    cores: int
    models_folder: Path
    disk_free_bytes: int
    apple_gpu: bool = False

    @property
    def untried(self) -> str:
        """Sentence on a GPU that procvid has not been tried on; "" for any other machine."""
        if self.apple_gpu:
            return "Apple's GPU (MPS) is untried, so procvid does not use it."
        if self.card is not None and self.card.is_amd:
            return "AMD's GPUs (ROCm) are untried; torch runs the same code on them."
        return ""

    def lines(self) -> Iterator[str]:
        """Yield the card, the memory and the disk, one line each."""
        if self.card is None:
            yield "GPU: none."
        else:
            card = self.card
            major, minor = card.capability
            yield (
                f"GPU: {card.name}, {_gb(card.total_bytes)} ({_gb(card.free_bytes)} free), "
                f"compute capability {major}.{minor}, {card.precision}."
            )
        if self.untried:
            yield self.untried
        yield (
            f"RAM: {_gb(self.ram_bytes)} ({_gb(self.ram_free_bytes)} free), {self.cores} CPU cores."
        )
        yield f"Disk for models: {_gb(self.disk_free_bytes)} free in {self.models_folder}."

    def as_json(self) -> dict[str, object]:
        """Return the facts as JSON."""
        card = self.card
        return {
            "gpu": None
            if card is None
            else {
                "name": card.name,
                "total_bytes": card.total_bytes,
                "free_bytes": card.free_bytes,
                "capability": list(card.capability),
                "precision": card.precision,
            },
            "untried": self.untried,
            "ram_bytes": self.ram_bytes,
            "ram_free_bytes": self.ram_free_bytes,
            "cores": self.cores,
            "models_folder": str(self.models_folder),
            "disk_free_bytes": self.disk_free_bytes,
        }


def machine_facts() -> MachineFacts:
    """Return the facts of this machine."""
    folder = read_environment().models_folder
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return MachineFacts(
        card=_first_card(),
        ram_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        ram_free_bytes=free_machine_bytes(),
        cores=os.cpu_count() or 1,
        models_folder=folder,
        disk_free_bytes=shutil.disk_usage(existing).free,
        apple_gpu=sys.platform == "darwin" and platform.machine() == "arm64",
    )


def _first_card() -> GraphicsCard | None:
    try:
        name, _ = gpu_facts()
    except ImportError:
        # torch is missing or broken, which `procvid doctor` reports.
        return None
    if name is None or is_lent():
        # A lent card can be asked only while it is lent.
        return None
    import torch

    index = first_gpu()
    return GraphicsCard(
        name=name,
        total_bytes=torch.cuda.get_device_properties(index).total_memory,
        free_bytes=free_bytes(index)[0],
        capability=torch.cuda.get_device_capability(index),
        tflops=expected_tflops(index),
        is_amd=torch.version.hip is not None,
    )


def check_library(name: str) -> None:
    """Raise UnavailableError if a library is older than procvid needs, or not installed."""
    oldest = OLDEST_LIBRARIES[name]
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise UnavailableError(f"{name} is not installed.", f"Run `pip install {name}`.") from None
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < oldest:
        wanted = ".".join(str(number) for number in oldest)
        raise UnavailableError(
            f"{name} {version} is too old; procvid needs {wanted} or newer.",
            f"Run `pip install --upgrade '{name}>={wanted}'`.",
        )


def check_libraries() -> None:
    """Raise UnavailableError if torch, diffusers or transformers is too old."""
    for name in OLDEST_LIBRARIES:
        check_library(name)


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
