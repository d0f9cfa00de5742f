"""Measure time and quality of every sampling shortcut on the tiny model.

`python -m lab.fast --out FOLDER` writes `fast.json`, `fast_table.md` and `fast_front.html`.
`docs/fast.md` shows the tables and explains the choices.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch

from lab.command import ASSETS, count, new_parser
from lab.fast.implementations import measure_implementations
from lab.fast.measure import (
    Quality,
    ToyClip,
    Variant,
    mag_ratios,
    make_all,
    make_whole,
    measure_times,
    quality_of,
    toy_clips,
)
from lab.fast.scatter import Mark, write_scatter
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.storage.lock import output_folder
from procvid.types import EXACT, Shortcuts, StepCache

CALIBRATION_CLIPS = 3

BATCHED = Shortcuts(batched=True)


@dataclass(frozen=True)
class Regime:
    """Denoising steps and guidance scales whose exact clips the shortcuts are compared with.

    Attributes:
        name: Short name.
        description: Purpose of the regime.
        exact: The variant without shortcuts.
        variants: Variants with shortcuts.
        chosen: Name of the variant that the profile uses.
        full: Names of variants that are measured on all clips; others use a part.
    """

    name: str
    description: str
    exact: Variant
    variants: tuple[Variant, ...]
    chosen: str
    full: tuple[str, ...]


def few_steps(full: int, scales: tuple[float, float]) -> Iterator[Variant]:
    """Yield variants of few steps, guided on all, half or one of them."""
    for steps in (4, 6):
        for guided in (steps, steps // 2, 1):
            if (steps, guided) != (full, full):
                name = f"{steps} steps, {guided} guided"
                yield Variant(name, steps, Shortcuts(guided_share=guided / steps), scales)


def two_branches() -> Regime:
    """Return the regime of the tiny profile: few steps, and equal scales, so two branches are exact."""
    steps = TINY.sampling.num_inference_steps
    scales = (TINY.sampling.guidance_scale_text, TINY.sampling.guidance_scale_image)

    def variant(name: str, shortcuts: Shortcuts = EXACT, num_steps: int = steps) -> Variant:
        return Variant(name, num_steps, shortcuts, scales)

    other_steps = [variant(f"{n} steps", num_steps=n) for n in (2, 3, 8, 16)]
    return Regime(
        "tiny",
        f"the tiny profile: {steps} steps, equal scales, two branches",
        variant("exact"),
        (
            variant("batched", BATCHED),
            Variant("three branches", steps, scales=(scales[0] + 1, scales[1])),
            *other_steps,
            *few_steps(steps, scales),
            variant("guidance every 2nd", Shortcuts(guided_every=2)),
            variant("no zero references", Shortcuts(drop_zero_references=True)),
            replace(variant("8-bit attention (simulated)"), in_8_bits=True),
            variant("batched, 3 steps", BATCHED, 3),
            variant("batched, 2 steps, 1 guided", replace(BATCHED, guided_share=0.5), 2),
        ),
        "exact",
        ("exact", "8 steps"),
    )


def three_branches() -> Regime:
    """Return the regime of the published profiles: 50 steps, three branches."""
    steps, scales = 50, (3.0, 2.0)
    exact = Variant("exact", steps, scales=scales)

    def variant(name: str, shortcuts: Shortcuts, num_steps: int = steps) -> Variant:
        return Variant(name, num_steps, shortcuts, scales)

    def taylor(every: int, **shortcuts: Any) -> Shortcuts:
        return Shortcuts(cache=StepCache("taylor", every, 5), **shortcuts)

    fast = PHANTOM_1_3B.fast_sampling
    variants = (
        variant("batched", BATCHED),
        variant("20 steps", Shortcuts(), 20),
        variant("guided for 3/4", Shortcuts(guided_share=0.75)),
        variant("guidance every 2nd", Shortcuts(guided_every=2)),
        variant("no zero references", Shortcuts(drop_zero_references=True)),
        replace(variant("8-bit attention (simulated)", Shortcuts()), in_8_bits=True),
        variant("taylor 3", taylor(3)),
        variant("taylor 4", taylor(4)),
        variant("first block 0.1", Shortcuts(cache=StepCache("first_block", 0.1))),
        variant("mag 0.2", Shortcuts(cache=StepCache("mag", 0.2, 5))),
        variant("sea 0.3", Shortcuts(cache=StepCache("sea", 0.3, 5))),
        variant("--fast", fast.shortcuts, fast.num_inference_steps),
    )
    return Regime(
        "published sampling",
        f"{steps} steps, three branches, as the published profiles sample; on the tiny weights",
        exact,
        variants,
        "--fast",
        (),
    )


def measure_regime(
    pipeline: PhantomWanPipeline,
    clips: list[ToyClip],
    fewer: int,
    regime: Regime,
    *,
    rounds: int,
    report: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return a row per variant: quality, and time as a ratio to the exact variant."""
    judges = load_oracle(ASSETS / "oracle"), ClipTowerFrameEncoder(ASSETS / "tiny_clip")
    pipeline.mag_ratios = mag_ratios(pipeline, clips[:CALIBRATION_CLIPS], regime.exact)
    variants = {each.name: each for each in (regime.exact, *regime.variants)}
    exact: list[torch.Tensor] = []
    qualities: dict[str, Quality] = {}
    for name, variant in variants.items():
        part = clips[: None if name in regime.full else fewer]
        latents, calls = make_all(pipeline, part, variant)
        exact = exact or latents
        qualities[name] = quality_of(pipeline, judges, part, latents, exact[: len(part)], calls)
        report(f"{regime.name}, {name}: {qualities[name]}")
    base = {qualities[regime.exact.name].clips: qualities[regime.exact.name]}
    base.setdefault(
        fewer, quality_of(pipeline, judges, clips[:fewer], exact[:fewer], exact[:fewer], 0)
    )

    def whole(variant: Variant, number: int) -> dict[str, float]:
        return make_whole(pipeline, clips[number % len(clips)], variant)

    seconds = measure_times(
        {name: partial(whole, variant) for name, variant in variants.items()}, rounds
    )
    first = seconds[regime.exact.name]
    rows = []
    for name, variant in variants.items():
        quality = qualities[name]
        against = base[quality.clips]
        rows.append(
            {
                "regime": regime.name,
                "name": name,
                "steps": variant.steps,
                "scales": list(variant.scales),
                "shortcuts": variant.shortcuts.summary,
                **asdict(quality),
                "identity_change": quality.identity - against.identity,
                "text_change": quality.text - against.text,
                "joint_change": quality.joint - against.joint,
                "clip_ratio": seconds[name]["clip"] / first["clip"],
                "denoising_ratio": seconds[name]["denoising"] / first["denoising"],
                "clip_s": seconds[name]["clip"],
                "chosen": name == regime.chosen,
            }
        )
    return rows


