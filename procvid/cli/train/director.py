"""`procvid train director`: train the model that predicts what the next clip looks like."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import Bar
from procvid.cli.train.lora import add_options
from procvid.errors import InputError
from procvid.machine import gpu_facts, use_one_thread
from procvid.settings import PROFILES, TINY
from procvid.settings.environment import user_path
from procvid.train.director.settings import MAX_STORIES, OPTIONS, DirectorSettings
from procvid.train.lora.settings import out_of_range

if TYPE_CHECKING:
    from procvid.train.director.training import DirectorEvent, DirectorTraining

TOY = "toykitchen"
STORIES = 1500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the settings are fields of `DirectorSettings`."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"training folder (docs/lora.md), clip list of `procvid curate`, or {TOY}",
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder of embeddings, states and the model"
    )
    parser.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        default=TINY.name,
        help=f"profile that supplies the CLIP model (default: {TINY.name})",
    )
    parser.add_argument(
        "--stories",
        metavar="N",
        type=whole_number,
        default=STORIES,
        help=f"recipes of the toy kitchen (default: {STORIES})",
    )
    add_json(parser, "print one event per line as JSON")
    add_options(parser.add_argument_group("settings"), OPTIONS)
    parser.set_defaults(run=train_director)


def train_director(arguments: argparse.Namespace) -> None:
    """Train, or resume a training.

    Raises:
        InputError: A setting is out of range, or the training folder is damaged or has no stories.
        UnavailableError: The CLIP model is missing.
    """
    # Imported here because these import torch, which `train director --help` does not need.
    from procvid.train.director.stories import (
        TOY_SEED,
        TOY_VALIDATION,
        read_stories,
        toy_stories,
    )
    from procvid.train.director.training import DirectorTraining
    from procvid.wiring.evaluation import build_scorer

    settings = DirectorSettings(
        **{option.name: getattr(arguments, option.name) for option in OPTIONS}
    )
    if arguments.data == TOY:
        if not 1 <= arguments.stories <= MAX_STORIES:
            raise out_of_range("stories", arguments.stories, f"1 to {MAX_STORIES}")
        train = toy_stories(TOY_SEED, arguments.stories)
        held_out = toy_stories(TOY_VALIDATION, settings.validation)
    else:
        train, held_out = read_stories(user_path(arguments.data), settings.validation)
    if gpu_facts()[0] is None:
        # Many small models and batches: threads would wait for each other.
        use_one_thread()
    out = user_path(arguments.out)
    if arguments.data != TOY and out.resolve() == user_path(arguments.data).resolve():
        raise InputError("--out is the folder of the data.", "Choose another folder.")
    if not arguments.json:
        said = f"{len(train.embed)} stories for training, {len(held_out.embed)} held out"
        left_out = f"; {train.left_out} rows of no story left out" if train.left_out else ""
        print(f"{said}{left_out}.", flush=True)
    embedder = build_scorer(PROFILES[arguments.profile], allow_cpu=True)
    training = DirectorTraining(train, held_out, embedder, settings, out)
    _show(training, arguments.json)


def _show(training: DirectorTraining, as_json: bool) -> None:
    bar = Bar()
    try:
        for event in training.run():
            if as_json:
                facts = {**dataclasses.asdict(event), "event": type(event).__name__}
                print(json.dumps(facts, default=str), flush=True)
            else:
                _print(event, training.settings.steps, bar)
    finally:
        bar.clear()


def _print(event: DirectorEvent, steps: int, bar: Bar) -> None:
    from procvid.train.director import training
    from procvid.train.loop import StepLogged

    match event:
        case training.StoriesEmbedded():
            text = f"{event.done} of {event.total} stories embedded"
            bar.show(event.done / event.total, text, None)
        case StepLogged():
            loss = ", ".join(f"{name} {value:.4f}" for name, value in event.losses.items())
            bar.show((event.step + 1) / steps, f"step {event.step + 1} of {steps}: {loss}", None)
        case training.DirectorFinished():
            bar.clear()
            for name, value in event.held_out.items():
                print(f"Held-out {name}: {value:.3f}")
            print(f"Done: {event.folder}")
