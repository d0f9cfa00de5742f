"""`procvid train rl`: reinforce a LoRA with rewards from the product's own judges."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from procvid.cli.arguments import whole_number
from procvid.cli.screen import Bar, time_left
from procvid.cli.train.lora import add_common, add_options, model_folder
from procvid.cli.workers import add_workers, spread_of
from procvid.errors import InputError
from procvid.machine import check_gpu, gpu_facts, use_one_thread
from procvid.settings import PROFILES, choose_sampling, parse_size
from procvid.settings.environment import user_path
from procvid.train.rl.rewards.weighing import DEFAULT_WEIGHING, WEIGHINGS, check_weights
from procvid.train.rl.settings import OPTIONS, RlSettings

if TYPE_CHECKING:
    from procvid.train.rl.data import RlData
    from procvid.train.rl.events import RlEvent
    from procvid.train.rl.training import Reinforcement

TOY = "toykitchen"
POOL = 240
"""Training shots of the toy kitchen."""

TRAINING_SEED, VALIDATION_SEED = 500_000, 900_000
"""First seeds of the toy recipes; both are seeds that training may draw."""

VALIDATION_EVERY = 5
"""A recipe has about six shots, so each held-out one comes from another recipe."""

BASE_CLIPS = 16
"""Clips of the base model that set the range of its look."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the settings are fields of `RlSettings`."""
    parser.add_argument(
        "data", metavar="DATA", help=f"training folder with planned objects (docs/rl.md), or {TOY}"
    )
    parser.add_argument(
        "--rewards",
        metavar="NAME|ID=WEIGHT,...",
        default=DEFAULT_WEIGHING,
        help=f"weighing ({', '.join(WEIGHINGS)}) or weights (default: {DEFAULT_WEIGHING})",
    )
    parser.add_argument(
        "--steps", metavar="N", type=whole_number, help="denoising steps (default: the profile's)"
    )
    add_common(parser)
    add_workers(parser)
    add_options(parser.add_argument_group("settings"), OPTIONS)
    parser.set_defaults(run=train_rl)


def train_rl(arguments: argparse.Namespace) -> None:
    """Train, or with --dry-run print what training would take.

    Raises:
        InputError: A setting is out of range, or the training folder is damaged.
        UnavailableError: The model or a judge is missing, or the profile needs a GPU.
    """
    # Imported here because these import torch, which `train rl --help` does not need.
    from functools import partial
    from itertools import cycle, islice

    from procvid.phantom.lora import find_lora
    from procvid.train.lora.training import Base
    from procvid.train.rl.cost import rl_cost
    from procvid.train.rl.rollouts import make_maker
    from procvid.train.rl.training import Reinforcement, base_clips
    from procvid.wiring.evaluation import build_tiny_reader
    from procvid.wiring.rewards import build_held_out, build_rewards

    profile = PROFILES[arguments.profile]
    size = parse_size(arguments.size) if arguments.size else None
    sampling = choose_sampling(profile, size=size, num_frames=arguments.frames)
    if arguments.steps is not None:
        sampling = dataclasses.replace(sampling, num_inference_steps=arguments.steps)
    on_gpu = gpu_facts()[0] is not None
    settings = RlSettings(
        rewards=weights_of(arguments.rewards),
        precision=arguments.precision or ("bf16" if on_gpu and profile.half_precision else "no"),
        **{option.name: getattr(arguments, option.name) for option in OPTIONS},
    )
    folder = model_folder(profile, arguments.dry_run)
    if arguments.dry_run:
        has_pairs = settings.algorithm == "dpo" and arguments.data != TOY
        has_pairs = has_pairs and bool(_data(arguments.data, profile.name, settings).pairs)
        cost = rl_cost(
            settings,
            sampling,
            profile.name,
            folder,
            profile.max_references,
            has_pairs=has_pairs,
        )
        print(json.dumps(cost.as_json()) if arguments.json else "\n".join(cost.lines()))
        return
    check_gpu(profile)
    if not on_gpu:
        # The same clips on any machine, and from one worker or several.
        use_one_thread()
    base = Base(folder, profile.name, sampling)
    data = _data(arguments.data, profile.name, settings)
    out = user_path(arguments.out)
    pairs = data.pairs if settings.algorithm == "dpo" else ()
    shots = list(islice(cycle(data.train), BASE_CLIPS))
    # Pairs need rewards only to judge the validation.
    rewards = (
        build_rewards(
            profile,
            settings.rewards,
            base_clips=lambda: base_clips(base, settings, shots),
            true_clips=data.true_clips,
        )
        if data.held_out or not pairs
        else {}
    )
    facts = {
        "licence": arguments.licence,
        "name": arguments.name,
        "dataset": Path(arguments.data).name,
    }
    training = Reinforcement(
        out=out,
        base=base,
        settings=settings,
        shots=data.train,
        held_out=data.held_out,
        rewards=rewards,
        judges=build_held_out(profile),
        spread=spread_of(
            arguments,
            partial(make_maker, base.folder, sampling, settings),
            needs_gpu=profile.needs_gpu,
        ),
        make_reader=partial(build_tiny_reader, profile),
        facts={key: value for key, value in facts.items() if value},
        init=str(find_lora(user_path(arguments.init))) if arguments.init else "",
        pairs=pairs,
    )
    _show(training, arguments.json)


