"""`procvid train lora`: train a LoRA on a folder of clips with texts."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import Bar, time_left
from procvid.errors import UnavailableError
from procvid.machine import asset_folder, check_gpu, gpu_facts
from procvid.settings import PHANTOM_PROFILES, PROFILES, TINY, Profile, choose_sampling, parse_size
from procvid.settings.environment import read_environment, user_path
from procvid.train.lora.settings import OPTIONS, LoraSettings

if TYPE_CHECKING:
    from procvid.train.lora.training import LoraTraining


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the settings are fields of `LoraSettings`."""
    parser.add_argument("data", metavar="DATA", help="training folder (docs/lora.md)")
    parser.add_argument(
        "--cache", metavar="DIR", help="folder of latents and embeddings (default: in --out)"
    )
    parser.add_argument(
        "--shift", metavar="X", type=float, help="flow shift (default: the model's)"
    )
    add_common(parser)
    add_options(parser.add_argument_group("settings"), OPTIONS)
    parser.set_defaults(run=train_lora)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every training: model, size, output and facts."""
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder of states, curves and the LoRA"
    )
    parser.add_argument("--init", metavar="FILE|DIR", help="LoRA of the same rank to start from")
    parser.add_argument(
        "--profile",
        choices=PHANTOM_PROFILES,
        default=TINY.name,
        help=f"model to fine-tune (default: {TINY.name})",
    )
    parser.add_argument(
        "--size", metavar="WxH", help="size of the frames, px (default: the profile's)"
    )
    parser.add_argument(
        "--frames",
        metavar="N",
        type=whole_number,
        help="maximum frames per clip, 4n+1 (default: the profile's)",
    )
    parser.add_argument(
        "--precision",
        choices=("no", "bf16"),
        help="bf16, or no for float32 (default: bf16 on a GPU)",
    )
    parser.add_argument("--licence", default="", help="licence of the LoRA, such as apache-2.0")
    parser.add_argument("--name", default="", help="name of the LoRA")
    parser.add_argument(
        "--dry-run", action="store_true", help="print amounts, time and memory; train nothing"
    )
    add_json(parser, "print one event per line as JSON")


def add_options(group: argparse._ArgumentGroup, fields: Sequence[dataclasses.Field[Any]]) -> None:
    """Add an option for each field, with its help, choices and default."""
    for field in fields:
        option, default, choices = _option(field.name), field.default, field.metadata["choices"]
        summary = field.metadata["help"]
        if isinstance(default, bool):
            group.add_argument(option, action="store_true", help=summary)
            continue
        summary += f" (default: {default})"
        if choices:
            group.add_argument(option, choices=choices, default=default, help=summary)
        elif isinstance(default, int):
            group.add_argument(
                option, metavar="N", type=whole_number, default=default, help=summary
            )
        else:
            group.add_argument(option, metavar="X", type=float, default=default, help=summary)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def train_lora(arguments: argparse.Namespace) -> None:
    """Train, or with --dry-run print what training would take.

    Raises:
        InputError: A setting is out of range, or the training folder is damaged.
        UnavailableError: The model is missing, or the profile needs a GPU.
    """
    # Imported here because these import torch, which `train lora --help` does not need.
    from procvid.phantom.lora import find_lora
    from procvid.train.lora.cost import cost_of
    from procvid.train.lora.folder import read_training_folder
    from procvid.train.lora.training import Base, LoraTraining, flow_shift

    profile = PROFILES[arguments.profile]
    size = parse_size(arguments.size) if arguments.size else None
    sampling = choose_sampling(profile, size=size, num_frames=arguments.frames)
    folder = model_folder(profile, arguments.dry_run)
    on_gpu = gpu_facts()[0] is not None
    settings = LoraSettings(
        width=sampling.width,
        height=sampling.height,
        num_frames=sampling.num_frames,
        fps=sampling.fps,
        shift=flow_shift(folder) if arguments.shift is None else arguments.shift,
        precision=arguments.precision or ("bf16" if on_gpu and profile.half_precision else "no"),
        **{field.name: getattr(arguments, field.name) for field in OPTIONS},
    )
    data = user_path(arguments.data)
    if arguments.dry_run:
        cost = cost_of(read_training_folder(data), settings, profile.name, folder)
        print(json.dumps(cost.as_json()) if arguments.json else "\n".join(cost.lines()))
        return
    check_gpu(profile)
    out = user_path(arguments.out)
    facts = {"licence": arguments.licence, "name": arguments.name}
    training = LoraTraining(
        data,
        out,
        Base(folder, profile.name, sampling),
        settings,
        {key: value for key, value in facts.items() if value},
        user_path(arguments.cache) if arguments.cache else out / "cache",
        str(find_lora(user_path(arguments.init))) if arguments.init else "",
    )
    _show(training, arguments.json)


def model_folder(profile: Profile, dry_run: bool) -> Path:
    """Return the folder of the base model; with `dry_run` it need not be there.

    Raises:
        UnavailableError: The model is missing.
    """
    if profile.bundled:
        return asset_folder(profile, "generator")
    folder = read_environment().models_folder / profile.name
    if not dry_run and not (folder / "model_index.json").is_file():
        raise UnavailableError(
            f"The {profile.name} model is missing: {folder / 'model_index.json'} does not exist.",
            f"Create it with `procvid convert {profile.name}`.",
        )
    return folder


def _show(training: LoraTraining, as_json: bool) -> None:
    from procvid.train.lora.latents import Encoded
    from procvid.train.lora.training import Trained, TrainingFinished
    from procvid.train.lora.validation import Validated

    bar = Bar()
    epoch = 0
    try:
        for event in training.run():
            if not training.is_main:
                continue
            if as_json:
                print(json.dumps(_to_json(event)), flush=True)
                continue
            match event:
                case Encoded():
                    bar.show(event.done / event.total, f"encoding {event.done}/{event.total}", None)
                case Trained():
                    text = f"step {event.step}/{event.total}, loss {event.loss:.4f}"
                    bar.show(event.step / event.total, text, event.eta_s)
                    if event.epoch != epoch:
                        epoch = event.epoch
                        bar.clear()
                        print(f"Epoch {epoch}: {text}{time_left(event.eta_s)}", flush=True)
                case Validated():
                    bar.clear()
                    print(f"Held-out loss after epoch {event.epoch}: {event.loss:.4f}", flush=True)
                case TrainingFinished():
                    bar.clear()
                    if event.skipped:
                        print(f"{event.skipped} examples were skipped; see skipped.jsonl.")
                    print(f"Done: {event.folder}. Use it with --lora {event.folder}.")
    finally:
        bar.clear()


def _to_json(event: object) -> dict[str, object]:
    from procvid.train.lora.latents import Encoded
    from procvid.train.lora.training import Trained, TrainingFinished
    from procvid.train.lora.validation import Validated

    if isinstance(event, Validated):
        files = [str(sampled.file) for sampled in event.clips]
        return {"event": "validated", "epoch": event.epoch, "loss": event.loss, "clips": files}
    assert dataclasses.is_dataclass(event) and not isinstance(event, type)
    names = {Encoded: "encoded", Trained: "trained", TrainingFinished: "training_finished"}
    facts = {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(event).items()}
    return {"event": names[type(event)], **facts}
