"""`python -m lab.differences --out FOLDER`: measure readers of differences on 300 toy pairs.

Sixty clips of the test kitchen have five counterparts each, with none to four planted differences and
other positions. The embedded reader is measured beside a reader without errors, which compares the true
scenes, beside VLEmb with the step CLIP, and beside chance. Intervals are 95 % percentile bootstraps over
the sixty clips. Writes `differences.md` and `differences.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lab.command import ASSETS, count, new_parser
from lab.planted import CATEGORIES_OF, KINDS, Planted, PlantedPair, planted_pairs, true_reading
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.compare import paired_difference
from procvid.evaluate.differences.annotations import CaptionedPair, ClipSpan, Ranking
from procvid.evaluate.differences.choices import (
    CHANCE,
    VARIANTS,
    accuracies,
    questions,
    reader_fit,
    vlemb,
)
from procvid.evaluate.differences.rankings import kendall_tau, ranking_taus, reader_severity
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.scene_readers.tiny import TinyReader
from procvid.storage.atomic import write_text
from procvid.toykitchen import comparing
from procvid.toykitchen.comparing import PAST, compared
from procvid.toykitchen.scene import PRODUCES
from procvid.types import Vectors
from procvid.types.difference import CATEGORIES, ClipDifferences, Difference

PAIRS = 300
READERS = ("embedded reader", "true scenes")
THRESHOLDS = {"SURE": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "SURE_FOOD": (0.3, 0.4, 0.5, 0.6, 0.7)}
"""Values tried for the thresholds of `procvid.toykitchen.comparing`."""

Read = Callable[[PlantedPair], ClipDifferences]


class ToyBench:
    """Toy pairs with the spans that stand for their clips, and what each reader finds.

    Args:
        references: Number of first clips.
        assets: Folder of the shipped models.
    """

    def __init__(self, references: int, assets: Path = ASSETS) -> None:
        self.pairs = planted_pairs(references)
        self._network = TinyReader(assets / "tiny_reader")
        self.reader = self._network.info.revision
        self._clip = OpenClipEmbedder(assets / "tiny_step_clip")
        self.embed_texts = lru_cache(None)(lambda texts: self._clip.embed_texts(list(texts)))
        self.clips = {
            self.spans(place)[side]: (pair.a, pair.b)[side]
            for place, pair in enumerate(self.pairs)
            for side in (0, 1)
        }
        self.seen = lru_cache(None)(self._seen)
        self.true = lru_cache(None)(lambda span: true_reading(self.clips[span]))

    def spans(self, place: int) -> tuple[ClipSpan, ClipSpan]:
        """Return the spans of a pair."""
        return ClipSpan(f"first {self.pairs[place].number}"), ClipSpan(f"second {place}")

    def _seen(self, span: ClipSpan) -> tuple[Any, Vectors]:
        view = self.clips[span].view()
        mean = self._clip.embed_images(list(view.frames)).mean(0)
        return self._network.scene(view.frames, view.times_s), mean / np.linalg.norm(mean)

    def embed(self, span: ClipSpan) -> Vectors:
        """Return the CLIP embedding of a clip."""
        return self.seen(span)[1]

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return embeddings of texts."""
        return self.embed_texts(tuple(texts))

    def differences(self, who: str) -> Callable[[ClipSpan, ClipSpan, str], ClipDifferences]:
        """Return a reader of differences by its name in `READERS`."""

        def found(a: ClipSpan, b: ClipSpan, text: str) -> ClipDifferences:
            if who == READERS[0]:
                return compared(self.seen(a)[0], self.seen(b)[0])
            return compared(self.true(a), self.true(b))

        return found

    def annotations(self) -> tuple[list[CaptionedPair], list[Ranking]]:
        """Return the planted differences in words, and the rankings by their number."""
        captions, rankings = [], []
        rows: dict[ClipSpan, list[tuple[ClipSpan, int]]] = {}
        for place, pair in enumerate(self.pairs):
            a, b = self.spans(place)
            rows.setdefault(a, []).append((b, len(pair.planted)))
            true = self.differences(READERS[1])(a, b, "")
            for planted in pair.planted:
                kinds = (d.category for d in true.found if is_planted(d, planted))
                category = next(kinds, CATEGORIES_OF[planted.kind][0])
                captions.append(CaptionedPair((a, b), category, (words_of(planted, pair),)))
        for a, targets in rows.items():
            spans, counts = zip(*targets, strict=True)
            rankings.append(Ranking(a, spans, tuple(1.0 + n for n in counts)))
        return captions, rankings


