"""`procvid benchmark`: how long things take here; fresh processes, so that starting up counts."""

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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from procvid.cli.benchmark_gpu import benchmark_gpu
from procvid.cli.screen import Bar
from procvid.errors import InputError, UnavailableError
from procvid.plan.parse import read_recipe
from procvid.settings import PROFILES, TINY
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
    "app_first_answer_s": "s to the first HTTP answer of the app, from cold",
    "first_clip_s": "s to the first clip, from cold",
    "video_s": "s to the video, from cold",
    "num_steps": "steps in its recipe",
    "peak_memory_mib": "MiB of memory at most while making it",
    "denoising_step_ms": "ms a denoising step, two references",
    "plain_step_ms": "ms a step of a plain three-call loop, measured in turns with it",
    "ratio": "of the two, lower is better",
}


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure and print; nothing is kept."""
    if not 1 <= arguments.repeats <= 1000:
        raise InputError(f"{arguments.repeats} repeats cannot be made.", "Choose 1 to 1000.")
    if not PROFILES[arguments.profile].bundled:
        benchmark_gpu(arguments)
        return
    if arguments.recipe:
        read_recipe(Path(arguments.recipe))
    bar = Bar()
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="procvid-benchmark-") as temporary:
        folder = Path(temporary)
        recipe = Path(arguments.recipe) if arguments.recipe else folder / "recipe.txt"
        if not arguments.recipe:
            recipe.write_text(FIVE_STEPS, encoding="utf-8")
        bar.show(0.0, "a video from cold", None)
        told |= measure_run(recipe, folder / "run")
        bar.show(0.5, "the app from cold", None)
        told["app_first_answer_s"] = measure_app(folder / "app.log", folder / "runs")
        bar.show(0.8, "denoising steps", None)
        told |= measure_steps(arguments.repeats)
    bar.clear()
    ordered = {key: round(told[key], 3) for key in UNITS}
    if arguments.json:
        print(json.dumps(ordered))
        return
    for key, unit in UNITS.items():
        print(f"{ordered[key]:>10g}  {unit}")


def measure_run(recipe: Path, out: Path) -> dict[str, float]:
    """Seconds to the first clip and to the video of `procvid generate`, and its peak memory.

    Raises:
        UnavailableError: The run failed; says how.
    """
    told = timed("The run", ["generate", str(recipe), "--out", str(out)], "clip_ready")
    return {
        "first_clip_s": told.events_s[0],
        "video_s": told.total_s,
        "num_steps": float(len(told.events_s)),
        "peak_memory_mib": told.peak_mib,
    }


@dataclass(frozen=True)
class Timed:
    """A command in a process of its own: when the events of one kind came, and what it took."""

    events_s: tuple[float, ...]
    total_s: float
    cpu_s: float
    peak_mib: float


def timed(what: str, arguments: Sequence[str], kind: str) -> Timed:
    """Run `procvid ... --json` and take the time of each event of a kind.

    Raises:
        UnavailableError: It failed, says how, or told no such event.
    """
    command = [sys.executable, "-m", "procvid", *arguments, "--json"]
    start_s, events_s = time.perf_counter(), []
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == kind:
                events_s.append(time.perf_counter() - start_s)
        process.stdout.close()
        peak_mib, cpu_s = _reap(process)
        total_s = time.perf_counter() - start_s
        complaints.seek(0)
        if process.returncode != 0 or not events_s:
            raise _failed(what, complaints.read())
    return Timed(tuple(events_s), total_s, cpu_s, peak_mib)


def measure_app(log: Path, runs: Path) -> float:
    """Seconds from starting the app to its first answer over HTTP.

    Raises:
        UnavailableError: It ended, or did not answer in time; says how.
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
                raise _failed("The app", log.read_text())
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    answer.read()
                return time.perf_counter() - start_s
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise _failed("The app did not answer and", log.read_text())
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure_steps(repeats: int) -> dict[str, float]:
    """Milliseconds of a denoising step, beside a plain loop of three calls."""
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


def _reap(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Wait for a process; its return code is set, peak memory in MiB and CPU seconds come back."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return peak_mib, usage.ru_utime + usage.ru_stime


def _failed(what: str, output: str) -> UnavailableError:
    """A process that ended badly, with the last line of what it said."""
    lines = [line for line in output.splitlines() if line.strip()]
    said = lines[-1][:300] if lines else "it said nothing"
    return UnavailableError(f"{what} failed: {said}", "`procvid doctor` tells what is missing.")
