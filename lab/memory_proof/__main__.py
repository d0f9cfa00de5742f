"""Measure the memory on toy-kitchen video with known ground truth, and its index on random vectors."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.command import ASSETS, count, new_parser
from lab.memory_proof.bench import measure_index
from lab.memory_proof.building import score_building
from lab.memory_proof.long_run import measure_long
from lab.memory_proof.planted import measure_planted, parts_of, write_planted
from lab.memory_proof.retrieval import (
    kind_of,
    mislabel,
    score_retrieval,
    thin_out,
    without_half,
)
from lab.memory_proof.videos import FIRST_SEED, LIST, Truth, toy_recipes, write_videos
from lab.weights import load_oracle
from procvid.cli import run
from procvid.cli.arguments import Parser, add_json, whole_number
from procvid.cli.screen import Bar
from procvid.errors import InputError
from procvid.memory.build import build_store
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.store import CropStore
from procvid.memory.store_folder import load_store, save_store
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import (
    build_detector,
    build_embedder,
    build_rules,
    load_default_memory,
)

CASES = ("none", "gaps")
MAX_RECIPES = 2000
GAPS = 0.3
"""Share of (food, state) pairs that are removed from the store with gaps."""

MISLABELLED = 0.1
"""Share of crops with a wrong label in the mislabelled store."""


def parser() -> Parser:
    """Return the parser of `python -m lab.memory_proof`."""
    made = new_parser("memory_proof", __doc__ or "")
    commands = made.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    summary = "Measure building and retrieval on toy-kitchen video."
    proof = commands.add_parser("prove", help=summary, description=summary)
    proof.add_argument("--out", metavar="FOLDER", required=True, help="videos, stores and figures")
    proof.add_argument("--recipes", metavar="N", type=whole_number, default=200)
    proof.add_argument(
        "--held-out", metavar="N", type=whole_number, default=60, help="recipes that query"
    )
    proof.set_defaults(run=prove)
    summary = "Plant bad crops in runs and measure how many enter the memory."
    planted = commands.add_parser("planted", help=summary, description=summary)
    planted.add_argument("--out", metavar="FOLDER", required=True, help="runs and figures")
    planted.add_argument("--recipes", metavar="N", type=count, default=20)
    planted.add_argument("--cases", metavar="CASE", nargs="+", choices=CASES, default=CASES)
    planted.set_defaults(run=plant)
    summary = "Make a run of many steps and measure its memory without and with the budget."
    long = commands.add_parser("long", help=summary, description=summary)
    long.add_argument("--out", metavar="FOLDER", required=True, help="folder of the run")
    long.add_argument("--steps", metavar="N", type=count, default=40)
    long.add_argument("--case", choices=("default", *CASES), default="default")
    long.set_defaults(run=long_run)
    summary = "Write the default store without half of its objects, for `procvid ablate --memory`."
    gaps = commands.add_parser("gaps", help=summary, description=summary)
    gaps.add_argument("--out", metavar="STORE", required=True, help="folder of the new store")
    gaps.add_argument("--seed", metavar="N", type=whole_number, default=0)
    gaps.set_defaults(run=write_gaps)
    summary = "Compare the index with exact search on random vectors."
    measure = commands.add_parser("bench", help=summary, description=summary)
    measure.add_argument("--vectors", metavar="N", type=count, default=1_000_000)
    measure.add_argument("--dim", metavar="N", type=count, default=64)
    measure.add_argument("--queries", metavar="N", type=count, default=200)
    add_json(measure)
    measure.set_defaults(run=bench)
    return made


def write_gaps(arguments: argparse.Namespace) -> None:
    """Write the store with gaps and print what is left."""
    whole = load_default_memory(TINY)
    thin = without_half(whole, arguments.seed)
    save_store(thin, Path(arguments.out))
    kinds = len({kind_of(crop) for crop in thin.crops.facts})
    print(f"{arguments.out}: {len(thin)} of {len(whole)} crops, {kinds} objects.")


def plant(arguments: argparse.Namespace) -> None:
    """Make the runs with planted crops, or those that are missing, and print the figures."""
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    parts, oracle = wiring.build(), load_oracle(ASSETS / "oracle")
    for done, found in measure_planted(parts, oracle, out, arguments.recipes, arguments.cases):
        print(f"{done}/{arguments.recipes} recipes", file=sys.stderr, flush=True)
        write_planted(out, found)


def long_run(arguments: argparse.Namespace) -> None:
    """Make the run, or the rest of it, and print the figures."""
    parts, case = wiring.build(), arguments.case
    parts = parts if case == "default" else parts_of(parts, case)
    print(json.dumps(measure_long(parts, Path(arguments.out), arguments.steps)), flush=True)


def bench(arguments: argparse.Namespace) -> None:
    """Measure the index and print the figures."""
    for measures in measure_index(arguments.vectors, arguments.dim, arguments.queries):
        if arguments.json:
            print(json.dumps(dataclasses.asdict(measures)), flush=True)
            continue
        print(
            f"{measures.vectors:,} vectors of {measures.dim}: {measures.kind}, {measures.reason}.\n"
            f"  built in {measures.build_s:.1f} s, {measures.resident_mib:.0f} MiB of RAM, "
            f"{measures.file_mib:.0f} MiB on disk\n"
            f"  recall@10 {measures.recall_at_10:.4f}; {measures.median_ms:.2f} ms per query "
            f"(median), {measures.p95_ms:.2f} ms (95 %), exact {measures.exact_median_ms:.2f} ms",
            flush=True,
        )


def prove(arguments: argparse.Namespace) -> None:
    """Write toy videos, build a store from them and measure both; resumes if interrupted.

    Raises:
        InputError: A number of recipes is out of range.
    """
    for number in (arguments.recipes, arguments.held_out):
        if not 1 <= number <= MAX_RECIPES:
            raise InputError(f"Cannot draw {number} recipes.", f"Choose 1 to {MAX_RECIPES}.")
    out, bar = Path(arguments.out), Bar()
    recipes = toy_recipes(arguments.recipes)
    for done in write_videos(out / "videos", recipes):
        bar.show(done / len(recipes), f"{done}/{len(recipes)} videos", None)
    bar.clear()
    numbers: dict[str, Any] = {"recipes": len(recipes)}
    numbers["building"] = _build(out, bar)
    embedder = build_embedder(TINY)
    store, truth = load_store(out / "store", embedder), Truth(recipes)
    scores = score_building(store, truth)
    numbers["building"] |= {
        **dataclasses.asdict(scores),
        "precision": round(scores.precision, 4),
        "recall": round(scores.recall, 4),
    }
    print(f"Building: {json.dumps(numbers['building'])}", flush=True)
    numbers["retrieval"] = _retrieve(store, truth, arguments.held_out, out, bar)
    write_text(out / "memory.json", json.dumps(numbers, indent=2) + "\n")
    print(f"Done: {out / 'memory.json'}.")


def _build(out: Path, bar: Bar) -> dict[str, Any]:
    embedder = build_embedder(TINY)
    start_s, last = time.monotonic(), None
    for last in build_store(
        out / "videos" / LIST,
        out / "store",
        scene_reader=wiring.build_scene_reader(),
        detector=build_detector(TINY, embedder),
        embedder=embedder,
        frame_encoder=wiring_evaluation.build_frame_encoder(TINY),
    ):
        text = f"{last.done}/{last.total} clips, {last.num_crops} crops"
        bar.show(last.done / last.total, text, last.eta_s)
    bar.clear()
    assert last is not None
    processed = last.total - last.num_reused
    seconds = time.monotonic() - start_s
    return {
        "clips": last.total,
        "clips_a_second": round(processed / seconds, 2) if processed else None,
        "duplicates_left_out": last.num_duplicates,
    }


def _retrieve(store: CropStore, truth: Truth, held_out: int, out: Path, bar: Bar) -> dict[str, Any]:
    embedder = build_embedder(TINY)
    detector = build_detector(TINY, embedder)
    rules = build_rules(embedder.info)
    queries = list(toy_recipes(held_out, FIRST_SEED + MAX_RECIPES).values())
    thin = thin_out(store, GAPS, seed=1)
    save_store(dataclasses.replace(thin, name="gaps"), out / "gaps")
    mislabelled = mislabel(thin, store, MISLABELLED, embedder, seed=1)
    shared = dataclasses.replace(rules, write_back=False)
    uncalibrated = dataclasses.replace(DEFAULT_RULES, write_back=False)
    stateless = dataclasses.replace(shared, state_aware=False)
    cases: dict[str, tuple[CropStore, RetrievalRules]] = {
        "whole store": (store, rules),
        "whole store, uncalibrated": (store, DEFAULT_RULES),
        "whole store, no write-back": (store, shared),
        "gaps": (thin, rules),
        "gaps, no write-back": (thin, shared),
        "gaps, no write-back, states ignored": (thin, stateless),
        "gaps, a tenth mislabelled, no write-back": (mislabelled, shared),
        "gaps, a tenth mislabelled, no write-back, uncalibrated": (mislabelled, uncalibrated),
    }
    results: dict[str, Any] = {}
    for name, (case_store, case_rules) in cases.items():
        bar.show(len(results) / len(cases), name, None)
        scores = score_retrieval(case_store, truth, queries, embedder, detector, case_rules)
        results[name] = scores.to_json()
        bar.clear()
        print(f"{name}: {json.dumps(results[name])}", flush=True)
        for wrong in scores.wrong[:3]:
            print(f"  {wrong}")
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
