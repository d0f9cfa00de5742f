"""`procvid memory build`, `search`, `info`, `history` and `map`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path

from procvid.cli.screen import Bar, PullScreen, duration
from procvid.errors import InputError
from procvid.hub.resolve import named_store, pinned
from procvid.media.image import load_image
from procvid.memory.build import build_store
from procvid.memory.clip_crops import KEEP
from procvid.memory.find import find
from procvid.memory.store_folder import load_store
from procvid.run.step import EVERY_LIKELIHOOD
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.text import printable
from procvid.types import Crop
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import build_detector, build_embedder, embedder_of

MAX_RESULTS = 1000
MAX_FPS = 60
NOT_CALIBRATED = "not calibrated for this embedder; `procvid memory calibrate` does it"


def build(arguments: argparse.Namespace) -> None:
    """A list of clips with captions -> a crop store."""
    profile, _ = wiring.select_profile(arguments.profile)
    embedder = build_embedder(profile)
    bar = Bar()

    def note(sentence: str) -> None:
        bar.clear()
        print(printable(f"Note: {sentence}"), file=sys.stderr, flush=True)

    num_crops = num_same = num_left_out = 0
    for progress in build_store(
        Path(arguments.manifest),
        Path(arguments.out),
        scene_reader=wiring.build_scene_reader(arguments.scene_reader),
        detector=build_detector(embedder),
        embedder=embedder,
        frame_encoder=None
        if arguments.keep_duplicates
        else wiring_evaluation.build_frame_encoder(profile),
        keep=EVERY_LIKELIHOOD if arguments.keep_changing else KEEP,
        sample_fps=_sample_fps(arguments.fps),
        name=arguments.name,
        licence=arguments.licence,
        rights=arguments.rights,
        warn=note,
    ):
        num_crops, num_same = progress.num_crops, progress.num_duplicates
        num_left_out = progress.num_rejected
        if arguments.json:
            told = {**dataclasses.asdict(progress), "eta_s": progress.eta_s}
            print(json.dumps(told, ensure_ascii=False), flush=True)
            continue
        if progress.done == progress.total and not progress.source_id:
            if progress.note:
                note(f"The store was there already and is told by other words: {progress.note}.")
            continue
        if progress.message:
            bar.clear()
            print(printable(f"Left out {progress.source_id}: {progress.message}"), flush=True)
        told_so_far = f"{progress.done}/{progress.total} clips, {progress.num_crops} crops"
        bar.show(progress.done / progress.total, told_so_far, progress.eta_s)
        if _worth_a_line(progress.done, progress.total):
            left = "" if progress.eta_s is None else f", {duration(progress.eta_s)} left"
            bar.clear()
            print(f"{told_so_far}{left}", flush=True)
    if not arguments.json:
        same = f"; {num_same} more showed the same and were left out" if num_same else ""
        left_out = (
            f"; {num_left_out} of the clips could not be used (build/rejects.jsonl says why; the same "
            "command tries them again)"
            if num_left_out
            else ""
        )
        print(f"Done: {arguments.out} holds {num_crops} crops{same}{left_out}.")


def _sample_fps(fps: float) -> float:
    if not 0 < fps <= MAX_FPS:
        raise InputError(
            f"{fps:g} frames a second cannot be looked at.", f"Choose up to {MAX_FPS}."
        )
    return fps


def _worth_a_line(done: int, total: int) -> bool:
    """Every tenth of the work, so that a log stays readable."""
    return done * 10 // total > (done - 1) * 10 // total


def search(arguments: argparse.Namespace) -> None:
    """The crops of a store nearest to a text or a picture, best first; of alike ones only one."""
    text = " ".join((arguments.text or "").split())
    if bool(text) == bool(arguments.image):
        raise InputError(
            "The text to search for is empty." if not text else "There are a text and a picture.",
            "Write what to find, such as carrot, or give --image FILE.",
        )
    if not 1 <= arguments.k <= MAX_RESULTS:
        raise InputError(f"{arguments.k} results cannot be shown.", f"Choose 1 to {MAX_RESULTS}.")
    wanted = load_image(Path(arguments.image)) if arguments.image else text
    folder = folder_of(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    for note in store.notes:
        print(printable(f"Note: {note}"), file=sys.stderr)
    found = find(store, embedder, wanted, arguments.k, arguments.state)
    for match in found:
        _tell_crop(match.crop, match.score, arguments.json)
    if not found and not arguments.json:
        print(f"The store {printable(store.name)} is empty.")


def _tell_crop(crop: Crop, score: float, as_json: bool) -> None:
    told = dataclasses.asdict(crop)
    del told["image"]
    if as_json:
        print(json.dumps({"score": round(score, 4), **told}, ensure_ascii=False))
    else:
        state = f" ({crop.state})" if crop.state else ""
        told_source = f"from {crop.source_id} at {crop.time_s:g} s"
        words = [f"{crop.name}{state}", crop.id, told_source, crop.licence, crop.url]
        words += ["banned"] if crop.banned else []
        print("  ".join([f"{score:.3f}", *(printable(word) for word in words if word)]))


def info(arguments: argparse.Namespace) -> None:
    """What a store holds; its files are checked against their hashes."""
    folder = folder_of(arguments.store)
    store = load_store(folder)
    facts = store.crops.facts
    calibration = wiring.find_calibration(store.embedder)
    told = {
        "name": store.name,
        "folder": str(folder),
        "crops": len(store),
        "with_pixels": sum(picture is not None for picture in store.crops.pictures),
        "sources": len({crop.source_id for crop in facts}),
        "names": dict(Counter(crop.name for crop in facts).most_common()),
        "states": dict(Counter(crop.state or "none" for crop in facts).most_common()),
        "banned": sum(crop.banned for crop in facts),
        "licences": dict(Counter(crop.licence or "unknown" for crop in facts).most_common()),
        "edits": len(store.history),
        "index": store.index.facts.reason,
        "thresholds": f"calibrated on {calibration.store}" if calibration else NOT_CALIBRATED,
        "embedder": f"{store.embedder.id} {store.embedder.revision}",
        "dim": store.dim,
        "licence": store.licence,
        "rights": store.rights,
        "notes": list(store.notes),
    }
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False))
        return
    for key, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count}" for name, count in value.items())
        elif isinstance(value, list):
            value = "; ".join(value)
        if value != "":
            print(f"{key.replace('_', ' '):12} {printable(str(value))}")


def history(arguments: argparse.Namespace) -> None:
    """What people changed in a store, the oldest first."""
    store = load_store(folder_of(arguments.store))
    for edit in store.history:
        if arguments.json:
            print(json.dumps(dataclasses.asdict(edit), ensure_ascii=False))
            continue
        change = " -> ".join(words for words in (edit.before, edit.after) if words)
        told = (edit.at, edit.what, change, " ".join(edit.crop_ids))
        print("  ".join(map(printable, told)).rstrip())
    if not store.history and not arguments.json:
        print(f"Nobody has changed the store {store.name}.")


def plane(arguments: argparse.Namespace) -> None:
    """The crops on a plane, as a page that stands alone."""
    from procvid.memory.plane import plane_page

    out = Path(arguments.out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"The map {out.name} is no .html file.", "Name it such as map.html.")
    write_text(out, plane_page(load_store(folder_of(arguments.store))))
    print(f"Done: {out}.")


def folder_of(wanted: str) -> Path:
    """Where a store lies; "default" is the profile's own, a release on the Hub is pulled."""
    if wanted == "default":
        return wiring.default_memory(TINY)
    return named_store(pinned(wanted, "memory", PullScreen().show))
