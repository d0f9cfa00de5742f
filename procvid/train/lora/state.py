"""Save and restore the state of a training: one atomic file, a config and the curve."""

from __future__ import annotations

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
from procvid.storage.atomic import replacing
from procvid.storage.files import write_json

STATE, CONFIG, CURVE = "state.safetensors", "config.json", "loss.csv"
COLUMNS = ("step", "epoch", "loss", "grad_norm", "learning_rate", "examples", "seconds")
"""Columns of the loss curve."""

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def check_config(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Return True if the folder holds a state of this config; write the config into a new folder.

    Raises:
        InputError: The folder holds a training with another config, or an unreadable config.
        OutputError: The folder cannot be written.
    """
    file = folder / CONFIG
    if not file.is_file():
        if (folder / STATE).exists():
            raise InputError(
                f"{str(folder)!r} has {STATE} but no {CONFIG}.", "Choose another --out."
            )
        write_json(file, dict(wanted))
        return False
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        changed = sorted(k for k in {*saved, *wanted} if saved.get(k) != wanted.get(k))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{str(file)!r} cannot be read.", "Choose another --out.") from error
    if changed:
        name = changed[0]
        more = f", and {len(changed) - 1} more differ" if len(changed) > 1 else ""
        raise InputError(
            f"{str(folder)!r} holds another training: its {name.replace('_', ' ')} is "
            f"{_brief(saved.get(name))}, not {_brief(wanted.get(name))}{more}.",
            "Choose another --out, or give the original options.",
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
    """Save weights, moments of AdamW, schedule, step and torch's random state.

    Raises:
        OutputError: The file cannot be written, such as on a full disk; the older state stays.
    """
    tensors = {"rng": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    for name, parameter in parameters.items():
        tensors[f"weight.{name}"] = parameter.detach().cpu().contiguous()
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}.{name}"] = value.detach().cpu().contiguous()
    position = {"step": step, "schedule": dict(schedule), "seconds": seconds}
    with replacing(folder / STATE) as temporary:
        try:
            save_file(tensors, temporary, {"state": json.dumps(position)})
        except SafetensorError as error:
            # safetensors wraps the OSError; recover its number.
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number.group(1)) if number else errno.EIO, str(error)) from error


def load_state(
    folder: Path,
    parameters: Mapping[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[int, dict[str, Any], float]:
    """Restore a saved state.

    Returns:
        The next step, the state of the schedule, and the seconds spent so far.

    Raises:
        InputError: The file is damaged or belongs to another model.
    """
    file = folder / STATE
    try:
        with safe_open(file, framework="pt") as opened:
            position = json.loads(opened.metadata()["state"])
            saved = set(opened.keys())
            for name, parameter in parameters.items():
                with torch.no_grad():
                    parameter.copy_(opened.get_tensor(f"weight.{name}"))
                keys = [f"{moment}.{name}" for moment in _MOMENTS]
                # A parameter that is only kept has no moments; nor has one before the first step.
                if saved.issuperset(keys):
                    optimizer.state[parameter] = {
                        moment: opened.get_tensor(key).to(
                            "cpu" if moment == "step" else parameter.device
                        )
                        for moment, key in zip(_MOMENTS, keys, strict=True)
                    }
            torch.set_rng_state(opened.get_tensor("rng"))
            if torch.cuda.is_available() and "rng.cuda" in saved:
                torch.cuda.set_rng_state(opened.get_tensor("rng.cuda"))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"The saved state {str(file)!r} is damaged ({type(error).__name__}).",
            "Delete it to start again; the latent cache is kept.",
        ) from error
    return int(position["step"]), position["schedule"], float(position["seconds"])
