"""`procvid convert`: published weights become a folder that `procvid generate` reads."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import procvid.phantom.published as hub
from procvid.cli.screen import Bar
from procvid.errors import InputError, OutputError
from procvid.phantom.checkpoint import open_checkpoint
from procvid.phantom.convert import match_keys
from procvid.phantom.layout import CONFIGS, Config
from procvid.phantom.loading import read_config, torch_dtype
from procvid.phantom.model_folder import write_model
from procvid.settings import PROFILES, read_environment


def convert(arguments: argparse.Namespace) -> None:
    """Convert, or with --check only tell how the keys fit."""
    profile = PROFILES[arguments.profile]
    config: Config = (
        read_config(Path(arguments.config)) if arguments.config else CONFIGS[profile.name]
    )
    out = Path(arguments.out) if arguments.out else read_environment().models_folder / profile.name
    if not arguments.check and out.exists() and (not out.is_dir() or any(out.iterdir())):
        # Before gigabytes are downloaded for it.
        raise OutputError(f"{str(out)!r} is there already.", "Remove it, or choose another --out.")
    if arguments.transformer:
        transformer = hub.PublishedFiles(Path(arguments.transformer).expanduser(), arguments.sha256)
    else:
        transformer = hub.fetch_transformer(profile.name, profile.models["generator"])
    if arguments.check:
        _tell_report(transformer, config, arguments.json)
        return
    here = arguments.base
    base = Path(here).expanduser() if here else hub.fetch_base(profile.models["base"])
    _write(transformer, config, base, out, arguments)


def _tell_report(transformer: hub.PublishedFiles, config: Config, as_json: bool) -> None:
    if transformer.source.suffix == ".gguf":
        raise InputError(
            "The keys of a GGUF are checked when it is loaded.", "Convert it without --check."
        )
    with open_checkpoint(transformer.source, transformer.sha256) as checkpoint:
        report = match_keys(checkpoint, config)
    if as_json:
        told = {
            "fits": report.fits,
            "renamed": dict(report.renamed),
            "missing": report.missing,
            "unexpected": report.unexpected,
            "misshapen": {k: [list(s) for s in v] for k, v in report.misshapen.items()},
        }
        print(json.dumps(told))
    else:
        print("\n".join(report.lines()))
    report.require(str(transformer.source))


def _write(
    transformer: hub.PublishedFiles,
    config: Config,
    base: Path,
    out: Path,
    arguments: argparse.Namespace,
) -> None:
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
