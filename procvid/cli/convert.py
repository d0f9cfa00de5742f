"""`procvid convert`: convert published Phantom weights for generate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from procvid.cli.arguments import add_json
from procvid.cli.screen import Bar
from procvid.errors import InputError, OutputError
from procvid.settings import CONVERTIBLE, PROFILES, read_environment, user_path

if TYPE_CHECKING:
    from procvid.phantom.layout import Config
    from procvid.phantom.published import PublishedFiles


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
        "--base", metavar="DIR", help="local Wan2.1 in the diffusers layout (default: download)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder to write (default: where generate looks)"
    )
    parser.add_argument(
        "--sha256", metavar="HEX", help="SHA-256 of the transformer file; required for .pth"
    )
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float32"),
        default="bfloat16",
        help="type of the written weights (default: bfloat16)",
    )
    parser.add_argument("--config", metavar="FILE", help="config.json of your own transformer")
    parser.add_argument(
        "--check", action="store_true", help="only report how the keys match; write nothing"
    )
    add_json(parser, "print one line of JSON per file, or the report")
    parser.set_defaults(run=convert)


def convert(arguments: argparse.Namespace) -> None:
    """Convert the weights, or with --check report how their keys match.

    Raises:
        OutputError: The output folder exists.
    """
    # Imported here because these import torch, which `convert --help` does not need.
    from procvid.phantom import published
    from procvid.phantom.layout import CONFIGS
    from procvid.phantom.loading import read_config

    profile = PROFILES[arguments.profile]
    config = read_config(Path(arguments.config)) if arguments.config else CONFIGS[profile.name]
    out = Path(arguments.out) if arguments.out else read_environment().models_folder / profile.name
    if not arguments.check and out.exists() and (not out.is_dir() or any(out.iterdir())):
        # Checked before gigabytes are downloaded.
        raise OutputError(f"{str(out)!r} already exists.", "Remove it, or choose another --out.")
    if arguments.transformer:
        file = user_path(arguments.transformer)
        transformer = published.PublishedFiles(file, arguments.sha256)
    else:
        transformer = published.fetch_transformer(profile.name, profile.models["generator"])
    if arguments.check:
        _check(transformer, config, arguments.json)
        return
    given = arguments.base
    base = user_path(given) if given else published.fetch_base(profile.models["base"])
    _write(transformer, config, base, out, arguments)


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
            "misshapen": {k: [list(s) for s in v] for k, v in report.misshapen.items()},
        }
        print(json.dumps(facts))
    else:
        print("\n".join(report.lines()))
    report.require(str(transformer.source))


def _write(
    transformer: PublishedFiles,
    config: Config,
    base: Path,
    out: Path,
    arguments: argparse.Namespace,
) -> None:
    from procvid.phantom.loading import torch_dtype
    from procvid.phantom.model_folder import write_model

    bar = Bar()
    try:
        for written in write_model(
            transformer.source,
            config,
            base,
            out,
            dtype=torch_dtype(arguments.dtype),
            sha256=transformer.sha256,
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
