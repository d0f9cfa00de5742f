"""The table and the contact sheet of an inverse generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from procvid.evaluate.frechet import frechet_distance, interval_around, resampled_distances
from procvid.evaluate.inverse import TABLE_JSON
from procvid.evaluate.inverse_clips import BRANCHES, CaptionedClip, InverseItem, clip_place, spread
from procvid.evaluate.result import finite
from procvid.media.image import resize
from procvid.media.video import read_clip
from procvid.storage.atomic import replacing, write_text
from procvid.storage.files import write_json
from procvid.types import Vectors

TABLE_SCHEMA = 1
TABLE_MD, SHEET = "table.md", "sheet.png"
TITLES = {
    "fvd": "FVD (I3D)",
    "fid": "FID (Inception)",
    "frechet_clips": "Fréchet distance of clips in CLIP's space, not FVD",
    "frechet_frames": "Fréchet distance of frames in the frame encoder's space, not FID",
    "own_original": "similarity to its own original",
    "clip_t": "CLIP-T",
    "motion": "motion",
}
DIRECTIONS = {"own_original": "higher", "clip_t": "higher", "motion": "none"}
SIMILAR = "frechet_frames"
"""The features of `own_original`, which are vectors of length 1."""

RESAMPLES_OF_MEANS = 10_000
BIAS = (
    "Fréchet distances of few clips are too high: compare only figures of the same n. The bias "
    "mostly cancels in the difference."
)
SHEET_ROWS, SHEET_FRAMES, SHEET_SIDE, SHEET_GAP, SHEET_LINE = 8, 3, 96, 8, 16


def inverse_table(
    items: Mapping[str, InverseItem],
    faults: Mapping[str, str],
    clips: Sequence[CaptionedClip],
    kinds: Sequence[str],
    missing: Mapping[str, str],
    settings: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the content of `table.json`.

    Args:
        items: The measured clips by id.
        faults: Why other clips are left out, by id.
        clips: The clips of the dataset, for their videos.
        kinds: The Fréchet distances that were measured.
        missing: Why others were not, by metric.
        settings: The settings, for the record.
        notes: Notes for the reader.
    """
    groups = {clip.id: clip.group for clip in clips}
    of_items = [groups[name] for name in items]
    rows = [_unavailable(metric, reason) for metric, reason in missing.items()]
    rows += [_distance_row(kind, list(items.values()), of_items) for kind in kinds]
    rows += [
        _mean_row(name, [measure(item) for item in items.values()], of_items)
        for name, measure in MEANS.items()
    ]
    first = next(iter(items.values()), None)
    return {
        "schema_version": TABLE_SCHEMA,
        "settings": dict(settings),
        "backbones": {} if first is None else dict(first.facts["backbones"]),
        "n": len(items),
        "videos": len(set(of_items)),
        "left_out": dict(faults),
        "notes": [*notes, *_notes(items, faults)],
        "rows": rows,
    }


def _notes(items: Mapping[str, InverseItem], faults: Mapping[str, str]) -> list[str]:
    facts = [item.facts for item in items.values()]
    cut = sum(fact["caption_is_cut"] for fact in facts)
    unknown = sum(not fact["known"] for fact in facts)
    whole = sum(fact["references"] == ["key frame"] for fact in facts)
    notes = [f"{count} clips were left out: {why}" for why, count in _grouped(faults)]
    if cut:
        notes.append(
            f"{cut} of {len(facts)} captions are longer than CLIP reads; CLIP-T sees their beginning."
        )
    if unknown:
        notes.append(
            f"{unknown} of {len(facts)} originals are not of the toy kitchen, which is all that these "
            "models know. The figures mean nothing for them."
        )
    if whole and whole < len(facts):
        notes.append(f"No object was found in {whole} key frames, which were given whole.")
    return [*notes, BIAS]


