"""Measure the time and RAM of an evaluation over the number of clips."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from procvid.cli.benchmark.process import timed
from procvid.cli.screen import Bar
from procvid.evaluate.inputs import MAX_CLIPS
from procvid.media.video import write_clip
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import FPS

COUNTS = (5, 20, 50, 100)
SCALE = 4
assert max(COUNTS) <= MAX_CLIPS


def benchmark_evaluation(arguments: argparse.Namespace) -> None:
    """Evaluate 5 to 100 toy clips with all metrics, each count in a separate process."""
    bar, rows = Bar(), []
    with tempfile.TemporaryDirectory(prefix="procvid-benchmark-") as temporary:
        files, texts = _clips(Path(temporary), max(COUNTS))
        for place, number in enumerate(COUNTS):
            bar.show(place / len(COUNTS), f"{number} clips", None)
            out = Path(temporary) / f"scores{number}"
            rows.append(measure(files[:number], texts[:number], out))
    bar.clear()
    if arguments.json:
        print(json.dumps(rows))
        return
    print("  clips    total s     start s  ms per clip   CPU s   peak MiB")
    for row in rows:
        print(
            f"{row['clips']:7d}{row['total_s']:11.2f}{row['start_s']:13.2f}"
            f"{row['clip_ms']:12.1f}{row['cpu_s']:8.1f}{row['peak_memory_mib']:11.0f}"
        )


def measure(files: Sequence[Path], texts: Sequence[str], out: Path) -> dict[str, Any]:
    """Return the time, time per clip (judge, metrics and report included) and RAM of one evaluation.

    Raises:
        UnavailableError: The evaluation failed.
    """
    options = ["--text", *texts, "--profile", "tiny", "--out", str(out)]
    run = timed("The evaluation", ["evaluate", *map(str, files), *options], "clip_read")
    return {
        "clips": len(files),
        "total_s": round(run.total_s, 3),
        # The first clip loads the models.
        "start_s": round(run.events_s[0], 3),
        "clip_ms": round(1000 * (run.total_s - run.events_s[0]) / (len(files) - 1), 2),
        # Steadier than wall time on a busy machine.
        "cpu_s": round(run.cpu_s, 2),
        "peak_memory_mib": round(run.peak_mib, 1),
    }


def _clips(folder: Path, wanted: int) -> tuple[list[Path], list[str]]:
    """Write held-out toy clips, all different, and return them with their texts."""
    drawn = (
        (recipe.render(number).frames, step.text)
        for recipe in map(random_recipe, count(HELD_OUT))
        for number, step in enumerate(recipe.steps, start=1)
    )
    files, texts = [], []
    for number, (frames, text) in enumerate(islice(drawn, wanted), start=1):
        files.append(folder / f"{number:03d}.mp4")
        write_clip(files[-1], frames, FPS, scale=SCALE)
        texts.append(text)
    return files, texts
