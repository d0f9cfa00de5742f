"""Measure every figure of the documentation that depends on the tiny models: `python -m lab.all_figures`.

Each figure is a list of commands with a folder, a log and a record of its own. A figure that is
finished for the present weights is skipped, so the command resumes where it was interrupted. Each
page of `PAGES` names the revision of the models that its figures were measured with, and a test
compares it with the shipped weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.command import ASSETS, count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError, RunError, UnavailableError
from procvid.storage.atomic import write_bytes
from procvid.storage.files import sha256_of
from procvid.storage.lock import output_folder

MODELS = ("oracle", "tiny_clip", "tiny_detector", "tiny_phantom", "tiny_step_clip")


@dataclass(frozen=True)
class Figure:
    """Figures of one page: commands that run in a folder of their own, which `{out}` names."""

    name: str
    page: str
    commands: tuple[str, ...]


LORA = "--epochs 12 --batch-size 16 --accumulate 1 --learning-rate 2e-3 --schedule linear"
FIGURES = (
    Figure(
        "ablation",
        "memory.md",
        (
            "procvid ablate toykitchen --limit 100 --settings base,memory,memory-no-write-back"
            " --out {out}/runs",
            "python -m lab.quality.effect {out}/runs",
        ),
    ),
    Figure(
        "gaps",
        "memory.md",
        (
            "python -m lab.memory_proof gaps --out {out}/store",
            "procvid ablate toykitchen --limit 60 --settings base,memory,memory-no-write-back"
            " --memory {out}/store --out {out}/runs",
            "python -m lab.quality.effect {out}/runs",
        ),
    ),
    Figure("food_reference", "memory.md", ("python -m lab.food_reference --out {out}",)),
    Figure("retrieval", "memory.md", ("python -m lab.memory_proof prove --out {out}",)),
    Figure("planted", "memory.md", ("python -m lab.memory_proof planted --out {out}",)),
    Figure("long", "memory.md", ("python -m lab.memory_proof long --out {out}/run",)),
    Figure("curation", "curate.md", ("python -m lab.curation_proof --out {out} --cut 0.2",)),
    Figure("proof", "metrics.md", ("python -m lab.metrics_proof --out {out}",)),
    Figure(
        "inverse",
        "metrics.md",
        (
            "procvid evaluate inverse toykitchen --limit 50 --out {out}/objects",
            "procvid evaluate inverse toykitchen --limit 50 --key-frame frame --out {out}/frame",
        ),
    ),
    Figure(
        "lora",
        "lora.md",
        (
            "python -m lab.extension data --work {out}/work --out {out}/data --recipes 150",
            f"procvid train lora {{out}}/data --out {{out}}/first {LORA}"
            " --validation 8 --targets all --focus-weight 3 --prior-weight 3",
            "python -m lab.extension oracle --work {out}/work",
            "python -m lab.extension measure --work {out}/work --lora {out}/first"
            " --out {out}/measured --recipes 80",
            "python -m lab.extension recipes --work {out}/work --out {out}/recipes --recipes 50",
            "procvid ablate {out}/recipes --out {out}/runs --lora {out}/first",
            "python -m lab.extension ablation --work {out}/work --out {out}/runs",
        ),
    ),
    Figure("quality", "tiny.md", ("python -m lab.quality --out {out}",)),
    Figure("fast", "fast.md", ("python -m lab.fast --out {out}",)),
    Figure("takes", "takes.md", ("python -m lab.best_of --out {out}",)),
    Figure("visual_states", "visual_states.md", ("python -m lab.visual_states --out {out}",)),
    Figure(
        "differences",
        "differences.md",
        ("python -m lab.differences --out {out}", "python -m lab.coached --out {out} --clips 210"),
    ),
)
PAGES = tuple(dict.fromkeys(figure.page for figure in FIGURES))


def models_revision(assets: Path = ASSETS) -> str:
    """Return 12 hexadecimal digits that change with any weight of the tiny models.

    Raises:
        UnavailableError: A model is missing.
    """
    digest = hashlib.sha256()
    for name in MODELS:
        files = sorted((assets / name).rglob("*.safetensors"))
        if not files:
            raise UnavailableError(f"The weights of {name} are missing.", "Install procvid again.")
        for file in files:
            digest.update(f"{file.relative_to(assets).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()[:12]


def state_of(out: Path, figure: Figure, revision: str) -> dict[str, object]:
    """Return the record of a figure: `finished` commands and `seconds`; empty for other weights."""
    file = out / f"{figure.name}.json"
    fresh: dict[str, object] = {
        "models": revision,
        "commands": list(figure.commands),
        "finished": 0,
        "seconds": 0.0,
    }
    try:
        state = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return fresh
    except ValueError as error:
        raise InputError(
            f"{file} is damaged.", "Remove it to measure its figures again."
        ) from error
    same = all(state.get(key) == fresh[key] for key in ("models", "commands"))
    return state if same else fresh


def make(figure: Figure, out: Path, revision: str, workers: int = 1) -> bool:
    """Run the commands of a figure that are not finished; return True if all are.

    Each command takes its share of the processor's threads. The output goes to `NAME.log`.
    The record counts the seconds of interrupted runs too.
    """
    state = state_of(out, figure, revision)
    finished, seconds = int(str(state["finished"])), float(str(state["seconds"]))
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers))}
    with (out / f"{figure.name}.log").open("a", encoding="utf-8") as log:
        for command in figure.commands[finished:]:
            line = command.format(out=shlex.quote(str(out / figure.name)))
            words = shlex.split(line.replace("procvid ", "python -m procvid ", 1))
            print(f"{figure.name}: {line}", flush=True)
            log.write(f"$ {line}\n")
            log.flush()
            start_s = time.monotonic()
            try:
                code = subprocess.run(
                    [sys.executable, *words[1:]],
                    stdout=log,
                    stderr=log,
                    check=False,
                    env={**threads, **os.environ},
                ).returncode
            finally:
                seconds += time.monotonic() - start_s
                _write(out, figure, {**state, "finished": finished, "seconds": seconds})
            if code:
                print(f"{figure.name}: exit status {code}; see {figure.name}.log", file=sys.stderr)
                return False
            finished += 1
            _write(out, figure, {**state, "finished": finished, "seconds": seconds})
    return True


def _write(out: Path, figure: Figure, state: dict[str, object]) -> None:
    write_bytes(out / f"{figure.name}.json", (json.dumps(state, indent=1) + "\n").encode())


def table(out: Path, revision: str) -> str:
    """Return what is finished, with its page and run time."""
    lines = [
        f"Models {revision}",
        "",
        "| figures | page | finished | minutes |",
        "|---|---|---|---|",
    ]
    total = 0.0
    for figure in FIGURES:
        state = state_of(out, figure, revision)
        seconds = float(str(state["seconds"]))
        total += seconds
        done = "yes" if state["finished"] == len(figure.commands) else "no"
        lines.append(f"| {figure.name} | {figure.page} | {done} | {seconds / 60:.0f} |")
    return "\n".join([*lines, f"| all | | | {total / 60:.0f} |"]) + "\n"


def parser() -> Parser:
    """Return the parser of `python -m lab.all_figures`."""
    made = new_parser("all_figures", "Measure the documentation's figures of the tiny models anew.")
    made.add_argument("--out", type=Path, required=True, help="folder of results, logs and records")
    made.add_argument(
        "--only",
        action="append",
        choices=[figure.name for figure in FIGURES],
        help="measure only these figures; repeatable",
    )
    made.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="figures measured side by side (default 1)",
    )
    made.set_defaults(run=all_figures)
    return made


def all_figures(arguments: argparse.Namespace) -> None:
    """Make all figures that are not finished, and print what is finished.

    Raises:
        RunError: A command failed; the others were tried.
    """
    revision = models_revision()
    wanted = [f for f in FIGURES if arguments.only is None or f.name in arguments.only]
    workers = arguments.workers
    with output_folder(arguments.out), ThreadPoolExecutor(workers) as pool:
        made = list(pool.map(lambda figure: make(figure, arguments.out, revision, workers), wanted))
        text = table(arguments.out, revision)
        write_bytes(arguments.out / "figures.md", text.encode())
    print(text, end="")
    if not all(made):
        raise RunError(
            f"{made.count(False)} of {len(made)} figures could not be measured.",
            "Read their logs, and run the same command again.",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
