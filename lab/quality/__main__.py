"""Measure the tiny models on held-out toy-kitchen clips.

`python -m lab.quality --out FOLDER` writes `quality.json`, `quality.md` and `contact_sheet.png`; with
`--before ASSETS` also `before_and_after.png`, the same clips of earlier weights beside the present ones.
Looks, wordings and recipes are held out from training. `lab.quality.effect` measures what the
memory changes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import CLASSES
from lab.quality.clips import (
    GeneratedClip,
    clip_accuracy,
    first_seeds,
    held_out_clips,
    identity_following,
    oracle_accuracy,
)
from lab.quality.models import (
    clip_recall,
    detector_ap50,
    sharpness,
    through_vae,
    vae_quality,
)
from lab.quality.sheet import write_before_and_after, write_sheet
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.models.detectors.tiny import TinyDetector
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.settings import TINY
from procvid.storage.lock import output_folder

REFERENCES = 3
"""References of the clips that measure text following."""
SHEET_RECIPES = 2
"""Recipes on the sheet of earlier and present weights."""


def measure(assets: Path, recipes: int, fewer: int) -> tuple[dict[str, Any], list[GeneratedClip]]:
    """Return all figures, and the clips generated with three references.

    Args:
        assets: Folder of the weights.
        recipes: Held-out recipes for text following.
        fewer: Recipes for each other number of references.

    Raises:
        UnavailableError: Weights or torchmetrics are missing.
    """
    start_s = time.monotonic()
    oracle, pipeline = load_oracle(assets / "oracle"), load_pipeline(assets / "tiny_phantom")
    embedder = OpenClipEmbedder(assets / "tiny_clip")
    scorer = OpenClipEmbedder(assets / "tiny_step_clip")
    sampling = TINY.sampling
    vae = vae_quality(pipeline.vae)
    generated = list(held_out_clips(pipeline, first_seeds(recipes), REFERENCES, sampling))
    by_references = {
        number: list(held_out_clips(pipeline, first_seeds(fewer), number, sampling))
        for number in (1, 2, 4)
    } | {REFERENCES: generated}
    true = [clip.true for clip in generated]
    rows = {
        "generated": [clip.frames for clip in generated],
        "the renderer, through the VAE": through_vae(pipeline.vae, true),
        "the renderer": true,
    }
    report = {
        "clips": len(generated),
        "sampling": {
            "steps": sampling.num_inference_steps,
            "guidance_scale_text": sampling.guidance_scale_text,
            "guidance_scale_image": sampling.guidance_scale_image,
            "references": REFERENCES,
        },
        "vae": vae,
        "generated": sharpness(true, rows["generated"]),
        "oracle": {name: oracle_accuracy(oracle, generated, clips) for name, clips in rows.items()},
        "step_clip": {
            name: clip_accuracy(scorer, generated, clips) for name, clips in rows.items()
        },
        "chance": {question: 1 / len(words) for question, words in CLASSES.items()},
        "identity": {
            str(number): {"clips": len(clips), **identity_following(oracle, clips)}
            for number, clips in sorted(by_references.items())
        },
        "detector_ap50": detector_ap50(TinyDetector(assets / "tiny_detector", embedder)),
        "clip_recall_at_1": clip_recall(embedder),
    }
    report["seconds"] = round(time.monotonic() - start_s)
    return report, generated


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as tables."""
    questions = list(report["oracle"]["generated"])
    vae, clips = report["vae"], report["clips"]
    lines = [
        f"VAE: {vae['psnr_db']:.1f} dB ({vae['still_db']:.1f} where it stands still, "
        f"{vae['moving_db']:.1f} in the {vae['moving_share']:.2f} of the picture that moves), SSIM "
        f"{vae['ssim']:.3f}, flicker {vae['flicker']:.4f}, gradient energy "
        f"{vae['gradient_energy']:.2f} of the renderer's; generated clips: flicker "
        f"{report['generated']['flicker']:.4f}, gradient energy "
        f"{report['generated']['gradient_energy']:.2f}.",
        "",
        f"{clips} clips with "
        f"{report['sampling']['references']} references each, classified by the oracle:",
        "",
        *_table(
            ["", *(q.replace("_", " ") for q in questions)],
            [[name, *_shares(row, questions)] for name, row in report["oracle"].items()]
            + [["chance", *_shares(report["chance"], questions)]],
        ),
        "",
        "Classified by the tiny step CLIP among captions with every other action, food or state:",
        "",
        *_table(
            ["", "action", "food", "state"],
            [
                [name, *_shares(row, ["action", "food", "state"])]
                for name, row in report["step_clip"].items()
            ],
        ),
        "",
        "Identity by number of references: share with all classes right, and colour distance:",
        "",
    ]
    columns = list(dict.fromkeys(key for row in report["identity"].values() for key in row))
    lines += _table(
        ["references", *(c.replace("_", " ") for c in columns)],
        [[number, *_shares(row, columns)] for number, row in report["identity"].items()],
    )
    for title, key in (("Detector AP50", "detector_ap50"), ("CLIP recall@1", "clip_recall_at_1")):
        values = ", ".join(f"{name} {value:.2f}" for name, value in report[key].items())
        lines += ["", f"{title}: {values}."]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _shares(row: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    cells = []
    for column in columns:
        value = row.get(column)
        if value is None:
            cells.append("")
        else:
            cells.append(f"{value:.0f}" if value > 1 else f"{value:.2f}")
    return cells


def parser() -> Parser:
    """Return the parser of `python -m lab.quality`."""
    made = new_parser("quality", "Measure the tiny models on held-out toy-kitchen clips.")
    made.add_argument("--assets", type=Path, default=ASSETS, help="folder of the weights")
    made.add_argument("--out", type=Path, required=True, help="folder of the report")
    made.add_argument("--before", type=Path, help="folder of earlier weights to compare with")
    made.add_argument("--recipes", type=count, default=20, help="recipes for text following")
    made.add_argument("--fewer", type=count, default=8, help="recipes per other reference count")
    made.set_defaults(run=quality)
    return made


def quality(arguments: argparse.Namespace) -> None:
    """Measure the weights of a folder and write the report."""
    with output_folder(arguments.out):
        earlier = arguments.before and load_pipeline(arguments.before / "tiny_phantom")
        report, clips = measure(arguments.assets, arguments.recipes, arguments.fewer)
        (arguments.out / "quality.json").write_text(json.dumps(report, indent=1))
        (arguments.out / "quality.md").write_text(markdown(report))
        write_sheet(clips, arguments.out / "contact_sheet.png")
        if earlier is not None:
            seeds = first_seeds(min(SHEET_RECIPES, arguments.recipes))
            before = list(held_out_clips(earlier, seeds, REFERENCES, TINY.sampling))
            write_before_and_after(before, clips, arguments.out / "before_and_after.png")
    print(markdown(report), end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
