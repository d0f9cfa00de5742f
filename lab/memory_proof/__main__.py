"""`procvid memory prove`, `bench` and `calibrate`: what the memory is worth, in numbers."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from lab.memory_proof.bench import measure_index
from lab.memory_proof.building import score_building
from lab.memory_proof.retrieval import mislabel, score_retrieval, thin_out
from lab.memory_proof.videos import FIRST_SEED, LIST, Truth, toy_recipes, write_videos
from procvid.cli.memory import folder_of
from procvid.cli.screen import Bar
from procvid.errors import InputError
from procvid.memory.build import build_store
from procvid.memory.calibrate import calibrate as find_thresholds
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.store import CropStore
from procvid.memory.store_folder import load_store, save_store
from procvid.settings import TINY
from procvid.storage.atomic import write_bytes, write_text
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import embedder_of

MAX_RECIPES = 2000
GAPS = 0.3
MISLABELLED = 0.1


def calibrate(arguments: argparse.Namespace) -> None:
    """Find the thresholds of retrieval and write them with what they did on held-out pairs."""
    folder = folder_of(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    found = find_thresholds(store, embedder)
    out = Path(arguments.out) if arguments.out else wiring.calibration_file(embedder.info)
    write_bytes(out, found.to_bytes())
    for name, value in found.thresholds.items():
        told = found.measured[name]
        print(
            f"{name:10} {value:7.4f}  keeps {told['right_kept']:.1%} of "
            f"{told['right_pairs']:.0f} right pairs, refuses {told['wrong_refused']:.1%} of "
            f"{told['wrong_pairs']:.0f} wrong ones (held out)"
        )
    print(f"Done: {out}.")
    if not arguments.out:
        print(
            f"Note: from now on all commands use these thresholds with {embedder.info.id}; remove that "
            "file to go back to those that came with procvid."
        )


def bench(arguments: argparse.Namespace) -> None:
    """Measure the index."""
    for measures in measure_index(arguments.vectors, arguments.dim, arguments.queries):
        if arguments.json:
            print(json.dumps(dataclasses.asdict(measures)), flush=True)
            continue
        print(
            f"{measures.vectors:,} vectors of {measures.dim}: {measures.kind}, {measures.reason}.\n"
            f"  built in {measures.build_s:.1f} s, {measures.resident_mib:.0f} MiB more in memory, "
            f"{measures.file_mib:.0f} MiB on disk\n"
            f"  recall@10 {measures.recall_at_10:.4f}; a query {measures.median_ms:.2f} ms "
            f"(median), {measures.p95_ms:.2f} ms (95 %), exact {measures.exact_median_ms:.2f} ms",
            flush=True,
        )


def prove(arguments: argparse.Namespace) -> None:
    """Videos, a store built from them, and numbers against the truth; goes on when cut off."""
    for number in (arguments.recipes, arguments.held_out):
        if not 1 <= number <= MAX_RECIPES:
            raise InputError(f"{number} recipes cannot be made.", f"Choose 1 to {MAX_RECIPES}.")
    out, bar = Path(arguments.out), Bar()
    recipes = toy_recipes(arguments.recipes)
    for done in write_videos(out / "videos", recipes):
        bar.show(done / len(recipes), f"{done}/{len(recipes)} videos", None)
    bar.clear()
    numbers: dict[str, Any] = {"recipes": len(recipes)}
    numbers["building"] = _build(out, bar)
    embedder = wiring.build_embedder(TINY)
    store, truth = load_store(out / "store", embedder), Truth(recipes)
    scores = score_building(store, truth)
    numbers["building"] |= {
        **dataclasses.asdict(scores),
        "precision": round(scores.precision, 4),
        "recall": round(scores.recall, 4),
    }
    print(f"Building: {json.dumps(numbers['building'])}", flush=True)
    numbers["retrieval"] = _retrieve(store, truth, arguments, bar)
    write_text(out / "memory.json", json.dumps(numbers, indent=2) + "\n")
    print(f"Done: {out / 'memory.json'}.")


def _build(out: Path, bar: Bar) -> dict[str, Any]:
    embedder = wiring.build_embedder(TINY)
    started_s, last = time.monotonic(), None
    for last in build_store(
        out / "videos" / LIST,
        out / "store",
        scene_reader=wiring.build_scene_reader(),
        detector=wiring.build_detector(TINY, embedder),
        embedder=embedder,
        frame_encoder=wiring_evaluation.build_frame_encoder(TINY),
    ):
        told = f"{last.done}/{last.total} clips, {last.num_crops} crops"
        bar.show(last.done / last.total, told, last.eta_s)
    bar.clear()
    assert last is not None
    made = last.total - last.num_reused
    seconds = time.monotonic() - started_s
    return {
        "clips": last.total,
        "clips_a_second": round(made / seconds, 2) if made else None,
        "duplicates_left_out": last.num_duplicates,
    }


def _retrieve(
    store: CropStore, truth: Truth, arguments: argparse.Namespace, bar: Bar
) -> dict[str, Any]:
    embedder = wiring.build_embedder(TINY)
    detector = wiring.build_detector(TINY, embedder)
    rules = wiring.build_rules(embedder.info)
    asking = list(toy_recipes(arguments.held_out, FIRST_SEED + MAX_RECIPES).values())
    thin = thin_out(store, GAPS, seed=1)
    save_store(dataclasses.replace(thin, name="gaps"), Path(arguments.out) / "gaps")
    mixed_up = mislabel(thin, store, MISLABELLED, embedder, seed=1)
    shared = dataclasses.replace(rules, write_back=False)
    uncalibrated = dataclasses.replace(DEFAULT_RULES, write_back=False)
    blind = dataclasses.replace(rules, state_aware=False)
    cases: dict[str, tuple[CropStore, RetrievalRules]] = {
        "whole store": (store, rules),
        "whole store, uncalibrated": (store, DEFAULT_RULES),
        "whole store, no write-back": (store, shared),
        "gaps": (thin, rules),
        "gaps, no write-back": (thin, shared),
        "gaps, no write-back, states ignored": (thin, dataclasses.replace(blind, write_back=False)),
        "gaps, a tenth mislabelled, no write-back": (mixed_up, shared),
        "gaps, a tenth mislabelled, no write-back, uncalibrated": (mixed_up, uncalibrated),
    }
    told: dict[str, Any] = {}
    for name, (asked, by) in cases.items():
        bar.show(len(told) / len(cases), name, None)
        scores = score_retrieval(asked, truth, asking, embedder, detector, by)
        told[name] = scores.to_json()
        bar.clear()
        print(f"{name}: {json.dumps(told[name])}", flush=True)
        for wrong in scores.wrong[:3]:
            print(f"  {wrong}")
    return told
