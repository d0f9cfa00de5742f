"""`procvid doctor`: check what this machine can run and what is missing."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from procvid import __version__
from procvid.cli.arguments import add_json
from procvid.errors import ProcvidError
from procvid.machine import check_network, choose_profile, converted_profiles, device_name
from procvid.run.timings import read_samples
from procvid.settings import PROFILES, TINY
from procvid.settings.environment import read_environment
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.readiness import (
    OLDEST_LIBRARIES,
    MachineFacts,
    Readiness,
    check_library,
    machine_facts,
    readiness,
)
from procvid.wiring.stores import (
    build_detector,
    build_embedder,
    check_downloads,
    hub_cache,
    load_default_memory,
)

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
NEEDED_DISK_GB, NEEDED_RAM_GB = 1.0, 3.2

LIBRARIES = {
    "torch": "torch",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "open_clip": "open_clip_torch",
    "faiss": "faiss-cpu",
    "av": "av",
    "gradio": "gradio",
    "safetensors": "safetensors",
    "pyarrow": "pyarrow",
    "openai": "openai",
}
"""Package to install, by the module it provides."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        subject: What was checked.
        verdict: "ok", "missing" (the tiny profile cannot run) or "note" (it can).
        detail: What was found.
        remedy: Command or change that solves it; empty if there is no problem.
    """

    subject: str
    verdict: str
    detail: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_json(parser)
    parser.set_defaults(run=doctor)


def doctor(arguments: argparse.Namespace) -> None:
    """Print every finding, and which profiles this machine runs."""
    facts = machine_facts()
    findings = list(examine(facts))
    works = all(f.verdict != "missing" for f in findings)
    ready = _profiles(facts) if works else {}
    runnable = [name for name, one in ready.items() if one.runs]
    findings += [_profile_finding(one) for one in ready.values() if one.profile != TINY.name]
    last = _last_line(facts, ready)
    if arguments.json:
        rows = [
            {"subject": f.subject, "verdict": f.verdict, "told": f.detail, "remedy": f.remedy}
            for f in findings
        ]
        answer = {
            "findings": rows,
            "profiles": runnable,
            "machine": facts.as_json(),
            "readiness": [one.as_json() for one in ready.values()],
            "summary": last,
        }
        print(json.dumps(answer, ensure_ascii=False))
        return
    for finding in findings:
        print(f"{finding.verdict:8}{finding.subject}: {finding.detail}")
        for remedy in finding.remedy.splitlines():
            print(f"{'':8}-> {remedy}")
    print(last)


def _profiles(facts: MachineFacts) -> dict[str, Readiness]:
    """Return what each profile can do here, with its default sampling."""
    samples = read_samples(read_environment().cache_folder)
    device = facts.card.name if facts.card is not None else device_name()
    return {
        profile.name: readiness(profile, profile.sampling, facts, samples, device)
        for profile in PROFILES.values()
    }


def _profile_finding(ready: Readiness) -> Finding:
    """Return what a profile lacks, and how and how fast it would run."""
    needed = [part for part in ready.missing if part.needed]
    details = [f"missing: {part}" for part in needed]
    if ready.placement:
        details.append(ready.placement)
    if ready.clip_seconds is not None:
        details.append(ready.time)
    commands = [part.command for part in needed if part.command]
    # Without a card, or on one that is too small, the weights do not help.
    remedy = "\n".join(commands) if ready.fits else ""
    verdict = "ok" if ready.runs else "note"
    return Finding(f"profile {ready.profile}", verdict, "; ".join(details) or "ready", remedy)


def _last_line(facts: MachineFacts, ready: Mapping[str, Readiness]) -> str:
    """Return what `procvid generate` does here, and the other profiles that run."""
    if not ready:
        return "This machine cannot make a video yet: install what is missing above."
    card = facts.card
    chosen, _ = choose_profile(
        "auto",
        gpu=None if card is None else card.name,
        weights=converted_profiles(),
        vram_gib=0.0 if card is None else card.total_bytes / 2**30,
        host=read_environment().host,
    )
    runnable = [name for name, one in ready.items() if one.runs]
    if chosen.name not in runnable:
        return (
            f"`procvid generate` chooses the {chosen.name} profile, which cannot run here now. "
            f"Use: procvid generate RECIPE --out DIR --profile {TINY.name}"
        )
    runs = f"This machine runs the {chosen.name} profile: procvid generate RECIPE --out DIR"
    others = [name for name in runnable if name != chosen.name]
    if others:
        return f"{runs}\nWith --profile it also runs {', '.join(others)}."
    fitting = [name for name, one in ready.items() if one.fits]
    if chosen.demo and fitting:
        return f"{runs}\nFor cooking footage, get the weights first: procvid convert {fitting[0]}"
    return runs


def examine(facts: MachineFacts) -> Iterator[Finding]:
    """Check everything that procvid needs, in the order in which it is needed."""
    yield _python()
    yield from _network()
    yield from _libraries()
    yield from _weights()
    yield from _fast()
    yield _disk()
    yield _ram(facts)
    yield from _gpu(facts)
    yield from _downloads()
    yield from _caches()
    yield _model_service()


def _python() -> Finding:
    version = platform.python_version()
    detail = f"{version}, procvid {__version__}"
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return Finding("python", "ok", detail)
    wanted = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} to {NEWEST_PYTHON[0]}.{NEWEST_PYTHON[1]}"
    return Finding("python", "note", detail, f"procvid is tested with Python {wanted}")


def _network() -> Iterator[Finding]:
    """Report a proxy that cannot be used."""
    try:
        check_network()
    except ProcvidError as error:
        yield Finding("network", "note", error.message, error.hint)


def _libraries() -> Iterator[Finding]:
    for module, package in LIBRARIES.items():
        try:
            if module in OLDEST_LIBRARIES:
                check_library(module)
            # Only an import shows a broken binary.
            importlib.import_module(module)
            yield Finding(module, "ok", _version(module, package))
        except ProcvidError as error:
            yield Finding(module, "missing", error.message, error.hint)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            if isinstance(error, ImportError | ValueError) and any(_network()):
                # gradio prepares a connection when it is imported.
                yield Finding(module, "note", "cannot be checked with this network setting")
                continue
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            yield Finding(module, "missing", reason, f"pip install {package}")


def _version(module: str, package: str) -> str:
    if module == "av":
        import av

        h264 = "with h264" if "libx264" in av.codecs_available else "WITHOUT the libx264 encoder"
        return f"{av.__version__}, ffmpeg {h264}"
    for name in (package, package.replace("-cpu", "-gpu"), module):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "version unknown"


def _weights() -> Iterator[Finding]:
    assets = read_environment().assets_folder
    for part, folder in TINY.models.items():
        size_mb = sum(f.stat().st_size for f in (assets / folder).rglob("*") if f.is_file()) / 1e6
        subject = f"tiny {part}"
        if size_mb == 0:
            yield Finding(
                subject,
                "missing",
                f"{assets / folder} does not exist",
                "pip install --force-reinstall procvid",
            )
            continue
        try:
            yield Finding(subject, "ok", f"{_loaded(part)}, {size_mb:.1f} MB")
        except (ProcvidError, ImportError) as error:
            yield Finding(subject, "missing", str(error), "pip install --force-reinstall procvid")


def _loaded(part: str) -> str:
    """Load a part as a run does and return its description."""
    match part:
        case "generator":
            info = wiring.build_generator(TINY).info
            return f"{info.id} {info.revision[:19]}"
        case "memory":
            return f"{len(load_default_memory(TINY))} crops"
        case "embedder":
            return build_embedder(TINY).info.id
        case "scorer":
            return wiring_evaluation.build_scorer(TINY).info.id
        case "frame encoder":
            return wiring_evaluation.build_frame_encoder(TINY).info.id
        case _:
            return build_detector(TINY, build_embedder(TINY)).info.id


def _fast() -> Iterator[Finding]:
    """Report what `--fast` does and whether diffusers has the caches that the profiles use."""
    try:
        from procvid.phantom.step_cache import known_caches

        known = known_caches()
    except ImportError:
        return
    profiles = [p for p in PROFILES.values() if p.has_fast]
    modes = [f"{p.name}: {p.shortcuts.summary}" for p in profiles]
    detail = "; ".join((*modes, f"caches: {', '.join(known)}"))
    wanted = {p.shortcuts.cache.kind for p in profiles if p.shortcuts.cache is not None}
    missing = sorted(wanted - set(known))
    if missing:
        remedy = "pip install --upgrade diffusers"
        yield Finding("--fast", "note", f"{detail}; missing: {', '.join(missing)}", remedy)
    else:
        yield Finding("--fast", "ok", detail)


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    detail = f"{free_gb:.1f} GB free in {Path.cwd()}"
    if free_gb >= NEEDED_DISK_GB:
        return Finding("disk", "ok", detail)
    return Finding("disk", "note", detail, "free some space, or work in another folder")


def _ram(facts: MachineFacts) -> Finding:
    detail = (
        f"{facts.ram_bytes / 1e9:.1f} GB of RAM, {facts.ram_free_bytes / 1e9:.1f} GB free, "
        f"{facts.cores} CPU cores"
    )
    if facts.ram_bytes / 1e9 >= NEEDED_RAM_GB:
        return Finding("memory", "ok", detail)
    return Finding("memory", "note", detail, f"a run takes up to {NEEDED_RAM_GB:.1f} GB")


def _gpu(facts: MachineFacts) -> Iterator[Finding]:
    card = facts.card
    if card is None:
        yield Finding("gpu", "note", "no CUDA device; the GPU profiles need one")
    else:
        major, minor = card.capability
        detail = (
            f"{card.name}, {card.total_bytes / 1e9:.1f} GB, {card.free_bytes / 1e9:.1f} GB free, "
            f"compute capability {major}.{minor}, computes in {card.precision}"
        )
        yield Finding("gpu", "ok", detail)
    if facts.untried:
        yield Finding("gpu", "note", facts.untried)
    detail = f"{facts.disk_free_bytes / 1e9:.1f} GB free in {facts.models_folder}"
    yield Finding("disk for converted models", "ok", detail)


def _downloads() -> Iterator[Finding]:
    """Check the published models that the memory of the GPU profiles needs."""
    missing_bytes = 0
    try:
        for name, size_bytes, error in check_downloads():
            missing_bytes += size_bytes
            if error is not None:
                yield Finding(name, "note", error.message, error.hint)
            elif size_bytes:
                yield Finding(name, "note", f"not downloaded yet, {size_bytes / 1e9:.1f} GB")
            else:
                yield Finding(name, "ok", "in the cache")
    except ImportError:
        return
    cache = _nearest(hub_cache())
    free = shutil.disk_usage(cache).free
    if missing_bytes > free:
        yield Finding(
            "disk for models",
            "note",
            f"{free / 1e9:.1f} GB free in {cache}, {missing_bytes / 1e9:.1f} GB to download",
            "free some space, or set HF_HOME to another disk",
        )


def _caches() -> Iterator[Finding]:
    """Report the cache folders that cannot be written."""
    environment = read_environment()
    folders = {
        "converted models": (environment.models_folder, "PROCVID_MODELS"),
        "cache of procvid": (environment.cache_folder, "PROCVID_CACHE"),
    }
    with suppress(ImportError):
        folders["cache of the Hub"] = hub_cache(), "HF_HOME"
    for subject, (folder, variable) in folders.items():
        try:
            tempfile.TemporaryFile(dir=_nearest(folder)).close()
        except OSError as error:
            detail = f"{folder} cannot be written ({error.strerror})"
            yield Finding(subject, "note", detail, f"set {variable} to a writable folder")


def _nearest(folder: Path) -> Path:
    """Return a folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def _model_service() -> Finding:
    """Check the language model that `--planner openai` asks."""
    subject = "language model"
    try:
        service = wiring.try_openai()
    except ProcvidError as error:
        return Finding(subject, "note", error.message, error.hint)
    except ImportError:
        return Finding(subject, "note", "the openai library is missing", "pip install openai")
    if service is None:
        detail = "OPENAI_API_KEY is not set; the rules planner needs none"
        return Finding(subject, "note", detail)
    return Finding(subject, "ok", f"{service} answers; use it with `--planner openai`")
