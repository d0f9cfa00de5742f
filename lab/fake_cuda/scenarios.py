"""Scenarios of the GPU path, and what is wrong with a run that went through."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from lab.fake_cuda.full_size import Case, Device, Machine, Outcome, make_clip
from lab.fake_cuda.modes import fake_cuda
from procvid.models.pipeline_host import PipelineHost
from procvid.phantom.placing import FULL, place
from procvid.settings import PROFILES
from procvid.types import Shortcuts, StepCache

LEFT_BYTES = 50e6
"""Bytes that may stay on the device after a clip: the last states of the solver."""

_ATTENTION = "_scaled_dot_product_flash_attention"

IN_A_STEP = (_ATTENTION, 9)
"""Kernel and its number in the first or second denoising step of two layers."""

IN_DECODING = ("convolution", 90)
"""The same while the first frame of a clip with two references is decoded."""

Prepare = Callable[[PipelineHost, Device], None]

WAITS_OF_OURS = ("_steps", "to_frames", "picture", "fit")
"""Functions of procvid that may wait for the device, once in a run or for a picture."""

CPU_WORK_OF_OTHERS = ("group_offloading", "layerwise_casting", "modeling_utils")
"""Modules of the libraries that work on weights in the machine's memory."""


@dataclass(frozen=True)
class Scenario:
    """A case, and what must be true of it.

    Attributes:
        case: The clip.
        self_attention: Number of self-attention kernels; None if it does not matter. It shows
            whether a step cache was at work.
        moves: True if the placement changes on the way, so that the peak may exceed the estimate.
        always: True for the short ones of the fast suite.
        lora: True to merge a LoRA.
        stop_at: Kernel and its number at which a stop is asked; None for never.
        ends_on: The last rung; "" if it does not matter.
    """

    case: Case
    self_attention: int | None = None
    moves: bool = False
    always: bool = False
    lora: bool = False
    stop_at: tuple[str, int] | None = None
    ends_on: str = ""


def cache(kind: str, strength: float, full_steps: int = 1) -> Shortcuts:
    """Return shortcuts with a step cache alone."""
    return Shortcuts(cache=StepCache(kind, strength, full_steps))


def nothing_changes(_device: Device) -> Callable[[], float]:
    """Answer every cache that nothing has changed, so that it skips what it can."""
    return lambda: 0.0


def give_ratios(host: PipelineHost, _device: Device) -> None:
    """Give the "mag" cache its table."""
    host.pipeline.mag_ratios = [1.0] * 8


def out_of_memory(at: int, kernel: str = _ATTENTION, times: int = 1) -> Prepare:
    """Run out of memory at the n-th such kernel, and again at the n-th after it, `times` times."""

    def prepare(_host: PipelineHost, device: Device) -> None:
        seen, left = 0, times

        def on_op(name: str) -> None:
            nonlocal seen, left
            seen += name == kernel
            if left and seen >= at:
                left, seen = left - 1, 0
                raise torch.OutOfMemoryError("CUDA out of memory.")

        device.on_op = on_op

    return prepare


def every_way(host: PipelineHost, device: Device) -> None:
    """Place the pipeline in every way after every other, with a short clip in each."""
    for name in ("tiled", "model_offload", "full", "group_offload", "full", "fp8_group_offload"):
        place(host.pipeline, name, device.torch_device)
        arguments = {"height": 480, "width": 832, "num_frames": 5, "num_inference_steps": 1}
        picture = np.zeros((64, 64, 3), np.uint8)
        *_, last = host.pipeline.denoise(prompt="a pan", images=[picture], **arguments)
        assert last.latents.device == device.torch_device, name


_SHORT = Case(frames=17)
_SHORTEST = Case(frames=5, steps=2, size=(256, 256), references=2)
_WHOLE = Case(layers=None, text_layers=None, steps=2)
_SKIPS = replace(_SHORT, steps=8, layers=4, answers=nothing_changes)
_SKIPS_SHORT = replace(_SKIPS, layers=2, frames=5, size=(256, 256), references=2)
_FAST = PROFILES["phantom-1.3b"].shortcuts


def _of(case: Case, **changes) -> Case:
    return replace(case, **changes)


