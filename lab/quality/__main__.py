"""How good the tiny models are, in the test kitchen: one command, one report.

`python -m lab.quality --out FOLDER` measures the shipped weights and writes `quality.json`,
`quality.md` and `contact_sheet.png`. Looks, wordings and recipes are held out from training. What
memory does is measured by `lab.quality.effect`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageDraw
from safetensors.torch import load_file

import procvid
from lab.pretrain.oracle import CLASSES, Oracle
from lab.quality.clips import (
    GeneratedClip,
    clip_accuracy,
    first_seeds,
    held_out_clips,
    identity_following,
    oracle_accuracy,
)
from lab.quality.models import clip_recall, detector_ap50, through_vae, vae_quality
from procvid.errors import ProcvidError
from procvid.models.detectors.tiny import TinyDetector
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import TINY

ASSETS = Path(procvid.__file__).parent / "assets"
FULL = 3
"""References of the clips by which text following is told."""

SHEET_CLIPS = 24
SHOWN = (0, 0.5, 1.0)
"""Places in a clip of the frames on the contact sheet."""


def load_oracle(folder: Path) -> Oracle:
    """The shipped oracle."""
    oracle = Oracle()
    oracle.load_state_dict(
        {k: v.float() for k, v in load_file(folder / "oracle.safetensors").items()}
    )
    return oracle.eval()


def load_pipeline(folder: Path) -> PhantomWanPipeline:
    """The shipped tiny Phantom in float32."""
    pipeline = PhantomWanPipeline.from_pretrained(folder).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def measure(assets: Path, recipes: int, fewer: int) -> tuple[dict[str, Any], list[GeneratedClip]]:
    """Every figure, and the clips that were made with all references but the last.

    Args:
        assets: Folder of the weights.
        recipes: Held-out recipes for text following.
        fewer: Recipes for each other number of references.

    Raises:
        UnavailableError: torchmetrics is not installed.
    """
    begin = time.monotonic()
    oracle, pipeline = load_oracle(assets / "oracle"), load_pipeline(assets / "tiny_phantom")
    embedder = OpenClipEmbedder(assets / "tiny_clip")
    scorer = OpenClipEmbedder(assets / "tiny_step_clip")
    sampling = TINY.sampling
    vae = vae_quality(pipeline.vae)
    made = list(held_out_clips(pipeline, first_seeds(recipes), FULL, sampling))
    by_count = {
        count: list(held_out_clips(pipeline, first_seeds(fewer), count, sampling))
        for count in (1, 2, 4)
    } | {FULL: made}
    true = [each.true for each in made]
    through = through_vae(pipeline.vae, true)
    rows = {
        "generated": [each.frames for each in made],
        "the renderer, through the VAE": through,
        "the renderer": true,
    }
    report = {
        "clips": len(made),
        "sampling": {
            "steps": sampling.num_inference_steps,
            "guidance_scale_text": sampling.guidance_scale_text,
            "guidance_scale_image": sampling.guidance_scale_image,
            "references": FULL,
        },
        "vae": vae,
        "oracle": {name: oracle_accuracy(oracle, made, clips) for name, clips in rows.items()},
        "step_clip": {name: clip_accuracy(scorer, made, clips) for name, clips in rows.items()},
        "chance": {question: 1 / len(words) for question, words in CLASSES.items()},
        "identity": {
            str(count): {"clips": len(clips), **identity_following(oracle, clips)}
            for count, clips in sorted(by_count.items())
        },
        "detector_ap50": detector_ap50(TinyDetector(assets / "tiny_detector", embedder)),
        "clip_recall_at_1": clip_recall(embedder),
    }
    report["seconds"] = round(time.monotonic() - begin)
    return report, made


def markdown(report: Mapping[str, Any]) -> str:
    """The report as tables."""
    questions = list(report["oracle"]["generated"])
    vae, made = report["vae"], report["clips"]
    lines = [
        f"VAE: {vae['psnr_db']:.1f} dB, SSIM {vae['ssim']:.3f}. {made} clips, "
        f"{report['sampling']['references']} references each, named by the oracle:",
        "",
        *_table(
            ["", *(q.replace("_", " ") for q in questions)],
            [[name, *_shares(row, questions)] for name, row in report["oracle"].items()]
            + [["chance", *_shares(report["chance"], questions)]],
        ),
        "",
        "Named by the tiny step CLIP, among the captions of every other action, food or state:",
        "",
        *_table(
            ["", "action", "food", "state"],
            [
                [name, *_shares(row, ["action", "food", "state"])]
                for name, row in report["step_clip"].items()
            ],
        ),
        "",
        "Identity by the number of references: share with all classes right, and the colours' distance:",
        "",
    ]
    columns = list(dict.fromkeys(key for row in report["identity"].values() for key in row))
    lines += _table(
        ["references", *(c.replace("_", " ") for c in columns)],
        [[count, *_shares(row, columns)] for count, row in report["identity"].items()],
    )
    for title, key in (("Detector AP50", "detector_ap50"), ("CLIP recall@1", "clip_recall_at_1")):
        told = ", ".join(f"{name} {value:.2f}" for name, value in report[key].items())
        lines += ["", f"{title}: {told}."]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _shares(row: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    shown = []
    for column in columns:
        value = row.get(column)
        if value is None:
            shown.append("")
        else:
            shown.append(f"{value:.0f}" if value > 1 else f"{value:.2f}")
    return shown


def sheet(made: Sequence[GeneratedClip], file: Path) -> None:
    """The first clips, three frames each, with their words below; two columns, twice enlarged."""
    cells = []
    for each in made[:SHEET_CLIPS]:
        frames = [each.frames[round(place * (len(each.frames) - 1))] for place in SHOWN]
        strip = Pillow.fromarray(np.concatenate(frames, 1))
        strip = strip.resize((strip.width * 2, strip.height * 2), Pillow.Resampling.LANCZOS)
        cell = Pillow.new("RGB", (strip.width + 12, strip.height + 26), "white")
        cell.paste(strip, (0, 0))
        ImageDraw.Draw(cell).text((2, strip.height + 6), each.text, "black")
        cells.append(cell)
    rows = (len(cells) + 1) // 2
    page = Pillow.new("RGB", (2 * cells[0].width, rows * cells[0].height), "white")
    for k, cell in enumerate(cells):
        page.paste(cell, ((k // rows) * cell.width, (k % rows) * cell.height))
    page.save(file)


def main() -> None:
    """Measure the shipped weights."""
    parser = argparse.ArgumentParser(description="Measure the tiny models in the test kitchen.")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=int, default=20)
    parser.add_argument("--fewer", type=int, default=8, help="for each number of references")
    args = parser.parse_args()
    if args.recipes < 1 or args.fewer < 1:
        parser.error("--recipes and --fewer must be at least 1")
    if not (args.assets / "oracle" / "oracle.safetensors").is_file():
        parser.error(f"{args.assets} holds no weights; `pretrain_tiny export` writes such a folder")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {args.out} cannot be made: {error.strerror}")
    try:
        report, made = measure(args.assets, args.recipes, args.fewer)
    except ProcvidError as error:
        parser.exit(error.exit_code, f"{error}\n")
    (args.out / "quality.json").write_text(json.dumps(report, indent=1))
    (args.out / "quality.md").write_text(markdown(report))
    print(markdown(report), end="")
    sheet(made, args.out / "contact_sheet.png")


if __name__ == "__main__":
    main()
