"""`procvid convert`: convert published weights of Phantom or Wan VACE for generate.

It first prints what it downloads and writes, checks both disks, and asks. An interrupted download
continues with the same command. An interrupted conversion starts over and removes its leftovers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from procvid.cli.arguments import add_json
from procvid.cli.screen import Bar
from procvid.errors import InputError, OutputError, UnavailableError
from procvid.settings import CONVERTIBLE, PROFILES
from procvid.settings.environment import read_environment, user_path
from procvid.storage.files import restore

if TYPE_CHECKING:
    from procvid.phantom.conversion_cost import ConversionCost
    from procvid.phantom.layout import Config
    from procvid.phantom.published import PublishedFiles


SAME_LAYOUT = (
    "Note: Phantom and plain Wan2.1 T2V have the same names and shapes, so procvid cannot tell them "
    "apart. Compare its sha256 with the publisher's."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "profile",
        metavar="PROFILE",
        choices=CONVERTIBLE,
        help=f"{' or '.join(CONVERTIBLE)}",
    )
    parser.add_argument(
        "--transformer",
        metavar="FILE|FOLDER",
        help="local weights: .safetensors, .gguf, .pth or shards (default: download)",
    )
    parser.add_argument(
        "--base",
        metavar="DIR",
        help="local Wan2.1 or VACE in the diffusers layout (default: download)",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder to write (default: where generate looks)"
    )
    parser.add_argument(
        "--sha256", metavar="HEX", help="SHA-256 of the transformer file; required for .pth"
    )
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float16", "float32"),
        default="bfloat16",
        help="type of the written weights (default: bfloat16)",
    )
    parser.add_argument("--config", metavar="FILE", help="config.json of your own transformer")
    parser.add_argument(
        "--check", action="store_true", help="only report how the keys match; write nothing"
    )
    parser.add_argument("--yes", action="store_true", help="download without asking")
    add_json(parser, "print one line of JSON for the sizes and per file, or the report")
    parser.set_defaults(run=convert)


def convert(arguments: argparse.Namespace) -> None:
    """Convert the weights, or with --check report how their keys match.

    Raises:
        InputError: A local file or folder is missing or wrong, or the download was not confirmed.
        OutputError: The output folder exists, or a disk is too small.
        UnavailableError: The Hub cannot be reached.
    """
    # Imported here because these import torch, which `convert --help` does not need.
    from procvid.phantom import published
    from procvid.phantom.checkpoint import require_source
    from procvid.phantom.conversion_cost import conversion_cost
    from procvid.phantom.layout import is_vace
    from procvid.phantom.loading import check_weights, torch_dtype
    from procvid.phantom.model_folder import check_base

    profile = PROFILES[arguments.profile]
    config = _config(profile.name, arguments.config)
    out = Path(arguments.out) if arguments.out else read_environment().models_folder / profile.name
    if not arguments.check and out.exists() and (not out.is_dir() or any(out.iterdir())):
        # Checked before gigabytes are downloaded.
        raise OutputError(f"{str(out)!r} already exists.", "Remove it, or choose another --out.")
    if not arguments.check:
        # What a killed conversion left counts as used space.
        restore(out.resolve())
    own = user_path(arguments.transformer) if arguments.transformer else None
    own_base = user_path(arguments.base) if arguments.base else None
    if own is None and own_base is not None and is_vace(config):
        # Its folder holds the transformer too.
        own = own_base / "transformer"
    if own is not None:
        require_source(own)
    if own_base is not None and not arguments.check:
        check_base(own_base, config)
    cost = conversion_cost(
        profile.name,
        config,
        out,
        torch_dtype(arguments.dtype),
        transformer=own,
        base=own_base,
        only_check=arguments.check,
    )
    if own is not None and cost.fetch_bytes:
        # A wrong file is refused before gigabytes are downloaded for it.
        check_weights(own, config, arguments.sha256)
    _agree(cost, arguments)
    if own is None:
        transformer = published.fetch_transformer(profile.name)
    else:
        transformer = published.PublishedFiles(own, arguments.sha256)
    if arguments.check:
        _check(transformer, config, arguments.json)
    else:
        base = (
            published.PublishedFiles(own_base) if own_base else published.fetch_base(profile.name)
        )
        _write(transformer, config, base, out, arguments)
    if not arguments.json:
        if own is not None and not arguments.sha256 and not is_vace(config):
            print(SAME_LAYOUT)
        if own is None and not arguments.check:
            print(f"The downloaded files in {cost.cache} are no longer needed.")


def _config(profile: str, file: str | None) -> Config:
    """Return the config of a transformer: that of a file, or the published one.

    Raises:
        InputError: The file is of a model of another kind.
    """
    from procvid.phantom.layout import CONFIGS, is_vace
    from procvid.phantom.loading import read_config

    published = CONFIGS[profile]
    config = read_config(Path(file)) if file else published
    if is_vace(config) != is_vace(published):
        kinds = {False: "Phantom or Wan T2V", True: "Wan VACE"}
        raise InputError(
            f"{file!r} is the config of {kinds[is_vace(config)]}, but {profile} is "
            f"{kinds[is_vace(published)]}.",
            "Choose a profile and a file of the same model.",
        )
    return config


def _agree(cost: ConversionCost, arguments: argparse.Namespace) -> None:
    """Print the cost, check the disks, and ask before anything is downloaded."""
    if cost.fetch_bytes or not arguments.check:
        if arguments.json:
            print(json.dumps(cost.as_json()), flush=True)
        else:
            print("\n".join(cost.lines()), flush=True)
    cost.require_room()
    if not cost.fetch_bytes:
        return
    if cost.problem:
        raise UnavailableError(
            "The published weights could not be downloaded from the Hugging Face Hub "
            f"({cost.problem}).",
            "Connect to the network, or give local files with --transformer and --base.",
        )
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise InputError(
            "Nothing was downloaded: the download needs a confirmation, but stdin is not a terminal.",
            "Check the sizes, then add --yes.",
        )
    if not _confirmed(sys.stderr if arguments.json else sys.stdout):
        raise InputError("Nothing was downloaded.", "")


def _confirmed(screen: TextIO) -> bool:
    """Return True if the user agrees to the download; an end of the input is a no."""
    print("Continue? [y/N] ", end="", file=screen, flush=True)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=screen)
        raise KeyboardInterrupt("Nothing was downloaded.") from None
    if not answer:
        print(file=screen)
    return answer.strip().lower() in ("y", "yes")


def _check(transformer: PublishedFiles, config: Config, as_json: bool) -> None:
    from procvid.phantom.checkpoint import open_checkpoint
    from procvid.phantom.convert import match_keys

    if transformer.source.suffix == ".gguf":
        raise InputError(
            "The keys of a GGUF file are checked when it is loaded.", "Convert it without --check."
        )
    with open_checkpoint(transformer.source, transformer.sha256) as checkpoint:
        report = match_keys(checkpoint, config)
    if as_json:
        facts = {
            "fits": report.fits,
            "renamed": dict(report.renamed),
            "missing": report.missing,
            "unexpected": report.unexpected,
            "holds": report.refusal[0] if report.refusal else "",
            "misshapen": {k: [list(s) for s in v] for k, v in report.misshapen.items()},
        }
        print(json.dumps(facts))
    elif report.refusal is None:
        # Of another model almost no key fits, and a list of hundreds helps nobody.
        print("\n".join(report.lines()))
    report.require(str(transformer.source))


def _write(
    transformer: PublishedFiles,
    config: Config,
    base: PublishedFiles,
    out: Path,
    arguments: argparse.Namespace,
) -> None:
    from procvid.phantom.loading import torch_dtype
    from procvid.phantom.model_folder import BASE_PARTS, write_model

    sources = dict.fromkeys((*BASE_PARTS, "scheduler"), base.origin)
    bar = Bar()
    try:
        for written in write_model(
            transformer.source,
            config,
            base.source,
            out,
            dtype=torch_dtype(arguments.dtype),
            sha256=transformer.sha256,
            sources={**sources, "transformer": transformer.origin},
        ):
            name = f"{written.file.parent.name}/{written.file.name}"
            if arguments.json:
                print(json.dumps({"file": name, "done": written.done, "total": written.total}))
            else:
                bar.show(written.done / written.total, name, None)
    finally:
        bar.clear()
    if not arguments.json:
        print(f"Done: {out}. Use it with --profile {arguments.profile}.")