SCENARIOS: dict[str, Scenario] = {
    # Always.
    "one clip": Scenario(_SHORTEST, always=True),
    "from files": Scenario(_of(_SHORTEST, rung="group_offload, from files"), always=True),
    "fp8, precise": Scenario(
        _of(_SHORTEST, rung="fp8_group_offload", precise=True), always=True
    ),
    "taylor, group offload": Scenario(
        _of(_SKIPS_SHORT, rung="group_offload", shortcuts=cache("taylor", 3, 2)), 4 * 3 * 2, always=True
    ),
    "first_block, group offload": Scenario(
        _of(_SKIPS_SHORT, rung="group_offload", shortcuts=cache("first_block", 0.1)),
        3 * (2 + 7),
    ),
    "out of memory, first_block": Scenario(
        _of(_SHORTEST, prepare=out_of_memory(5), shortcuts=cache("first_block", 0.1)),
        moves=True, ends_on="model_offload",
    ),
    "out of memory under a cache": Scenario(
        _of(
            _SKIPS_SHORT, rung="group_offload", shortcuts=cache("first_block", 0.1), clips=2,
            prepare=out_of_memory(5), steps=4,
        ),
        # A clip without the failure takes 15; three are of the calls that are made again.
        15 + 3 + 15, moves=True, always=True,
    ),
    "out of memory in decoding": Scenario(
        _of(_SHORTEST, prepare=out_of_memory(70, "convolution", 2)),
        moves=True, always=True, ends_on="group_offload",
    ),
    "little page-locked memory": Scenario(
        _of(_SHORTEST, rung="group_offload", lockable_gb=2.6),
        moves=True, always=True, ends_on="group_offload",
    ),
    "stopped in a step": Scenario(_SHORTEST, always=True, stop_at=IN_A_STEP),
    "stopped in decoding": Scenario(_SHORTEST, always=True, stop_at=IN_DECODING),
    "float16": Scenario(_of(_SHORTEST, dtype=torch.float16, precise=True)),
    # At full depth.
    "1.3B whole": Scenario(_WHOLE, ends_on=FULL),
    "1.3B whole, precise": Scenario(_of(_WHOLE, precise=True), ends_on=FULL),
    "1.3B whole, first_block": Scenario(
        _of(_WHOLE, shortcuts=cache("first_block", 0.1)), ends_on=FULL
    ),
    "1.3B whole, model_offload": Scenario(_of(_WHOLE, rung="model_offload")),
    "1.3B whole, group_offload": Scenario(_of(_WHOLE, rung="group_offload")),
    "1.3B whole, tiled": Scenario(_of(_WHOLE, rung="tiled")),
    "1.3B whole, fp8": Scenario(_of(_WHOLE, rung="fp8_group_offload")),
    "14B whole": Scenario(_of(_WHOLE, profile="phantom-14b"), ends_on=FULL),
    "14B whole, model_offload": Scenario(_of(_WHOLE, profile="phantom-14b", rung="model_offload")),
    "14B whole, group_offload": Scenario(_of(_WHOLE, profile="phantom-14b", rung="group_offload")),
    "14B whole, tiled": Scenario(_of(_WHOLE, profile="phantom-14b", rung="tiled")),
    "14B 720p, 24 GB": Scenario(
        _of(
            _WHOLE, profile="phantom-14b", size=(1280, 720), frames=33, free_gb=23.5,
            hard_limit=True, layers=4,
        )
    ),
    # Cards as they are, with the default precision.
    "1.3B on 24 GB": Scenario(
        _of(_WHOLE, free_gb=25.1, host_gb=13, hard_limit=True, precise=True), ends_on=FULL
    ),
    "1.3B on 12 GB": Scenario(
        _of(_WHOLE, free_gb=12.2, host_gb=29, hard_limit=True, precise=True),
        ends_on="model_offload",
    ),
    "1.3B on 6 GB": Scenario(
        _of(_WHOLE, free_gb=5.8, host_gb=14, hard_limit=True, precise=True), ends_on="tiled"
    ),
    "14B on 12 GB": Scenario(
        _of(
            _WHOLE, profile="phantom-14b", free_gb=12.2, host_gb=65, hard_limit=True, precise=True
        ),
        ends_on="group_offload",
    ),
    # Options.
    "no references": Scenario(_of(_SHORT, references=0)),
    "previews": Scenario(_of(_SHORT, previews=True, steps=4)),
    "precise": Scenario(_of(_SHORT, precise=True)),
    "batched": Scenario(_of(_SHORT, shortcuts=Shortcuts(batched=True))),
    "half guided": Scenario(
        _of(_SHORT, shortcuts=Shortcuts(guided_share=0.5, guided_every=2), steps=4)
    ),
    "fast": Scenario(_of(_SHORT, shortcuts=_FAST, steps=9), 2 * (6 + 5 + 5)),
    "first_block": Scenario(_of(_SKIPS, shortcuts=cache("first_block", 0.1)), 3 * (4 + 7)),
    "mag": Scenario(_of(_SKIPS, shortcuts=cache("mag", 0.5), prepare=give_ratios)),
    "sea": Scenario(_of(_SKIPS, shortcuts=cache("sea", 0.5))),
    "taylor": Scenario(_of(_SKIPS, shortcuts=cache("taylor", 3, 2)), 4 * 3 * 4),
    "taylor, model_offload": Scenario(
        _of(_SKIPS, rung="model_offload", shortcuts=cache("taylor", 3, 2)), 4 * 3 * 4
    ),
    "mag, group offload": Scenario(
        _of(_SKIPS, rung="tiled", shortcuts=cache("mag", 0.5), prepare=give_ratios)
    ),
    "sea, group offload": Scenario(_of(_SKIPS, rung="tiled", shortcuts=cache("sea", 0.5))),
    "model_offload": Scenario(_of(_SHORT, rung="model_offload")),
    "fp8": Scenario(_of(_SHORT, rung="fp8_group_offload")),
    "fewer frames": Scenario(_of(_SHORT, rung="fewer_frames")),
    "previews, group offload": Scenario(_of(_SHORT, rung="tiled", previews=True, steps=4)),
    "every way to every other": Scenario(_of(_SHORT, prepare=every_way), moves=True),
    "a LoRA": Scenario(_SHORT, lora=True),
    "a LoRA, group offload": Scenario(_of(_SHORT, rung="tiled"), lora=True),
    # Failures.
    "out of memory in a step": Scenario(_of(_SHORT, prepare=out_of_memory(10)), moves=True),
    "out of memory four times": Scenario(
        _of(_SHORT, prepare=out_of_memory(10, times=4), layers=4), moves=True
    ),
    "out of memory in the text": Scenario(
        _of(_SHORT, prepare=out_of_memory(1, "_scaled_dot_product_efficient_attention")),
        moves=True,
    ),
    "out of memory under sea, model_offload": Scenario(
        _of(
            _SKIPS, rung="model_offload", shortcuts=cache("sea", 0.5), prepare=out_of_memory(5),
            clips=2,
        ),
        moves=True,
    ),
    "out of memory, precise": Scenario(
        _of(_SHORT, prepare=out_of_memory(10, times=3), precise=True), moves=True
    ),
    "out of memory, taylor": Scenario(
        _of(_SKIPS, prepare=out_of_memory(10, times=2), shortcuts=cache("taylor", 3, 2)),
        moves=True,
    ),
    "stopped, group offload": Scenario(_of(_SHORT, rung="tiled"), stop_at=IN_A_STEP),
    "stopped, first_block": Scenario(
        _of(_SHORT, shortcuts=cache("first_block", 0.1)), stop_at=IN_A_STEP
    ),
}  # fmt: skip


