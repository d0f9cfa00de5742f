"""The front of `--fast`: time against quality of every shortcut on the tiny model.

`python -m procvid.train.fast_front --out FOLDER` writes `fast.json`, `fast_table.md` and
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

from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import TINY
from procvid.train.fast_implementations import measure_implementations
from procvid.train.fast_measure import (
    Quality,
    ToyClip,
    Way,
    latents_of,
    mag_ratios,
    make_whole,
    measure_times,
    quality_of,
    toy_clips,
)
from procvid.train.measure import ASSETS, load_oracle, load_pipeline
from procvid.train.scatter import Mark, draw_scatter
from procvid.types import Shortcuts, StepCache

CALIBRATION_CLIPS = 6

BATCHED = Shortcuts(batched=True)


@dataclass(frozen=True)
class Regime:
    """A number of steps and scales whose exact clip the shortcuts are held against.

    Attributes:
        name: As told.
        told: What it stands for.
        exact: Without shortcuts.
        ways: With some.
        much: Whether the exact run and the choice get all clips, the rest a part.
        chosen: Name of the way that `--fast` takes; it gets all clips too.
    """

    name: str
    told: str
    exact: Way
    ways: tuple[Way, ...]
    chosen: str
    full: tuple[str, ...]


def caches(steps: int, base: Shortcuts) -> Iterator[tuple[str, Shortcuts]]:
    """Every step cache at several strengths."""
    full = max(2, steps // 8)
    for every in (2, 3, 4):
        yield f"taylor {every}", replace(base, cache=StepCache("taylor", every, full))
    for threshold in (0.1, 0.2, 0.4):
        yield f"first block {threshold}", replace(base, cache=StepCache("first_block", threshold))
    for threshold in (0.05, 0.2, 0.5):
        yield f"mag {threshold}", replace(base, cache=StepCache("mag", threshold, full))
    for threshold in (0.1, 0.3, 0.6):
        yield f"sea {threshold}", replace(base, cache=StepCache("sea", threshold, full))


def two_branches() -> Regime:
    """The tiny profile as it is: equal scales, so two branches are exact already."""
    steps = TINY.sampling.num_inference_steps
    scales = (TINY.sampling.guidance_scale_text, TINY.sampling.guidance_scale_image)
    exact = Way("exact", steps, scales=scales)

    def way(name: str, shortcuts: Shortcuts, num_steps: int = steps) -> Way:
        return Way(name, num_steps, shortcuts, scales)

    fast = TINY.fast_sampling
    chosen = way("--fast", fast.shortcuts, fast.num_inference_steps)
    three = Way("exact, three branches", steps, scales=(scales[0] + 1, scales[1]))
    fewer = [way(f"{n} steps", Shortcuts(), n) for n in (8, 6, 5, 4)]
    guided = [
        way("guided for half", Shortcuts(guided_share=0.5)),
        way("guided for 3/4", Shortcuts(guided_share=0.75)),
        way("guidance every 2nd", Shortcuts(guided_every=2)),
        way("guidance every 3rd", Shortcuts(guided_every=3)),
    ]
    cached = [way(name, shortcuts) for name, shortcuts in caches(steps, Shortcuts())]
    together = [
        way("batched, 6 steps", BATCHED, 6),
        way("batched, 4 steps", BATCHED, 4),
        way("batched, taylor 3", replace(BATCHED, cache=StepCache("taylor", 3, 2))),
        way("batched, taylor 4", replace(BATCHED, cache=StepCache("taylor", 4, 2))),
        way("batched, 8 steps, taylor 2", replace(BATCHED, cache=StepCache("taylor", 2, 2)), 8),
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
        ("exact", "--fast", "6 steps", "5 steps", "4 steps"),
    )


def three_branches() -> Regime:
    """As the published profiles sample: 50 steps, scales of the same ratio, three branches."""
    steps, scales = 50, (3.0, 2.0)
    exact = Way("exact", steps, scales=scales)

    def way(name: str, shortcuts: Shortcuts, num_steps: int = steps) -> Way:
        return Way(name, num_steps, shortcuts, scales)

    def taylor(every: int, **shortcuts: Any) -> Shortcuts:
        return Shortcuts(cache=StepCache("taylor", every, 5), **shortcuts)

    ways = (
        way("batched", BATCHED),
        way("20 steps", Shortcuts(), 20),
        way("guided for 3/4", Shortcuts(guided_share=0.75)),
        way("guidance every 2nd", Shortcuts(guided_every=2)),
        way("guidance every 4th", Shortcuts(guided_every=4)),
        way("taylor 2", taylor(2)),
        way("taylor 3", taylor(3)),
        way("taylor 4", taylor(4)),
        way("taylor 6", taylor(6)),
        way("first block 0.1", Shortcuts(cache=StepCache("first_block", 0.1))),
        way("mag 0.2", Shortcuts(cache=StepCache("mag", 0.2, 5))),
        way("sea 0.3", Shortcuts(cache=StepCache("sea", 0.3, 5))),
        way("guidance every 2nd, taylor 3", taylor(3, guided_every=2)),
    )
    return Regime(
        "published sampling",
        f"{steps} steps, three branches, as the published profiles sample; on the tiny weights",
        exact,
        ways,
        "taylor 3",
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
    oracle = load_oracle(ASSETS / "oracle")
    encoder = ClipTowerFrameEncoder(ASSETS / "tiny_clip")
    pipeline.mag_ratios = mag_ratios(pipeline, clips[:CALIBRATION_CLIPS], regime.exact)
    exact = [
        latents_of(pipeline, clip, regime.exact) for clip in clips[: None if regime.full else fewer]
    ]
    qualities: dict[str, Quality] = {}
    for way in (regime.exact, *regime.ways):
        count = len(exact) if way.name in regime.full else fewer
        qualities[way.name] = quality_of(
            pipeline, oracle, encoder, clips[:count], way, exact[:count]
        )
        tell(f"{regime.name}, {way.name}: {qualities[way.name]}")
    ways = {way.name: way for way in (regime.exact, *regime.ways)}

    def whole(way: Way, number: int) -> None:
        make_whole(pipeline, clips[number % len(clips)], way)

    def denoised(way: Way, number: int) -> None:
        latents_of(pipeline, clips[number % len(clips)], way)

    seconds = {
        kind: measure_times({name: partial(run, way) for name, way in ways.items()}, rounds)
        for kind, run in (("clip", whole), ("denoising", denoised))
    }
    base = quality_of(pipeline, oracle, encoder, clips[:fewer], regime.exact, exact[:fewer])
    rows = []
    for name, way in ways.items():
        quality = qualities[name]
        against = qualities["exact"] if quality.clips == qualities["exact"].clips else base
        rows.append(
            {
                "regime": regime.name,
                "name": name,
                "steps": way.steps,
                "scales": list(way.scales),
                "shortcuts": way.shortcuts.told,
                **asdict(quality),
                "identity_change": quality.identity - against.identity,
                "text_change": quality.text - against.text,
                "joint_change": quality.joint - against.joint,
                "clip_ratio": seconds["clip"][name] / seconds["clip"]["exact"],
                "denoising_ratio": seconds["denoising"][name] / seconds["denoising"]["exact"],
                "clip_s": seconds["clip"][name],
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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure what --fast gains and costs.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=int, default=20, help="of the exact run and the choice")
    parser.add_argument("--fewer", type=int, default=40, help="clips of the other ways")
    parser.add_argument("--rounds", type=int, default=7, help="timed clips a way")
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
    for regime in (two_branches(), three_branches()):
        rows = measure_regime(
            pipeline, clips, fewer, regime, rounds=args.rounds, tell=partial(print, flush=True)
        )
        told["regimes"].append({"name": regime.name, "told": regime.told, "rows": rows})
        text.append(f"### {regime.told.capitalize()}\n\n{table(rows)}")
        # After each regime, so that a cut-off run leaves what it has.
        (args.out / "fast.json").write_text(json.dumps(told, indent=1))
        (args.out / "fast_table.md").write_text("\n".join(text))
    marks = [
        Mark(row["clip_ratio"], row["latent_error"], row["name"], row["chosen"])
        for row in told["regimes"][0]["rows"]
        if row["scales"] == list(two_branches().exact.scales)
    ]
    draw_scatter(
        marks,
        args.out / "fast_front.png",
        title="Time of a clip against the error of its latents (tiny profile)",
        x_label="time of a clip, exact = 1",
        y_label="latent error",
    )
    told["implementations"] = measure_implementations(
        pipeline, clips[0], two_branches().exact, args.rounds, with_compile=not args.no_compile
    )
    lines = ["### Implementations\n", "| what | time of denoising | difference |", "|---|---|---|"]
    for row in told["implementations"]:
        ratio = row["unavailable"] or f"{row['denoising_ratio']:.2f}"
        error = "" if row["unavailable"] else f"{row['latent_error']:.1e}"
        lines.append(f"| {row['name']} | {ratio} | {error} |")
    text.append("\n".join(lines) + "\n")
    (args.out / "fast.json").write_text(json.dumps(told, indent=1))
    (args.out / "fast_table.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