HEAD = (
    "| variant | branch predictions per clip | time of a clip | time of denoising | latent error | "
    "identity | text | joint (DINO L2) | clips |\n|---|---|---|---|---|---|---|---|---|"
)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of a regime as Markdown, relative to the exact variant on the same clips."""
    lines = [HEAD]
    for row in rows:
        name = f"**{row['name']}**" if row["chosen"] else row["name"]
        lines.append(
            f"| {name} | {row['calls']:.1f} | {row['clip_ratio']:.2f} | "
            f"{row['denoising_ratio']:.2f} | {row['latent_error']:.3f} | "
            f"{100 * row['identity']:.1f} ({100 * row['identity_change']:+.1f}) | "
            f"{100 * row['text']:.1f} ({100 * row['text_change']:+.1f}) | "
            f"{row['joint']:.3f} ({row['joint_change']:+.3f}) | {row['clips']} |"
        )
    return "\n".join(lines) + "\n"


def table_of_implementations(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown; unavailable ones show the reason."""
    lines = [
        "### Implementations\n",
        "| implementation | time of denoising | latent error |",
        "|---|---|---|",
    ]
    for row in rows:
        if row["unavailable"]:
            lines.append(f"| {row['name']} | unavailable | {row['unavailable']} |")
        else:
            error = row["latent_error"]
            lines.append(f"| {row['name']} | {row['denoising_ratio']:.2f} | {error:.0e} |")
    return "\n".join(lines) + "\n"


