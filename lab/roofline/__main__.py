"""Count a denoising step before and after each change for speed, and estimate its seconds on cards.

`python -m lab.roofline` prints the tables of `docs/gpu.md`. The counts are exact; the seconds follow
from the rates in `lab/roofline/cards.py`, which were not measured here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lab.command import new_parser
from lab.roofline.cards import CARDS, Card
from lab.roofline.count import CallCost, Counter
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.phantom.flops import branch_forwards
from procvid.phantom.guidance import Guidance
from procvid.phantom.layout import CONFIGS
from procvid.phantom.vram import ClipShape, Denoising
from procvid.settings import MAX_REFERENCES, PHANTOM_PROFILES, PROFILES, Profile
from procvid.types import EXACT, Sampling, Shortcuts


@dataclass(frozen=True)
class Way:
    """A way to run the transformer.

    Attributes:
        name: Name in the table.
        shortcuts: Shortcuts of the sampling.
        precise: Keep the float32 residual stream.
        compiled: Compile the blocks.
        attention: Attention kernel; "" for the card's default.
    """

    name: str
    shortcuts: Shortcuts = EXACT
    precise: bool = False
    compiled: bool = False
    attention: str = ""


DROPPED = Shortcuts(drop_zero_references=True)
WAYS = (
    Way("half precision"),
    Way("flash attention", attention="flash"),
    Way("precise", precise=True),
    Way("compiled", compiled=True),
    Way("precise, compiled", precise=True, compiled=True),
    Way("no zero references", DROPPED),
    Way("8-bit attention", attention="8 bits"),
    Way("compiled, no zero references, 8 bits", DROPPED, compiled=True, attention="8 bits"),
)


def step_rows(profile: Profile) -> list[dict[str, Any]]:
    """Return the cost of a step of the profile's default clip in every way."""
    rows = []
    for way in WAYS:
        counter = _counter(profile, profile.sampling, way)
        rows.append(_row(way.name, counter.step(), way.attention))
    return rows


def clip_rows(profile: Profile) -> list[dict[str, Any]]:
    """Return the cost of denoising a whole clip with the sampling of each mode, in precise mode."""
    modes = {
        "exact": profile.sampling,
        "--fast": profile.fast_sampling,
        "--distilled": profile.sampling.distilled,
    }
    rows = []
    for name, sampling in modes.items():
        for compiled in (False, True):
            way = Way(name, sampling.shortcuts, profile.half_precision, compiled)
            counter = _counter(profile, sampling, way)
            forwards = branch_forwards(sampling, MAX_REFERENCES)
            cost = CallCost()
            for branch, number in forwards.items():
                cost += counter.call(branch) * number
            row = _row(f"{name}, compiled" if compiled else name, cost, "")
            rows.append({**row, "calls": sum(forwards.values())})
    return rows


def _counter(profile: Profile, sampling: Sampling, way: Way) -> Counter:
    clip = ClipShape(sampling.width, sampling.height, sampling.num_frames, MAX_REFERENCES)
    scales = sampling.guidance_scale_text, sampling.guidance_scale_image
    # A step cache skips whole calls; a call that is computed costs the same.
    shortcuts = replace(way.shortcuts, cache=None)
    denoising = Denoising(scales, way.precise, shortcuts)
    return Counter(CONFIGS[profile.name], clip, denoising, way.compiled)


def _row(name: str, cost: CallCost, attention: str) -> dict[str, Any]:
    seconds = {card.name: card.seconds(cost, attention) for card in CARDS}
    return {"name": name, **asdict(cost), "seconds": seconds}


def breaks_even_after(rows: list[dict[str, Any]], card: Card, compile_s: float) -> float:
    """Return after how many clips compiling has saved the seconds that it takes."""
    saved = rows[0]["seconds"][card.name] - rows[1]["seconds"][card.name]
    return compile_s / saved


def table(rows: list[dict[str, Any]], *, in_minutes: bool = False) -> str:
    """Return rows as Markdown."""
    unit, length = ("min", 60) if in_minutes else ("s", 1)
    cards = " | ".join(f"{card.name}, {unit}" for card in CARDS)
    lines = [
        f"| | kernels | GEMM TFLOP | attention TFLOP | other TB | {cards} |",
        "| --- " * (5 + len(CARDS)) + "|",
    ]
    for row in rows:
        seconds = " | ".join(f"{row['seconds'][card.name] / length:.2f}" for card in CARDS)
        lines.append(
            f"| {row['name']} | {row['kernels']:,.0f} | {row['products'] / 1e12:,.0f} | "
            f"{row['attention'] / 1e12:,.0f} | {row['moved'] / 1e12:,.2f} | {seconds} |"
        )
    return "\n".join(lines)


def parser() -> Parser:
    """Return the parser of `python -m lab.roofline`."""
    made = new_parser("roofline", "Count a denoising step and estimate its seconds on cards.")
    made.add_argument("--profile", choices=PHANTOM_PROFILES, default=PHANTOM_PROFILES[0])
    made.add_argument("--json", action="store_true", help="print JSON")
    made.add_argument(
        "--compile-s", type=float, default=60.0, help="assumed seconds of compiling (default: 60)"
    )
    made.set_defaults(run=roofline)
    return made


def roofline(arguments: argparse.Namespace) -> None:
    """Count and print."""
    profile = PROFILES[arguments.profile]
    steps, clips = step_rows(profile), clip_rows(profile)
    if arguments.json:
        print(json.dumps({"profile": profile.name, "step": steps, "clip": clips}))
        return
    sampling = profile.sampling
    branches = len(Guidance(7.5, 5.0, MAX_REFERENCES).branches)
    print(
        f"{profile.name}, {sampling.width}x{sampling.height}x{sampling.num_frames}, "
        f"{MAX_REFERENCES} references: one step of {branches} calls\n\n{table(steps)}\n"
    )
    print(f"A whole clip, denoising alone\n\n{table(clips, in_minutes=True)}\n")
    for card in CARDS:
        exact, fast = (
            breaks_even_after(clips[at : at + 2], card, arguments.compile_s) for at in (0, 2)
        )
        print(
            f"{card.name}: compiling for {arguments.compile_s:g} s pays after {exact:.1f} exact or "
            f"{fast:.1f} fast clips"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
