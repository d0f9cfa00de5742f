"""`procvid train lora`: a folder of clips with texts becomes a LoRA."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from procvid.cli.screen import Bar, duration
from procvid.errors import UnavailableError
from procvid.machine import asset_folder, check_gpu, gpu_facts
from procvid.phantom.lora import find_lora
from procvid.settings import PROFILES, Profile, choose_sampling, parse_size, read_environment
from procvid.train.lora.cost import cost_of
from procvid.train.lora.folder import read_training_folder
from procvid.train.lora.latents import Encoded
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.training import Base, LoraTraining, Trained, TrainingFinished, flow_shift
from procvid.train.lora.validation import Validated

COPIED = (
    "rank", "alpha", "epochs", "batch_size", "accumulate", "learning_rate", "warmup", "schedule",
    "drop_text", "drop_references", "no_references", "validation", "validate_every", "save_every",
    "seed", "checkpointing", "track", "max_references", "weight_decay",
    "targets", "focus_weight", "prior_weight",
)  # fmt: skip


def lora(arguments: argparse.Namespace) -> None:
    """Train, or with --dry-run tell what it would take."""
    profile = PROFILES[arguments.profile]
    size = parse_size(arguments.size) if arguments.size else None
    sampling = choose_sampling(profile, size=size, num_frames=arguments.frames)
    folder = _folder(profile, arguments.dry_run)
    on_gpu = gpu_facts()[0] is not None
    settings = LoraSettings(
        width=sampling.width,
        height=sampling.height,
        num_frames=sampling.num_frames,
        fps=sampling.fps,
        shift=flow_shift(folder) if arguments.shift is None else arguments.shift,
        precision=arguments.precision or ("bf16" if on_gpu and profile.half_precision else "no"),
        **{name: getattr(arguments, name) for name in COPIED},
    )
    data = Path(arguments.data).expanduser()
    if arguments.dry_run:
        cost = cost_of(read_training_folder(data), settings, profile.name, folder)
        print(json.dumps(cost.as_json()) if arguments.json else "\n".join(cost.lines()))
        return
    check_gpu(profile)
    out = Path(arguments.out).expanduser()
    facts = {"licence": arguments.licence, "name": arguments.name}
    training = LoraTraining(
        data,
        out,
        Base(folder, profile.name, sampling),
        settings,
        {key: value for key, value in facts.items() if value},
        Path(arguments.cache).expanduser() if arguments.cache else out / "cache",
        str(find_lora(Path(arguments.init).expanduser())) if arguments.init else "",
    )
    _show(training, arguments.json)


def _folder(profile: Profile, dry_run: bool) -> Path:
    if profile.bundled:
        return asset_folder(profile, "generator")
    folder = read_environment().models_folder / profile.name
    if not dry_run and not (folder / "model_index.json").is_file():
        raise UnavailableError(
            f"The {profile.name} model is missing: there is no {folder / 'model_index.json'}.",
            f"Make it with `procvid convert {profile.name}`.",
        )
    return folder


def _show(training: LoraTraining, as_json: bool) -> None:
    bar = Bar()
    epoch = 0
    try:
        for event in training.run():
            if not training.is_main:
                continue
            if as_json:
                print(json.dumps(_json(event)), flush=True)
                continue
            match event:
                case Encoded():
                    bar.show(event.done / event.total, f"encoding {event.done}/{event.total}", None)
                case Trained():
                    told = f"step {event.step}/{event.total}, loss {event.loss:.4f}"
                    bar.show(event.step / event.total, told, event.eta_s)
                    if event.epoch != epoch:
                        epoch = event.epoch
                        bar.clear()
                        left = duration(event.eta_s)
                        print(f"Epoch {epoch}: {told}, about {left} left", flush=True)
                case Validated():
                    bar.clear()
                    print(f"Held-out loss after epoch {event.epoch}: {event.loss:.4f}", flush=True)
                case TrainingFinished():
                    bar.clear()
                    _finished(event)
    finally:
        bar.clear()


def _finished(event: TrainingFinished) -> None:
    if event.skipped:
        print(f"{event.skipped} examples could not be used: skipped.jsonl tells why.")
    print(f"Done: {event.folder}. Use it with --lora {event.folder}.")


def _json(event: object) -> dict[str, object]:
    if isinstance(event, Validated):
        files = [str(sampled.file) for sampled in event.clips]
        return {"event": "validated", "epoch": event.epoch, "loss": event.loss, "clips": files}
    assert dataclasses.is_dataclass(event) and not isinstance(event, type)
    names = {Encoded: "encoded", Trained: "trained", TrainingFinished: "training_finished"}
    told = {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(event).items()}
    return {"event": names[type(event)], **told}