def words_of(planted: Planted, pair: PlantedPair) -> str:
    """Return a planted difference in the words of an annotator, not in those of the reader."""
    a, b, scene = planted.a, planted.b, pair.b.scene
    match planted.kind:
        case "action":
            return f"The food was {PAST[b]} rather than {PAST[a]}"
        case "food":
            return f"{b.capitalize()} was used instead of {a}"
        case "state":
            made = "at first " if scene.action in PRODUCES else ""
            return f"The {scene.food_name} was {made}{b} instead of {a}"
        case "vessel":
            if pair.a.scene.vessel != scene.vessel:
                return f"A {b} was used instead of a {a}"
            return f"The {scene.vessel} was {b} instead of {a}"
        case "counter":
            return f"The counter was {b} instead of {a}"
        case _:
            return f"The tool had a {b} handle instead of a {a} one"


def is_planted(difference: Difference, planted: Planted) -> bool:
    """Return True if a difference is a planted one, with both sides right."""
    return difference.category in CATEGORIES_OF[planted.kind] and (difference.a, difference.b) == (
        planted.a,
        planted.b,
    )


def rates(bench: ToyBench, who: str) -> dict[str, Any]:
    """Return precision and recall by category and by kind, and the share without a false alarm."""
    read, true = bench.differences(who), bench.differences(READERS[1])
    right, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    planted, hit = Counter[str](), Counter[str]()
    clean: list[float] = []
    for place, pair in enumerate(bench.pairs):
        said, truth = (each(*bench.spans(place), "") for each in (read, true))
        facts = {(d.category, d.a, d.b) for d in truth.found}
        for each in said.found:
            found[each.category] += 1
            right[each.category] += (each.category, each.a, each.b) in facts
        wanted.update(category for category, _, _ in facts)
        for one in pair.planted:
            planted[one.kind] += 1
            hit[one.kind] += any(is_planted(d, one) for d in said.found)
        if not pair.planted:
            clean.append(float(not said.found))
    return {
        "categories": {
            name: {
                "precision": right[name] / found[name] if found[name] else None,
                "recall": right[name] / wanted[name] if wanted[name] else None,
                "found": found[name],
                "true": wanted[name],
            }
            for name in CATEGORIES
        },
        "kinds": {
            kind: {"recall": hit[kind] / max(1, planted[kind]), "n": planted[kind]}
            for kind in KINDS
        },
        "none": interval(clean),
    }


