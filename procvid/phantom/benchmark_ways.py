"""Time of a denoising step with other attention kernels, compiled blocks and cheaper calls.

Each way is timed against the default of the card. A way that cannot run says why, and a way for which
no time is left is not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch

from procvid.errors import UnavailableError
from procvid.phantom.attention import attention_kinds, compute_capability, set_attention
from procvid.phantom.benchmark import run_pipeline, seconds_of
from procvid.phantom.clip import ClipArguments
from procvid.phantom.compiling import compile_blocks, undo_compiling
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.types import EXACT, AttentionKind, Shortcuts

KERNELS: tuple[AttentionKind, ...] = ("cudnn", "flash", "efficient", "flash3_hub")
COMPILED = "compiled blocks"
NO_TIME = "no time left"
_COMPILING_S = 90.0
"""Seconds that are set aside for compiling."""


class TimeLimit:
    """Seconds that a measurement may take, from now on.

    Args:
        seconds: The limit; infinite by default.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self._end_s = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds until the limit; negative after it."""
        return self._end_s - time.monotonic()

    def allows(self, expected_s: float) -> bool:
        """Return True if a measurement of this length ends before the limit."""
        return expected_s <= self.left_s


@dataclass(frozen=True)
class WayCost:
    """Cost of a denoising step in one way.

    Attributes:
        name: The way.
        step_s: Seconds of a step; None if it was not measured.
        first_s: Seconds of the first run, compiling included.
        max_abs_difference: Largest difference of the final latents to the default's.
        reason: Why it was not measured, or "".
    """

    name: str
    step_s: float | None = None
    first_s: float | None = None
    max_abs_difference: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, object]:
        """Return all values as JSON."""
        return asdict(self)


def set_default_attention(pipeline: PhantomWanPipeline, device: torch.device) -> AttentionKind:
    """Set the attention kernel that the product uses on a device, and return it."""
    return set_attention(pipeline.transformer, device, _kinds(device))[0]


def measure_ways(
    pipeline: PhantomWanPipeline,
    clip: ClipArguments,
    device: torch.device,
    default_s: float,
    limit: TimeLimit,
) -> list[WayCost]:
    """Time a step in every other way; leave the pipeline as it was.

    Args:
        pipeline: A pipeline on the device, with the default attention.
        clip: Random tensors, and few denoising steps.
        device: Device of the computation.
        default_s: Seconds of a step by default.
        limit: Ways that would end after it are not measured.
    """
    chosen = _kinds(device)[0]
    ways = {f"attention {kind}": _attention(kind, device) for kind in KERNELS if kind != chosen}
    ways["attention in 8 bits"] = _shortcuts(Shortcuts(attention_in_8_bits=True))
    ways["no zero references"] = _shortcuts(Shortcuts(drop_zero_references=True))
    ways[COMPILED] = _compiled(device)
    plain = run_pipeline(pipeline, clip)
    rows = []
    for name, way in ways.items():
        # Some kernels are several times slower.
        expected_s = 4 * default_s * clip.num_inference_steps
        expected_s += _COMPILING_S if name == COMPILED else 0
        if limit.allows(expected_s):
            rows.append(_measure(name, way, pipeline, clip, plain))
        else:
            rows.append(WayCost(name, reason=NO_TIME))
    return rows


Way = Callable[[PhantomWanPipeline], Iterator[None]]


def _measure(
    name: str, way: Way, pipeline: PhantomWanPipeline, clip: ClipArguments, plain: torch.Tensor
) -> WayCost:
    latents: list[torch.Tensor] = []

    def keep(pipeline: PhantomWanPipeline, clip: ClipArguments) -> torch.Tensor:
        latents.append(run_pipeline(pipeline, clip))
        return latents[-1]

    try:
        with contextmanager(way)(pipeline):
            first_s = seconds_of(keep, pipeline, clip)
            step_s = seconds_of(keep, pipeline, clip) / clip.num_inference_steps
    except UnavailableError as error:
        return WayCost(name, reason=error.message)
    except torch.OutOfMemoryError:
        return WayCost(name, reason="out of memory")
    difference = (latents[-1] - plain).abs().max().item()
    return WayCost(name, step_s, first_s, difference)


def _kinds(device: torch.device) -> Sequence[AttentionKind]:
    return attention_kinds(compute_capability(device))


def _attention(kind: AttentionKind, device: torch.device) -> Way:
    def way(pipeline: PhantomWanPipeline) -> Iterator[None]:
        try:
            set_attention(pipeline.transformer, device, [kind])
            yield
        finally:
            set_default_attention(pipeline, device)

    return way


def _shortcuts(shortcuts: Shortcuts) -> Way:
    def way(pipeline: PhantomWanPipeline) -> Iterator[None]:
        pipeline.shortcuts = shortcuts
        try:
            yield
        finally:
            pipeline.shortcuts = EXACT

    return way


def _compiled(device: torch.device) -> Way:
    def way(pipeline: PhantomWanPipeline) -> Iterator[None]:
        note = compile_blocks(pipeline.transformer, device)
        if note:
            raise UnavailableError(note, "")
        try:
            yield
        finally:
            undo_compiling(pipeline.transformer)

    return way