def weights_of(text: str) -> dict[str, float]:
    """Return the weights of a named weighing, or those of a text such as "text=1,motion=.5".

    Raises:
        InputError: A name is unknown, a weight is no number, or all are 0.
    """
    if text in WEIGHINGS:
        return dict(WEIGHINGS[text])
    weights = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError as error:
            raise InputError(
                f"--rewards {part!r} is neither a weighing nor a reward with its weight.",
                f"Give one of {', '.join(WEIGHINGS)}, or ID=WEIGHT separated by commas.",
            ) from error
    check_weights(weights)
    return weights


def _data(data: str, profile: str, settings: RlSettings) -> RlData:
    """Return training and held-out shots, true clips with their actions, and pairs if there are any."""
    from procvid.train.rl.data import RlData, read_shots

    if data == TOY:
        from procvid.wiring.rewards import toy_shots
        from procvid.wiring.run import build

        parts = build(profile, planner="rules")
        train = toy_shots(parts, TRAINING_SEED, POOL)
        held_out = toy_shots(parts, VALIDATION_SEED, settings.validation, VALIDATION_EVERY)
        return RlData(train, held_out, [])
    return read_shots(user_path(data), settings.validation)


def _show(training: Reinforcement, as_json: bool) -> None:
    bar = Bar()
    try:
        for event in training.run():
            if not training.is_main:
                continue
            if as_json:
                print(json.dumps(_to_json(event)), flush=True)
            else:
                _print(event, bar)
    finally:
        bar.clear()


def _print(event: RlEvent, bar: Bar) -> None:
    from procvid.train.rl import events
    from procvid.train.rl.waiting import Waiting
    from procvid.train.rl.watch import HeldOutJudged

    match event:
        case events.RolledOut():
            text = f"iteration {event.iteration}: {event.done} of {event.total} shots"
            bar.show(event.done / event.total, text, None)
        case events.Reinforced():
            bar.clear()
            loss = f"loss {event.loss:.4f}" if not event.reason else ""
            reward = "" if math.isnan(event.reward) else f"reward {event.reward:.4f}"
            found = ", ".join(filter(None, (reward, loss))) or "no reward"
            text = f"Iteration {event.iteration} of {event.total}: {found}"
            print(f"{text}{time_left(event.eta_s)}", flush=True)
            if event.reason:
                print(event.reason, flush=True)
        case Waiting():
            bar.clear()
            print(f"{event.reason} Trying again in {event.seconds:.0f} s.", flush=True)
        case HeldOutJudged():
            bar.clear()
            judged = ", ".join(f"{name} {value:.4f}" for name, value in event.judged.items())
            print(
                f"Held-out clips after {event.iteration}: reward {event.reward:.4f}; {judged}",
                flush=True,
            )
            if event.warning:
                print(f"{event.warning} See {event.sheet}.", flush=True)
        case events.ReinforcementFinished():
            bar.clear()
            if event.stopped:
                print(f"Stopped: {event.stopped}")
            print(f"Done: {event.folder}. Use it with --lora {event.folder}.")


def _to_json(event: RlEvent) -> Mapping[str, object]:
    facts = dataclasses.asdict(event)
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in type(event).__name__).lstrip("_")
    return {"event": name} | {key: _plain(value) for key, value in facts.items()}


def _plain(value: object) -> object:
    """Return a value that JSON has: null for NaN."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, Path) else value