def run_scenario(
    scenario: Scenario, machine: Machine = fake_cuda
) -> tuple[Outcome | None, list[str]]:
    """Run a scenario; return its outcome, or None if it failed, and what is wrong."""
    case = scenario.case
    with tempfile.TemporaryDirectory() as folder:
        if scenario.lora:
            case = replace(case, loras=_a_lora(Path(folder)))
        try:
            outcome = make_clip(case, scenario.stop_at, machine)
        except Exception as error:
            return None, [f"{type(error).__name__}: {str(error)[:240]}"]
    return outcome, complaints(scenario, outcome)


def complaints(scenario: Scenario, outcome: Outcome) -> list[str]:
    """Return what is wrong with a run that went through."""
    device, found = outcome.device, []
    if not scenario.moves and outcome.peak > 1.05 * outcome.estimated:
        found.append(
            f"the peak is {outcome.peak / 1e9:.2f} GB, more than 5 % above the estimate of "
            f"{outcome.estimated / 1e9:.2f} GB"
        )
    if not scenario.moves and outcome.host_bytes > 1.1 * outcome.host_estimated:
        found.append(
            f"copies of weights take {outcome.host_bytes / 1e9:.2f} GB of RAM, more than 10 % above "
            f"the estimate of {outcome.host_estimated / 1e9:.2f} GB"
        )
    for what, left in (("a clip", outcome.left), ("the release", outcome.left_released)):
        if left > LEFT_BYTES:
            found.append(f"{left / 1e6:.0f} MB stay on the device after {what}")
    for where, times in device.waits.items():
        # A place of procvid ends in the function's name; a library's line stands in brackets.
        is_ours = "(" not in where and re.search(r":\d+ \w+$", where) is not None
        if is_ours and where.rsplit(" ", 1)[-1] not in WAITS_OF_OURS:
            found.append(f"the host waits for the device {times} times: {where}")
    for where, numel in device.cpu_work.items():
        if numel > 1e6 and not any(part in where for part in CPU_WORK_OF_OTHERS):
            found.append(f"{numel / 1e6:.0f} million numbers computed on the CPU: {where}")
    if scenario.self_attention is not None and device.counts_attention:
        kernels = self_attentions(device)
        if kernels != scenario.self_attention:
            found.append(f"{kernels} self-attentions instead of {scenario.self_attention}")
    if scenario.ends_on and outcome.rung != scenario.ends_on:
        found.append(f"it ends on {outcome.rung}, not on {scenario.ends_on}")
    return found


def self_attentions(device: Device) -> int:
    """Return the number of self-attention kernels of the transformer."""
    return sum(
        times
        for kernel, times in device.attention.items()
        if kernel.startswith("flash") and "x512x128" not in kernel
    )


def _a_lora(folder: Path) -> tuple[tuple[Path, float], ...]:
    module, file = "diffusion_model.blocks.0.self_attn.q", folder / "lora.safetensors"
    weights = {f"{module}.lora_A.weight": torch.randn(4, 1536)}
    save_file({**weights, f"{module}.lora_B.weight": torch.randn(1536, 4)}, file)
    return ((file, 0.8),)
