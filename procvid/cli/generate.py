"""`procvid generate`: make the video of a recipe or of many, or continue unfinished runs."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from procvid.cli.arguments import (
    add_coherence,
    add_fast,
    add_json,
    add_lora,
    add_planner,
    add_profile,
    add_recipe,
    add_shots,
    add_steps,
    whole_number,
)
from procvid.cli.batch import generate_many
from procvid.cli.dry_run import dry_run
from procvid.cli.screen import show_run
from procvid.cli.sources import absolute_lora, absolute_memory
from procvid.cli.take_options import add_takes, take_policy
from procvid.cli.workers import add_workers
from procvid.errors import InputError
from procvid.machine import device_name, peak_memory_mib
from procvid.media.image import save_png
from procvid.plan.codec import check_plan
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.parts import Parts
from procvid.run.repeats import repeat_notes
from procvid.run.story import make_video
from procvid.run.storyboard import keyframes, sheet
from procvid.run.timings import ClipSetting, measured
from procvid.settings import choose_sampling, parse_size
from procvid.settings.environment import read_environment, user_path
from procvid.storage.text import printable
from procvid.types import GenerateRequest
from procvid.wiring import run as wiring
from procvid.wiring.takes import build_final_judge, build_take_judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_recipe(parser, optional=True)
    parser.add_argument(
        "--many",
        metavar="FOLDER|LIST",
        help="instead of RECIPE: a folder of recipes, or a text file with one recipe file per line",
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="run folder; with --many the folder of all runs"
    )
    add_profile(parser)
    parser.add_argument(
        "--memory",
        metavar="STORE|ID|default|none",
        default="default",
        help="crop store for reference images: a folder, OWNER/NAME[@REVISION] on the Hub, or none "
        "for a run without references (default: default)",
    )
    add_planner(parser)
    add_shots(parser)
    parser.add_argument(
        "--seed", metavar="N", type=whole_number, default=0, help="seed of the run (default: 0)"
    )
    add_steps(parser)
    parser.add_argument(
        "--frames",
        metavar="N",
        type=whole_number,
        help="frames per clip, 4n+1 (default: the profile's)",
    )
    parser.add_argument(
        "--size", metavar="WxH", help="size of the clips, px (default: the profile's)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan, time and memory; write nothing"
    )
    parser.add_argument(
        "--storyboard",
        metavar="FILE",
        help="write a PNG preview with one frame per shot, after a quarter of the denoising steps; "
        "make no video",
    )
    parser.add_argument(
        "--director",
        metavar="DIR",
        default="",
        help="model of `procvid train director`, which finds steps that repeat",
    )
    add_takes(parser)
    add_lora(parser, "LoRA to merge into the model")
    parser.add_argument(
        "--precise",
        action=argparse.BooleanOptionalAction,
        help="float32 where half precision loses most; GPU only (default: yes)",
    )
    add_fast(parser)
    add_coherence(parser)
    parser.add_argument(
        "--distilled",
        action="store_true",
        help="sampling for few-step distilled LoRAs: 6 steps, guidance on the first half "
        "(docs/fast.md)",
    )
    add_workers(parser)
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=generate)


def generate(arguments: argparse.Namespace) -> None:
    """Generate the clips that the run folder lacks, then the video.

    Raises:
        InputError: An option is wrong, or the folder belongs to another run.
    """
    _check_many(arguments)
    if arguments.storyboard is not None:
        _check_storyboard(user_path(arguments.storyboard))
    takes = take_policy(arguments)
    recipe = None if arguments.recipe is None else read_recipe(Path(arguments.recipe))
    if arguments.distilled and arguments.fast:
        raise InputError("--distilled and --fast exclude each other.", "Omit one of them.")
    if arguments.distilled and not arguments.lora:
        raise InputError("--distilled is for a distilled LoRA.", "Name the LoRA with --lora.")
    loras = tuple(absolute_lora(text, ask=not arguments.dry_run) for text in arguments.lora)
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(
        profile,
        size=parse_size(arguments.size) if arguments.size is not None else None,
        num_frames=arguments.frames,
        num_inference_steps=arguments.steps,
        seed=arguments.seed,
        fast=arguments.fast,
        distilled=arguments.distilled,
        coherence=arguments.coherence,
    )
    memory = absolute_memory(arguments.memory, ask=not arguments.dry_run)
    if arguments.dry_run and recipe is not None:
        cut = cut_into_shots(recipe, arguments.shots)
        dry_run(arguments, cut, profile, reason, sampling, memory, loras, takes)
        return
    build = partial(
        wiring.build,
        profile=profile.name,
        memory=memory,
        planner=arguments.planner,
        profile_reason=reason,
        lora=loras,
        precise=arguments.precise,
        previews=arguments.storyboard is not None,
        director=arguments.director,
    )
    request = partial(
        GenerateRequest,
        sampling=sampling,
        profile=profile.name,
        memory=memory,
        planner=arguments.planner,
        lora=loras,
        precise=arguments.precise,
        seed=arguments.seed,
        shots=arguments.shots,
        takes=takes,
    )
    if recipe is None:
        generate_many(arguments, profile, reason, build, request)
        return
    out = Path(arguments.out)
    parts = build()
    if arguments.storyboard is not None:
        draw_storyboard(request(recipe), parts, user_path(arguments.storyboard))
        return
    judge = build_take_judge(parts.profile) if takes.several else None
    final = build_final_judge(parts.profile) if takes.final_judge else None
    events = measured(
        make_video(request(recipe), parts, out, judge=judge, final_judge=final),
        out,
        ClipSetting.of(
            profile.name, device_name(), sampling, profile.is_precise(arguments.precise)
        ),
        read_environment().cache_folder,
        lambda: peak_memory_mib(profile),
    )
    show_run(events, arguments.json)


def draw_storyboard(request: GenerateRequest, parts: Parts, file: Path) -> None:
    """Write a picture of each shot of a video, before it is made.

    Raises:
        OutputError: The file cannot be written.
    """
    recipe = cut_into_shots(request.recipe, request.shots)
    plan = check_plan(parts.planner.plan(recipe))
    for note in repeat_notes(parts, plan):
        print(f"Note: {note}", flush=True)
    frames = []
    for frame in keyframes(parts, plan, request.sampling, request.seed):
        frames.append(frame)
        print(f"Step {plan.names[frame.step]}: drawn", flush=True)
    save_png(file, sheet(plan, frames))
    print(f"Storyboard: {printable(file)}")


def _check_storyboard(file: Path) -> None:
    """Raise InputError if a PNG cannot be written there, or would replace another file."""
    if file.suffix.lower() != ".png":
        raise InputError(f"The storyboard {file.name!r} is not named .png.", "Name it so.")
    if file.is_dir() or not file.parent.is_dir():
        raise InputError(f"{str(file)!r} cannot be a file.", "Choose a file in an existing folder.")


def _check_many(arguments: argparse.Namespace) -> None:
    """Raise InputError if the options of one recipe and of many are mixed."""
    if arguments.many is None:
        if arguments.recipe is None:
            raise InputError("There is no recipe.", "Give a RECIPE, or many with --many.")
        if arguments.workers is not None or arguments.ray:
            raise InputError("--workers and --ray are for many recipes.", "Use --many.")
        return
    if arguments.recipe is not None:
        raise InputError("A RECIPE and --many exclude each other.", "Give one of them.")
    if arguments.storyboard is not None:
        raise InputError("--storyboard is for one recipe.", "Give a RECIPE instead of --many.")
    if arguments.dry_run:
        raise InputError("--dry-run is for one recipe.", "Give a RECIPE instead of --many.")
