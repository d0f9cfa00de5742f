"""`procvid doctor`: what this machine can run, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from procvid import __version__
from procvid.errors import ProcvidError
from procvid.machine import converted_profiles, gpu_facts
from procvid.settings import CONVERTIBLE, PROFILES, TINY, read_environment
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import (
    build_detector,
    build_embedder,
    check_downloads,
    hub_cache,
    load_default_memory,
)

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
NEEDED_DISK_GIB, NEEDED_MEMORY_GIB = 1.0, 3.0

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
"""The packages to install by the modules they bring."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        subject: What.
        verdict: "ok", "missing" (something cannot run without it) or "note" (it can).
        told: What was found.
        remedy: The command or the change that mends it; empty when nothing is wrong.
    """

    subject: str
    verdict: str
    detail: str
    remedy: str = ""


def doctor(arguments: argparse.Namespace) -> None:
    """Print every finding and what can be run; never fails because something is missing."""
    findings = list(examine())
    runnable = ["tiny"] if all(f.verdict != "missing" for f in findings) else []
    if arguments.json:
        told = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"findings": told, "profiles": runnable}, ensure_ascii=False))
        return
    for finding in findings:
        print(f"{finding.verdict:8}{finding.subject}: {finding.detail}")
        if finding.remedy:
            print(f"{'':8}-> {finding.remedy}")
    if runnable:
        print("This machine runs the tiny profile: procvid generate RECIPE --out DIR")
    else:
        print("This machine cannot make a video yet: mend what is missing above.")


def examine() -> Iterator[Finding]:
    """Everything that procvid needs, in the order in which it needs it."""
    yield _python()
    yield from _libraries()
    yield from _weights()
    yield from _fast()
    yield _disk()
    yield _memory()
    yield from _gpu()
    yield from _downloads()
    yield from _caches()
    yield _model_service()


def _python() -> Finding:
    version = platform.python_version()
    told = f"{version}, procvid {__version__}"
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return Finding("python", "ok", told)
    wanted = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} to {NEWEST_PYTHON[0]}.{NEWEST_PYTHON[1]}"
    return Finding("python", "note", told, f"procvid is tested with Python {wanted}")


def _libraries() -> Iterator[Finding]:
    for module, package in LIBRARIES.items():
        try:
            # Imported, because a broken binary shows only then.
            importlib.import_module(module)
            yield Finding(module, "ok", _version(module, package))
        except (ImportError, OSError, RuntimeError) as error:
            said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            yield Finding(module, "missing", said, f"pip install {package}")


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
                f"there is no {assets / folder}",
                "pip install --force-reinstall procvid",
            )
            continue
        try:
            yield Finding(subject, "ok", f"{_loaded(part)}, {size_mb:.1f} MB")
        except (ProcvidError, ImportError) as error:
            yield Finding(subject, "missing", str(error), "pip install --force-reinstall procvid")


def _loaded(part: str) -> str:
    """Load a part as a run would; what it is."""
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
    """What `--fast` does here, and whether diffusers has the caches that the profiles ask for."""
    try:
        from procvid.phantom.step_cache import known_caches

        known = known_caches()
    except ImportError:
        return
    told = (
        f"tiny: {TINY.fast_steps} steps, {TINY.shortcuts.summary}; caches here: {', '.join(known)}"
    )
    wanted = {p.shortcuts.cache.kind for p in PROFILES.values() if p.shortcuts.cache is not None}
    missing = sorted(wanted - set(known))
    if missing:
        remedy = "pip install --upgrade diffusers"
        yield Finding("--fast", "note", f"{told}; missing: {', '.join(missing)}", remedy)
    else:
        yield Finding("--fast", "ok", told)


def _disk() -> Finding:
    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    told = f"{free_gib:.1f} GiB free in {Path.cwd()}"
    if free_gib >= NEEDED_DISK_GIB:
        return Finding("disk", "ok", told)
    return Finding("disk", "note", told, "free some space, or work in another folder")


def _memory() -> Finding:
    total_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    told = f"{total_gib:.1f} GiB of memory, {os.cpu_count()} CPU cores"
    if total_gib >= NEEDED_MEMORY_GIB:
        return Finding("memory", "ok", told)
    return Finding("memory", "note", told, f"a run takes up to {NEEDED_MEMORY_GIB:.0f} GiB")


def _gpu() -> Iterator[Finding]:
    try:
        name, memory_gib = gpu_facts()
    except ImportError:
        return
    if name is None:
        yield Finding("gpu", "note", "no CUDA device: the phantom profiles cannot run here")
    else:
        yield Finding("gpu", "ok", f"{name}, {memory_gib:.0f} GiB")
    converted = converted_profiles()
    for profile in CONVERTIBLE:
        folder = read_environment().models_folder / profile
        if profile in converted:
            yield Finding(f"{profile} weights", "ok", str(folder))
        else:
            remedy = f"procvid convert {profile}"
            yield Finding(f"{profile} weights", "note", f"not in {folder}", remedy)


def _downloads() -> Iterator[Finding]:
    """The published models of the phantom profiles' memory: here, to be fetched, or out of reach."""
    missing_bytes = 0
    try:
        for name, size_bytes, error in check_downloads():
            missing_bytes += size_bytes
            if error is not None:
                yield Finding(name, "note", error.message, error.hint)
            elif size_bytes:
                yield Finding(name, "note", f"not here yet; {size_bytes / 1e9:.1f} GB to fetch")
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
            f"{free / 1e9:.1f} GB free in {cache}, {missing_bytes / 1e9:.1f} GB to fetch",
            "free some space, or set HF_HOME to another disk",
        )


def _caches() -> Iterator[Finding]:
    """The folders that hold what is fetched and kept, where they cannot be written."""
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
            told = f"{folder} cannot be written ({error.strerror})"
            yield Finding(subject, "note", told, f"set {variable} to a folder that can")


def _nearest(folder: Path) -> Path:
    """A folder, or what is there of the path to it."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def _model_service() -> Finding:
    """The language model that `--planner openai` would ask."""
    subject = "language model"
    try:
        found = wiring.try_openai()
    except ProcvidError as error:
        return Finding(subject, "note", error.message, error.hint)
    except ImportError:
        return Finding(subject, "note", "the openai library is missing", "pip install openai")
    if found is None:
        told = "OPENAI_API_KEY is not set; the rules planner needs none"
        return Finding(subject, "note", told)
    return Finding(subject, "ok", f"{found} answers; `--planner openai` asks it")
