"""The state of a training on the disk: one file that is whole or absent, and the curve beside it."""

from __future__ import annotations

import csv
import errno
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from procvid.errors import InputError
from procvid.storage.atomic import output_errors, replacing, write_text
from procvid.storage.files import write_json

STATE, CONFIG, CURVE = "state.safetensors", "config.json", "loss.csv"
COLUMNS = ("step", "epoch", "loss", "grad_norm", "learning_rate", "examples", "seconds")
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def check_config(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a training of this very config lies in the folder; its config is written where not.

    Raises:
        InputError: One of another config does, or something else.
        OutputError: The folder cannot be written.
    """
    file = folder / CONFIG
    if not file.is_file():
        if (folder / STATE).exists():
            raise InputError(f"{str(folder)!r} has a {STATE} and no {CONFIG}.", "Choose another.")
        write_json(file, dict(wanted))
        return False
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
        changed = sorted(k for k in {*there, *wanted} if there.get(k) != wanted.get(k))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{str(file)!r} cannot be read.", "Choose another --out.") from error
    if changed:
        name = changed[0]
        more = f", and {len(changed) - 1} more differ" if len(changed) > 1 else ""
        raise InputError(
            f"{str(folder)!r} holds another training: its {name.replace('_', ' ')} is "
            f"{_brief(there.get(name))}, not {_brief(wanted.get(name))}{more}.",
            "Choose another --out, or the options that it was begun with.",
        )
    return (folder / STATE).is_file()


def _brief(value: object) -> str:
    return str(value)[:24]


def save_state(
    folder: Path,
    step: int,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    schedule: Mapping[str, Any],
    seconds: float,
) -> None:
    """Write what the next step needs: weights, moments of AdamW, schedule, position and torch's RNG.

    Raises:
        OutputError: It cannot be written, for a full disk say; the older state stays.
    """
    tensors = {"rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    for name, parameter in parameters.items():
        tensors[f"weight.{name}"] = parameter.detach().cpu().contiguous()
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}.{name}"] = value.detach().cpu().contiguous()
    told = {"step": step, "schedule": dict(schedule), "seconds": seconds}
    with replacing(folder / STATE) as temporary:
        try:
            save_file(tensors, temporary, {"state": json.dumps(told)})
        except SafetensorError as error:
            # What its writer makes of an OSError.
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number.group(1)) if number else errno.EIO, str(error)) from error


def load_state(
    folder: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[int, dict[str, Any], float]:
    """Put a saved state back.

    Returns:
        The next step, the state of the schedule, and the seconds that were spent.

    Raises:
        InputError: It is damaged, or of another model.
    """
    file = folder / STATE
    try:
        with safe_open(file, framework="pt") as opened:
            told = json.loads(opened.metadata()["state"])
            for name, parameter in parameters.items():
                with torch.no_grad():
                    parameter.copy_(opened.get_tensor(f"weight.{name}"))
                keys = [f"{moment}.{name}" for moment in _MOMENTS]
                if told["step"]:
                    optimizer.state[parameter] = {
                        moment: opened.get_tensor(key).to(
                            "cpu" if moment == "step" else parameter.device
                        )
                        for moment, key in zip(_MOMENTS, keys, strict=True)
                    }
            torch.set_rng_state(opened.get_tensor("rng"))
            if torch.cuda.is_available() and "rng.cuda" in set(opened.keys()):
                torch.cuda.set_rng_state(opened.get_tensor("rng.cuda"))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"The saved state {str(file)!r} is damaged ({type(error).__name__}).",
            "Delete it to begin again; the cache of latents is kept.",
        ) from error
    return int(told["step"]), told["schedule"], float(told["seconds"])


class Curve:
    """`loss.csv`: a line per step. What a killed training wrote beyond its state is taken back.

    Args:
        folder: Of the training.
        first: The next step.

    Raises:
        OutputError: It cannot be written.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self._file = folder / CURVE
        kept = [",".join(COLUMNS)]
        if first and self._file.is_file():
            lines = self._file.read_text(encoding="utf-8").splitlines()[1:]
            kept += [line for line in lines if line.split(",")[0] in map(str, range(first))]
        write_text(self._file, "\n".join(kept) + "\n")

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a line."""
        with output_errors(self._file), self._file.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(dict(row))


def read_curve(folder: Path) -> list[dict[str, float]]:
    """The lines of a curve."""
    with (folder / CURVE).open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