def _grouped(faults: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return the three most frequent reasons with their counts."""
    return Counter(faults.values()).most_common(3)


def _row(metric: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("original", "without", "with", "difference"))
    head = {"metric": metric, "title": TITLES[metric], "direction": DIRECTIONS.get(metric, "lower")}
    return {**head, "state": "ok", **empty, **values}


def _unavailable(metric: str, reason: str) -> dict[str, Any]:
    return _row(metric, state=f"unavailable: {reason}")


def _distance_row(kind: str, items: Sequence[InverseItem], groups: Sequence[str]) -> dict[str, Any]:
    sets: dict[str, list[Vectors]] = {
        branch: [item.arrays[f"{branch}.{kind}"] for item in items] for branch in BRANCHES
    }
    if len(items) < 2:
        return _row(kind, state="not applicable: fewer than two clips were measured")
    real, made = sets["original"], {name: sets[name] for name in ("without", "with")}
    rows = np.concatenate(real)
    values = {name: frechet_distance(rows, np.concatenate(each)) for name, each in made.items()}
    draws = resampled_distances(real, made, groups)
    difference = values["with"] - values["without"]
    low, high = interval_around(difference, draws["with"] - draws["without"])
    return _row(
        kind,
        **{name: finite(value) for name, value in values.items()},
        difference=_interval(difference, low, high, len(draws["with"]), len(set(groups))),
    )


def _own_original(item: InverseItem) -> dict[str, float]:
    """Return the mean cosine of each frame with the frame of the original at the same time."""
    real = item.arrays[f"original.{SIMILAR}"]
    return {b: float((real * item.arrays[f"{b}.{SIMILAR}"]).sum(axis=1).mean()) for b in BRANCHES}


def _clip_t(item: InverseItem) -> dict[str, float]:
    return {branch: float(item.arrays[f"{branch}.clip_t"][0]) for branch in BRANCHES}


def _motion(item: InverseItem) -> dict[str, float]:
    return {branch: float(item.arrays[f"{branch}.motion"][0]) for branch in BRANCHES}


MEANS: Mapping[str, Callable[[InverseItem], dict[str, float]]] = {
    "own_original": _own_original,
    "clip_t": _clip_t,
    "motion": _motion,
}
"""Figures that are means over the clips."""


def _mean_row(
    name: str, figures: Sequence[Mapping[str, float]], groups: Sequence[str]
) -> dict[str, Any]:
    if not figures:
        return _row(name, state="not applicable: no clip was measured")
    values = {branch: np.array([each[branch] for each in figures]) for branch in BRANCHES}
    gains = values["with"] - values["without"]
    names = list(dict.fromkeys(groups))
    at = np.array([names.index(group) for group in groups])
    sums = np.bincount(at, weights=gains, minlength=len(names))
    counts = np.bincount(at, minlength=len(names))
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(names), size=(RESAMPLES_OF_MEANS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    mean = float(gains.mean())
    return _row(
        name,
        **{branch: finite(float(each.mean())) for branch, each in values.items()},
        difference=_interval(mean, float(low), float(high), RESAMPLES_OF_MEANS, len(names)),
    )


def _interval(mean: float, low: float, high: float, resamples: int, groups: int) -> dict[str, Any]:
    """Return a difference; one video alone has no interval."""
    ends = {"low": finite(low), "high": finite(high)} if groups > 1 else {"low": None, "high": None}
    return {"mean": finite(mean), **ends, "resamples": resamples}


def inverse_markdown(table: Mapping[str, Any]) -> str:
    """Return the table as Markdown, with a line on the intervals and the notes."""
    lines = [
        f"{table['n']} clips of {table['videos']} videos. Differences are with the key frame minus "
        "without it, on the same captions and seeds, with a 95 % interval of a paired bootstrap over "
        "the videos.",
        "",
        "| metric | better | originals | caption alone | with key frame | difference |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in table["rows"]:
        head = f"| {row['title']} | {'' if row['direction'] == 'none' else row['direction']} "
        if row["state"] != "ok":
            lines.append(f"{head}| {row['state']} | | | |")
            continue
        figures = " | ".join(_number(row[branch]) for branch in BRANCHES)
        lines.append(f"{head}| {figures} | {_difference(row['difference'])} |")
    return "\n".join([*lines, "", *(f"- {note}" for note in table["notes"])]) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{2 if abs(value) >= 10 else 4}f}"


def _difference(difference: Mapping[str, Any]) -> str:
    mean, low, high = difference["mean"], difference["low"], difference["high"]
    digits = 2 if abs(mean) >= 1 else 4
    ends = "" if low is None else f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"{mean:+.{digits}f}{ends}"


def write_inverse(
    folder: Path,
    table: Mapping[str, Any],
    items: Mapping[str, InverseItem],
    clips: Sequence[CaptionedClip],
) -> None:
    """Write the table as JSON and Markdown, and a sheet of the first clips. Raises OutputError."""
    shown = [clip for clip in clips if clip.id in items][:SHEET_ROWS]
    if shown:
        with replacing(folder / SHEET) as temporary:
            contact_sheet(folder, shown).save(temporary, "PNG")
    write_text(folder / TABLE_MD, inverse_markdown(table))
    write_json(folder / TABLE_JSON, dict(table))


def contact_sheet(folder: Path, clips: Sequence[CaptionedClip]) -> Pillow.Image:
    """Return a picture with a row per clip: three frames of each of the three clips.

    Args:
        folder: The output folder, which holds the mp4 files.
        clips: The clips to show.
    """
    frames = {
        (clip.id, branch): read_clip(clip_place(folder, clip) / f"{branch}.mp4").frames
        for clip in clips
        for branch in BRANCHES
    }
    high, wide = next(iter(frames.values())).shape[1:3]
    side, tall = SHEET_SIDE * wide // max(high, wide), SHEET_SIDE * high // max(high, wide)
    group = SHEET_FRAMES * side + SHEET_GAP
    sheet = Pillow.new(
        "RGB", (3 * group, SHEET_LINE + len(clips) * (tall + SHEET_LINE)), (255, 255, 255)
    )
    pen = ImageDraw.Draw(sheet)
    for column, head in enumerate(("original", "caption alone", "with key frame")):
        pen.text((column * group, 2), head, fill=(0, 0, 0))
    for row, clip in enumerate(clips):
        top = SHEET_LINE + row * (tall + SHEET_LINE)
        for column, branch in enumerate(BRANCHES):
            for place, frame in enumerate(spread(frames[clip.id, branch], SHEET_FRAMES)):
                at = (column * group + place * side, top)
                sheet.paste(Pillow.fromarray(resize(frame, side, tall)), at)
        text = clip.caption[:140].encode("ascii", "replace").decode()
        pen.text((0, top + tall + 1), text, fill=(70, 70, 70))
    return sheet