def draw_front(results: dict[str, Any], folder: Path) -> None:
    """Plot the variants of the first regime that share the guidance of its exact one."""
    rows = results["regimes"][0]["rows"]
    marks = [
        Mark(row["clip_ratio"], row["latent_error"], row["name"], row["chosen"])
        for row in rows
        if row["scales"] == rows[0]["scales"]
    ]
    write_scatter(
        marks,
        folder / "fast_front.html",
        title="Time of a clip against the error of its latents (tiny profile)",
        x_label="time of a clip, exact = 1",
        y_label="latent error",
    )


def parser() -> Parser:
    """Return the parser of `python -m lab.fast`."""
    made = new_parser("fast", "Measure time and quality of every sampling shortcut.")
    made.add_argument("--out", type=Path, required=True, help="folder of tables and plot")
    made.add_argument("--recipes", type=count, default=20, help="recipes of the whole runs")
    made.add_argument("--fewer", type=count, default=20, help="clips of other variants, 2 or more")
    made.add_argument("--rounds", type=count, default=5, help="timed clips per variant")
    made.add_argument(
        "--only",
        metavar="TEXT",
        action="append",
        default=[],
        help="measure only variants whose name contains this, and no implementations; repeatable",
    )
    made.add_argument("--no-compile", action="store_true", help="skip regional compile")
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Measure both regimes and all implementations; write tables and plot.

    Raises:
        InputError: Fewer than two clips leave no joint to measure.
    """
    if arguments.fewer < 2:
        raise InputError(f"--fewer is {arguments.fewer}.", "Choose 2 or more.")
    with output_folder(arguments.out):
        _measure(arguments)


def _measure(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    torch.set_num_threads(1)
    pipeline = load_pipeline(ASSETS / "tiny_phantom")
    clips = toy_clips(pipeline, arguments.recipes)
    fewer = min(arguments.fewer, len(clips))
    results: dict[str, Any] = {
        "machine": f"{platform.machine()} CPU, one thread",
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "regimes": [],
    }
    text = []
    for regime, share in ((two_branches(), 1), (three_branches(), 2)):
        regime = _only(regime, arguments.only)
        # 50 steps of three branches take six times as long, so they get half of the clips.
        rows = measure_regime(
            pipeline,
            clips,
            max(2, fewer // share),
            regime,
            rounds=max(1, arguments.rounds // share),
            report=partial(print, flush=True),
        )
        entry = {"name": regime.name, "description": regime.description, "rows": rows}
        results["regimes"].append(entry)
        text.append(f"### {regime.description.capitalize()}\n\n{table(rows)}")
        # Written after each regime, so that an interrupted run keeps its results.
        _write(out, results, text)
    draw_front(results, out)
    if arguments.only:
        return
    results["implementations"] = measure_implementations(
        pipeline,
        clips[0],
        two_branches().exact,
        arguments.rounds,
        with_compile=not arguments.no_compile,
    )
    text.append(table_of_implementations(results["implementations"]))
    _write(out, results, text)


def _only(regime: Regime, texts: Sequence[str]) -> Regime:
    """Return a regime with the variants whose name contains one of the texts; all without texts."""
    chosen = (v for v in regime.variants if any(text in v.name for text in texts))
    return replace(regime, variants=tuple(chosen)) if texts else regime


def _write(out: Path, results: dict[str, Any], text: list[str]) -> None:
    (out / "fast.json").write_text(json.dumps(results, indent=1))
    (out / "fast_table.md").write_text("\n".join(text))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
