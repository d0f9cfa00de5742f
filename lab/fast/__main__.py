"""The front of `--fast`: time against quality of every shortcut on the tiny model.

`python -m lab.fast --out FOLDER` writes `fast.json`, `fast_table.md` and
`fast_front.png`; `docs/fast.md` shows them and tells what was chosen.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch

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
from lab.fast.scatter import Mark, draw_scatter
from lab.quality.__main__ import ASSETS, load_oracle, load_pipeline
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.types import Shortcuts, StepCache

CALIBRATION_CLIPS = 3

BATCHED = Shortcuts(batched=True)


@dataclass(frozen=True)
class Regime:
    """A number of steps and scales whose exact clip the shortcuts are held against.

    Attributes:
        name: As told.
        told: What it stands for.
        exact: Without shortcuts.
        ways: With some.
        chosen: Name of the way that `--fast` takes.
        full: Names of those that are judged on all clips; the others on a part.
    """

    name: str
    told: str
    exact: Variant
    ways: tuple[Variant, ...]
    chosen: str
    full: tuple[str, ...]


def caches(steps: int, base: Shortcuts) -> Iterator[tuple[str, Shortcuts]]:
    """Every step cache at several strengths."""
    full = max(2, steps // 8)
    for every in (2, 3):
        yield f"taylor {every}", replace(base, cache=StepCache("taylor", every, full))
    for threshold in (0.1, 0.2):
        yield f"first block {threshold}", replace(base, cache=StepCache("first_block", threshold))
    for threshold in (0.05, 0.2):
        yield f"mag {threshold}", replace(base, cache=StepCache("mag", threshold, full))
    for threshold in (0.3, 0.6):
        yield f"sea {threshold}", replace(base, cache=StepCache("sea", threshold, full))


def two_branches() -> Regime:
    """The tiny profile as it is: equal scales, so two branches are exact already."""
    steps = TINY.sampling.num_inference_steps
    scales = (TINY.sampling.guidance_scale_text, TINY.sampling.guidance_scale_image)
    exact = Variant("exact", steps, scales=scales)

    def way(name: str, shortcuts: Shortcuts, num_steps: int = steps) -> Variant:
        return Variant(name, num_steps, shortcuts, scales)

    fast = TINY.fast_sampling
    chosen = way("--fast", fast.shortcuts, fast.num_inference_steps)
    three = Variant("exact, three branches", steps, scales=(scales[0] + 1, scales[1]))
    fewer = [way(f"{n} steps", Shortcuts(), n) for n in (6, 5, 4)]
    guided = [
        way("guided for half", Shortcuts(guided_share=0.5)),
        way("guidance every 2nd", Shortcuts(guided_every=2)),
        way("guidance every 3rd", Shortcuts(guided_every=3)),
    ]
    cached = [way(name, shortcuts) for name, shortcuts in caches(steps, Shortcuts())]
    together = [
        way("batched, 6 steps", BATCHED, 6),
        way("batched, 5 steps", BATCHED, 5),
        way("batched, taylor 3", replace(BATCHED, cache=StepCache("taylor", 3, 2))),
        way("batched, mag 0.2", replace(BATCHED, cache=StepCache("mag", 0.2, 2))),
        way("guidance every 2nd, 6 steps", Shortcuts(guided_every=2), 6),
        way(
            "guidance every 2nd, taylor 3",
            Shortcuts(guided_every=2, cache=StepCache("taylor", 3, 2)),
        ),
    ]
    ways = (way("batched", BATCHED), three, *fewer, *guided, *cached, *together, chosen)
    return Regime(
        "tiny",
        f"the tiny profile: {steps} steps, equal scales, two branches",
        exact,
        ways,
        chosen.name,
        ("exact", "batched, 6 steps", "--fast"),
    )


def three_branches() -> Regime:
    """As the published profiles sample: 50 steps, scales of the same ratio, three branches."""
    steps, scales = 50, (3.0, 2.0)
    exact = Variant("exact", steps, scales=scales)

    def way(name: str, shortcuts: Shortcuts, num_steps: int = steps) -> Variant:
        return Variant(name, num_steps, shortcuts, scales)

    def taylor(every: int, **shortcuts: Any) -> Shortcuts:
        return Shortcuts(cache=StepCache("taylor", every, 5), **shortcuts)

    fast = PHANTOM_1_3B.fast_sampling
    ways = (
        way("batched", BATCHED),
        way("20 steps", Shortcuts(), 20),
        way("guided for 3/4", Shortcuts(guided_share=0.75)),
        way("guidance every 2nd", Shortcuts(guided_every=2)),
        way("taylor 3", taylor(3)),
        way("taylor 4", taylor(4)),
        way("first block 0.1", Shortcuts(cache=StepCache("first_block", 0.1))),
        way("mag 0.2", Shortcuts(cache=StepCache("mag", 0.2, 5))),
        way("sea 0.3", Shortcuts(cache=StepCache("sea", 0.3, 5))),
        way("--fast", fast.shortcuts, fast.num_inference_steps),
    )
    return Regime(
        "published sampling",
        f"{steps} steps, three branches, as the published profiles sample; on the tiny weights",
        exact,
        ways,
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
    tell: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A row a way: quality, and the ratio of its time to the exact one's."""
    judges = load_oracle(ASSETS / "oracle"), ClipTowerFrameEncoder(ASSETS / "tiny_clip")
    pipeline.mag_ratios = mag_ratios(pipeline, clips[:CALIBRATION_CLIPS], regime.exact)
    ways = {way.name: way for way in (regime.exact, *regime.ways)}
    exact: list[torch.Tensor] = []
    qualities: dict[str, Quality] = {}
    for name, way in ways.items():
        part = clips[: None if name in regime.full else fewer]
        made, calls = make_all(pipeline, part, way)
        exact = exact or made
        qualities[name] = quality_of(pipeline, judges, part, made, exact[: len(part)], calls)
        tell(f"{regime.name}, {name}: {qualities[name]}")
    base = {qualities[regime.exact.name].clips: qualities[regime.exact.name]}
    base.setdefault(
        fewer, quality_of(pipeline, judges, clips[:fewer], exact[:fewer], exact[:fewer], 0)
    )

    def whole(way: Variant, number: int) -> dict[str, float]:
        return make_whole(pipeline, clips[number % len(clips)], way)

    seconds = measure_times({name: partial(whole, way) for name, way in ways.items()}, rounds)
    first = seconds[regime.exact.name]
    rows = []
    for name, way in ways.items():
        quality = qualities[name]
        against = base[quality.clips]
        rows.append(
            {
                "regime": regime.name,
                "name": name,
                "steps": way.steps,
                "scales": list(way.scales),
                "shortcuts": way.shortcuts.summary,
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
    "| way | branch predictions a clip | time of a clip | time of denoising | latent error | "
    "identity | text | joint (DINO L2) | clips |\n|---|---|---|---|---|---|---|---|---|"
)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of one regime as Markdown; times are ratios to the exact one's, points to the same clips'."""
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
    """Rows as Markdown, with the reason where one is unavailable."""
    lines = [
        "### Implementations\n",
        "| what | time of denoising | latent error |",
        "|---|---|---|",
    ]
    for row in rows:
        if row["unavailable"]:
            lines.append(f"| {row['name']} | unavailable | {row['unavailable']} |")
        else:
            error = row["latent_error"]
            lines.append(f"| {row['name']} | {row['denoising_ratio']:.2f} | {error:.0e} |")
    return "\n".join(lines) + "\n"


def draw_front(told: dict[str, Any], folder: Path) -> None:
    """The plot of the first regime's ways, all of one guidance, against its exact clip."""
    rows = told["regimes"][0]["rows"]
    marks = [
        Mark(row["clip_ratio"], row["latent_error"], row["name"], row["chosen"])
        for row in rows
        if row["scales"] == rows[0]["scales"]
    ]
    draw_scatter(
        marks,
        folder / "fast_front.png",
        title="Time of a clip against the error of its latents (tiny profile)",
        x_label="time of a clip, exact = 1",
        y_label="latent error",
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure what --fast gains and costs.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=int, default=20, help="of the exact run and the choice")
    parser.add_argument("--fewer", type=int, default=40, help="clips of the other ways")
    parser.add_argument("--rounds", type=int, default=5, help="timed clips a way")
    parser.add_argument("--no-compile", action="store_true", help="leave regional compile out")
    args = parser.parse_args()
    if args.recipes < 1 or args.fewer < 2 or args.rounds < 1:
        parser.error("--recipes and --rounds must be at least 1, --fewer at least 2")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    pipeline = load_pipeline(ASSETS / "tiny_phantom")
    clips = toy_clips(pipeline, args.recipes)
    fewer = min(args.fewer, len(clips))
    told: dict[str, Any] = {
        "machine": f"{platform.machine()} CPU, one thread",
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "regimes": [],
    }
    text = []
    for regime, share in ((two_branches(), 1), (three_branches(), 2)):
        # 50 steps of three branches take six times as long, so they get half the clips.
        rows = measure_regime(
            pipeline,
            clips,
            max(2, fewer // share),
            regime,
            rounds=max(1, args.rounds // share),
            tell=partial(print, flush=True),
        )
        told["regimes"].append({"name": regime.name, "told": regime.told, "rows": rows})
        text.append(f"### {regime.told.capitalize()}\n\n{table(rows)}")
        # After each regime, so that a cut-off run leaves what it has.
        (args.out / "fast.json").write_text(json.dumps(told, indent=1))
        (args.out / "fast_table.md").write_text("\n".join(text))
    draw_front(told, args.out)
    told["implementations"] = measure_implementations(
        pipeline, clips[0], two_branches().exact, args.rounds, with_compile=not args.no_compile
    )
    text.append(table_of_implementations(told["implementations"]))
    (args.out / "fast.json").write_text(json.dumps(told, indent=1))
    (args.out / "fast_table.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
