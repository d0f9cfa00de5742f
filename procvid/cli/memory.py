"""`procvid memory build`, `search` and `info`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from pathlib import Path

from procvid import wiring
from procvid.cli.screen import Bar, duration
from procvid.errors import InputError
from procvid.memory.build import build_store
from procvid.memory.crops import load_store
from procvid.settings import TINY
from procvid.types import Crop

MAX_RESULTS = 1000


def build(arguments: argparse.Namespace) -> None:
    """A list of clips with captions -> a crop store."""
    embedder = wiring.build_embedder(TINY)
    bar = Bar()
    num_crops = 0
    for progress in build_store(
        Path(arguments.manifest),
        Path(arguments.out),
        scene_reader=wiring.build_scene_reader(arguments.scene_reader),
        detector=wiring.build_detector(TINY, embedder),
        embedder=embedder,
        frame_encoder=wiring.build_frame_encoder(TINY),
        name=arguments.name,
        licence=arguments.licence,
        rights=arguments.rights,
    ):
        num_crops = progress.num_crops
        if arguments.json:
            told = {**dataclasses.asdict(progress), "eta_s": progress.eta_s}
            print(json.dumps(told, ensure_ascii=False), flush=True)
            continue
        if progress.message:
            bar.clear()
            print(f"Left out {progress.source_id}: {progress.message}", flush=True)
        told_so_far = f"{progress.done}/{progress.total} clips, {progress.num_crops} crops"
        bar.show(progress.done / progress.total, told_so_far, progress.eta_s)
        if _worth_a_line(progress.done, progress.total):
            left = "" if progress.eta_s is None else f", {duration(progress.eta_s)} left"
            bar.clear()
            print(f"{told_so_far}{left}", flush=True)
    if not arguments.json:
        print(f"Done: {arguments.out} holds {num_crops} crops.")


def _worth_a_line(done: int, total: int) -> bool:
    """Every tenth of the work, so that a log stays readable."""
    return done * 10 // total > (done - 1) * 10 // total


def search(arguments: argparse.Namespace) -> None:
    """The crops of a store nearest to a text, best first."""
    text = " ".join(arguments.text.split())
    if not text:
        raise InputError("The text to search for is empty.", "Write what to find, such as carrot.")
    if not 1 <= arguments.k <= MAX_RESULTS:
        raise InputError(f"{arguments.k} results cannot be shown.", f"Choose 1 to {MAX_RESULTS}.")
    embedder = wiring.build_embedder(TINY)
    store = load_store(_folder(arguments.store), embedder)
    rows = None
    if arguments.state is not None:
        wanted = arguments.state.strip().lower()
        rows = [row for row, crop in enumerate(store.crops.facts) if crop.state.lower() == wanted]
        if not rows:
            states = sorted({crop.state for crop in store.crops.facts if crop.state})
            raise InputError(
                f"No crop of the store {store.name} is {arguments.state!r}.",
                f"Its states are {', '.join(states)}.",
            )
    scores, found = store.index.search(embedder.embed_texts([text])[0], arguments.k, rows)
    for score, row in zip(scores.tolist(), found.tolist(), strict=True):
        _tell_crop(store.crops.facts[row], score, arguments.json)


def _tell_crop(crop: Crop, score: float, as_json: bool) -> None:
    told = dataclasses.asdict(crop)
    del told["image"]
    if as_json:
        print(json.dumps({"score": round(score, 4), **told}, ensure_ascii=False))
    else:
        state = f" ({crop.state})" if crop.state else ""
        print(f"{score:.3f}  {crop.name}{state}  {crop.id}  from {crop.source_id}")


def info(arguments: argparse.Namespace) -> None:
    """What a store holds; its files are checked against their hashes."""
    folder = _folder(arguments.store)
    store = load_store(folder)
    facts = store.crops.facts
    told = {
        "name": store.name,
        "folder": str(folder),
        "crops": len(store),
        "with_pixels": sum(picture is not None for picture in store.crops.pictures),
        "sources": len({crop.source_id for crop in facts}),
        "names": dict(Counter(crop.name for crop in facts).most_common()),
        "states": dict(Counter(crop.state or "none" for crop in facts).most_common()),
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
            print(f"{key.replace('_', ' '):12} {value}")


def _folder(wanted: str) -> Path:
    return wiring.default_memory(TINY) if wanted == "default" else Path(wanted).expanduser()
