"""Measure the tiny profile in fresh processes, start-up included."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from procvid.cli.benchmark.process import failed, timed
from procvid.cli.screen import Bar
from procvid.plan.recipe.parse import read_recipe
from procvid.settings import TINY
from procvid.wiring import benchmark as wiring_measuring

FIVE_STEPS = """Carrot omelette
1. Slice the carrot on the cutting board with a knife.
2. Fry the carrot in the frying pan.
3. Mix the eggs in a bowl with a whisk.
4. Add the egg to the frying pan.
5. Serve the omelette on a plate.
"""

SERVE = (
    "from pathlib import Path; from procvid.ui.app import serve; "
    "from procvid.ui.server.context import open_context; serve(open_context(Path('examples')))"
)
APP_LIMIT_S = 120.0

UNITS = {
    "app_first_answer_s": "s from starting the app to its first HTTP response",
    "first_clip_s": "s from starting procvid to the first clip",
    "video_s": "s from starting procvid to the video",
    "num_steps": "steps in the recipe",
    "peak_memory_mib": "MiB of RAM at most while making the video",
    "denoising_step_ms": "ms per denoising step, two references",
    "plain_step_ms": "ms per step of a plain three-call loop, measured in turns with it",
    "ratio": "ratio of the two, lower is better",
}


def benchmark_tiny(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    if arguments.recipe:
        read_recipe(Path(arguments.recipe))
    bar = Bar()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="procvid-benchmark-") as temporary:
        folder = Path(temporary)
        recipe = Path(arguments.recipe) if arguments.recipe else folder / "recipe.txt"
        if not arguments.recipe:
            recipe.write_text(FIVE_STEPS, encoding="utf-8")
        bar.show(0.0, "video", None)
        figures |= measure_run(recipe, folder / "run")
        bar.show(0.5, "app", None)
        figures["app_first_answer_s"] = measure_app(folder / "app.log", folder / "runs")
        bar.show(0.8, "denoising steps", None)
        figures |= measure_steps(arguments.repeats)
    bar.clear()
    ordered = {key: round(figures[key], 3) for key in UNITS}
    if arguments.json:
        print(json.dumps(ordered))
        return
    for key, unit in UNITS.items():
        print(f"{ordered[key]:>10g}  {unit}")


def measure_run(recipe: Path, out: Path) -> dict[str, float]:
    """Return seconds to the first clip and to the video of `procvid generate`, and its peak RAM.

    Raises:
        UnavailableError: The run failed.
    """
    run = timed("The run", ["generate", str(recipe), "--out", str(out)], "clip_ready")
    return {
        "first_clip_s": run.events_s[0],
        "video_s": run.total_s,
        "num_steps": float(len(run.events_s)),
        "peak_memory_mib": run.peak_mib,
    }


def measure_app(log: Path, runs: Path) -> float:
    """Return the seconds from starting the app to its first HTTP response.

    Raises:
        UnavailableError: The app exited or did not respond in time.
    """
    port = _free_port()
    command = [sys.executable, *(["app.py"] if Path("app.py").is_file() else ["-c", SERVE])]
    environment = {
        **os.environ,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "0",
        "PROCVID_RUNS": str(runs),
    }
    start_s = time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        while time.perf_counter() - start_s < APP_LIMIT_S:
            if process.poll() is not None:
                raise failed("The app", log.read_text())
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
                    response.read()
                return time.perf_counter() - start_s
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise failed("The app did not respond and", log.read_text())
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure_steps(repeats: int) -> dict[str, float]:
    """Return the milliseconds of a denoising step and of a plain loop of three model calls."""
    measured = wiring_measuring.measure_denoising(TINY, repeats=repeats)
    return {
        "denoising_step_ms": measured["step_ms"],
        "plain_step_ms": measured["plain_step_ms"],
        "ratio": measured["ratio"],
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
