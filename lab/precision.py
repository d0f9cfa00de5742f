"""Measure how far the final latents of half precision are from float32, on a random model.

`python -m lab.precision` prints the table of `docs/gpu.md`: twelve layers of width 256, eight denoising
steps, four seeds. "upstream" is the published code: float32 weights under autocast, the scheduler
included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lab.command import new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.phantom.benchmark_gpu import random_pipeline
from procvid.phantom.layout import Config, stored_dtype
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.precision import hooked_float32_layers
from procvid.settings import PHANTOM_1_3B
from procvid.types import EXACT, Shortcuts

CONFIG: Config = {
    "num_attention_heads": 4,
    "attention_head_dim": 64,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 64,
    "freq_dim": 256,
    "ffn_dim": 1024,
    "num_layers": 12,
    "rope_max_seq_len": 64,
}
STEPS = 8
SEEDS = range(1, 5)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Mode:
    """A way to compute, and what it is compared with.

    Attributes:
        dtype: Of the weights.
        precise: As `--precise`.
        autocast: Compute as the published code does.
        shortcuts: Shortcuts of this run.
        of: Shortcuts of the float32 run that it is compared with.
    """

    dtype: torch.dtype = torch.bfloat16
    precise: bool = False
    autocast: bool = False
    shortcuts: Shortcuts = EXACT
    of: Shortcuts = EXACT


FAST = PHANTOM_1_3B.shortcuts
MODES = {
    "bfloat16 (`--no-precise`)": Mode(),
    "bfloat16, precise (default)": Mode(precise=True),
    "float16, precise (before sm80)": Mode(torch.float16, precise=True),
    "upstream, bfloat16": Mode(torch.float32, autocast=True),
    "`--fast`, precise, beside `--fast` in float32": Mode(precise=True, shortcuts=FAST, of=FAST),
    "`--fast`, precise, beside exact float32": Mode(precise=True, shortcuts=FAST),
    "`--fast` in float32, beside exact float32": Mode(torch.float32, shortcuts=FAST),
}


def parser() -> Parser:
    """Return the arguments of the command."""
    made = new_parser("precision", __doc__ or "")
    made.set_defaults(run=measure)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(parser(), arguments)


def measure(_arguments: argparse.Namespace) -> None:
    """Print the distance of every mode to float32, in per cent, with its range over the seeds."""
    torch.set_num_threads(1)
    print("| mode | distance, % | smallest, largest |\n| --- | --- | --- |")
    for name, mode in MODES.items():
        distances = [distance(mode, seed) for seed in SEEDS]
        mean = statistics.mean(distances)
        print(f"| {name} | {mean:.2f} | {min(distances):.2f}, {max(distances):.2f} |", flush=True)


def distance(mode: Mode, seed: int) -> float:
    """Return the relative distance of the final latents to those of float32, in per cent."""
    exact = _final(Mode(torch.float32, shortcuts=mode.of), seed)
    return 100 * ((_final(mode, seed) - exact).norm() / exact.norm()).item()


def _final(mode: Mode, seed: int) -> torch.Tensor:
    pipeline = random_pipeline(CONFIG, torch.float32, CPU, all_parts=False)
    for name, parameter in pipeline.transformer.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, mode.dtype))
    pipeline.precise, pipeline.shortcuts = mode.precise, mode.shortcuts
    if not mode.autocast:
        return _run(pipeline, seed)
    with hooked_float32_layers(pipeline.transformer), torch.autocast("cpu", torch.bfloat16):
        return _run(pipeline, seed)


def _run(pipeline: PhantomWanPipeline, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    *_, last = pipeline.denoise(
        height=64,
        width=96,
        num_frames=9,
        num_inference_steps=STEPS,
        generator=generator,
        prompt_embeds=torch.randn(1, 512, 64, generator=generator),
        negative_prompt_embeds=torch.randn(1, 512, 64, generator=generator),
        reference_latents=torch.randn(1, 16, 2, 8, 12, generator=generator),
    )
    return last.latents


if __name__ == "__main__":
    sys.exit(main())