def tau_of(bench: ToyBench, who: str, resamples: int = 500) -> dict[str, Any]:
    """Return tau-b of severity and number of planted differences over all pairs."""
    read = bench.differences(who)
    severities = [read(*bench.spans(place), "").severity for place in range(len(bench.pairs))]
    counts = np.array([len(pair.planted) for pair in bench.pairs])
    values = np.array(severities)
    rows = [
        np.flatnonzero([pair.number == n for pair in bench.pairs])
        for n in range(bench.pairs[-1].number + 1)
    ]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        chosen = np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
        drawn.append(kendall_tau(values[chosen], counts[chosen]) or 0.0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = kendall_tau(values, counts) or 0.0
    return {"value": mean, "low": float(low), "high": float(high), "n": len(counts)}


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean of values with its interval."""
    mean = paired_difference([0.0] * len(values), values, resamples=2000)
    return {"value": mean.mean, "low": mean.low, "high": mean.high, "n": mean.n}


def thresholds(bench: ToyBench) -> list[dict[str, Any]]:
    """Return precision, recall and the share without a false alarm for each threshold."""
    table = []
    for name, values in THRESHOLDS.items():
        shipped = getattr(comparing, name)
        for value in values:
            setattr(comparing, name, value)
            try:
                made = rates(bench, READERS[0])
            finally:
                setattr(comparing, name, shipped)
            rows = made["categories"].values()
            found, true = (sum(row[key] for row in rows) for key in ("found", "true"))
            right = sum(row["precision"] * row["found"] for row in rows if row["found"])
            table.append(
                {
                    "name": name,
                    "value": value,
                    "shipped": value == shipped,
                    "precision": right / max(1, found),
                    "recall": right / max(1, true),
                    "none": made["none"]["value"],
                }
            )
    return table


def choices(bench: ToyBench, captions: Sequence[CaptionedPair]) -> dict[str, Any]:
    """Return the accuracy of each reader, of VLEmb and by chance, for each variant of DiffMCQ."""
    table: dict[str, Any] = {}
    for variant in VARIANTS:
        made = questions(captions, variant, bench.embed, bench.texts)
        ways = {who: reader_fit(bench.differences(who), bench.texts) for who in READERS}
        ways["VLEmb"] = vlemb(bench.embed, bench.texts)
        table[variant] = {who: interval(accuracies(made.choices, fit)) for who, fit in ways.items()}
        table[variant]["chance"] = {"value": CHANCE, "n": len(made.choices)}
        table[variant]["skipped"] = made.skipped
    return table


def measured(bench: ToyBench) -> dict[str, Any]:
    """Return all figures."""
    captions, rankings = bench.annotations()
    return {
        "reader": bench.reader,
        "pairs": len(bench.pairs),
        "rates": {who: rates(bench, who) for who in READERS},
        "tau": {who: tau_of(bench, who) for who in READERS},
        "thresholds": thresholds(bench),
        "mcq": choices(bench, captions),
        "rank": {
            who: interval(ranking_taus(rankings, reader_severity(bench.differences(who))))
            for who in READERS
        },
    }


def page(figures: Mapping[str, Any]) -> str:
    """Return the tables."""
    lines = [f"## {figures['pairs']} toy pairs with planted differences", ""]
    lines += [f"Embedded reader `{figures['reader']}`.", ""]
    lines += ["| category | precision | recall | found | true |", "| --- | --- | --- | --- | --- |"]
    reader = figures["rates"][READERS[0]]
    for name, row in reader["categories"].items():
        shares = [_share(row[key]) for key in ("precision", "recall")]
        lines.append(f"| {name} | {' | '.join(shares)} | {row['found']} | {row['true']} |")
    lines += ["", "| planted | recall | n |", "| --- | --- | --- |"]
    lines += [
        f"| {kind} | {_share(row['recall'])} | {row['n']} |"
        for kind, row in reader["kinds"].items()
    ]
    lines += [
        "",
        f"| | {' | '.join(READERS)} | VLEmb | chance |",
        "| --- | --- | --- | --- | --- |",
    ]
    cells = [_cell(figures["rates"][who]["none"]) for who in READERS]
    lines.append(f"| none found where none is planted | {' | '.join(cells)} | | |")
    cells = [_cell(figures["tau"][who]) for who in READERS]
    lines.append(f"| severity, tau | {' | '.join(cells)} | | |")
    cells = [_cell(figures["rank"][who]) for who in READERS]
    lines.append(f"| DiffRank, tau | {' | '.join(cells)} | | 0 |")
    for variant, row in figures["mcq"].items():
        cells = [_cell(row[who]) for who in (*READERS, "VLEmb")]
        lines.append(
            f"| DiffMCQ {variant} (n = {row['chance']['n']}) | {' | '.join(cells)} | {CHANCE} |"
        )
    lines += ["", "| threshold | precision | recall | none found |", "| --- | --- | --- | --- |"]
    for row in figures["thresholds"]:
        name = f"`{row['name']}` {row['value']}{', shipped' if row['shipped'] else ''}"
        shares = [_share(row[key]) for key in ("precision", "recall", "none")]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _cell(row: Mapping[str, Any]) -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def measure(arguments: argparse.Namespace) -> None:
    """Write `differences.md` and `differences.json`."""
    torch.set_num_threads(1)
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    figures = measured(ToyBench(max(1, arguments.pairs // 5)))
    write_text(out / "differences.json", json.dumps(figures, indent=2) + "\n")
    write_text(out / "differences.md", page(figures))
    print(page(figures))


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser("differences", "Measure readers of differences on pairs of toy clips.")
    made.add_argument("--out", metavar="DIR", required=True, help="folder of the tables")
    made.add_argument("--pairs", metavar="N", type=count, default=PAIRS, help=f"pairs ({PAIRS})")
    made.set_defaults(run=measure)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
