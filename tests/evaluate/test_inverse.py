"""Inverse generation: distances by hand, references, datasets, resuming, and the command's word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from procvid.cli import main
from procvid.data.captioned import NO_CAPTIONS, captioned_clips
from procvid.errors import InputError, UnavailableError
from procvid.evaluate import frechet
from procvid.evaluate.frechet import (
    EmbeddedClips,
    frechet_distance,
    interval_around,
    resampled_distances,
)
from procvid.evaluate.inverse_clips import key_frame_slots, original_frames
from procvid.media.video import write_clip
from procvid.models.planners.rules import RulesPlanner
from procvid.settings import TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Detection, ModelInfo, Recipe

pytestmark = pytest.mark.usefixtures("quick_models")

LONG = "Stir the soup in the pot, " * 12 + "and serve it."


@pytest.fixture(autouse=True)
def no_published_networks(monkeypatch):
    """Do not look for the weights of FID and FVD."""
    monkeypatch.setattr("procvid.wiring.inverse.PUBLISHED", {})


def by_roots(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance from the roots of the covariances, as the definition says."""
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    powers, ways = np.linalg.eigh(c)
    root = ways @ np.diag(np.sqrt(np.maximum(powers, 0))) @ ways.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ d @ root), 0)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * shared)


@pytest.mark.parametrize(("rows", "others", "dim"), [(60, 40, 5), (6, 9, 30), (40, 7, 12)])
def test_the_distance_is_that_of_the_definition(rows, others, dim):
    rng = np.random.default_rng(rows)
    a, b = rng.normal(size=(rows, dim)), rng.normal(0.5, 2, size=(others, dim))
    assert frechet_distance(a, b) == pytest.approx(by_roots(a, b), abs=1e-5)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * dim)
    with pytest.raises(ValueError, match="no covariance"):
        frechet_distance(a[:1], b)


def test_the_bootstrap_is_paired_and_draws_whole_videos(monkeypatch):
    rng = np.random.default_rng(1)
    real = [rng.normal(size=(4, 3)) for _ in range(12)]
    near = [clip + rng.normal(0, 0.1, size=clip.shape) for clip in real]
    far = [clip + 3 for clip in near]
    made = {"near": near, "again": near, "far": far}
    videos = [str(place // 2) for place in range(12)]
    draws = resampled_distances(real, made, videos, resamples=60)
    assert np.array_equal(draws["near"], draws["again"])
    low, high = interval_around(20.0, draws["far"] - draws["near"])
    assert low < 20 < high and low > 15
    alone = resampled_distances(real, {"far": far}, ["one"] * 12, resamples=4)["far"]
    assert np.ptp(alone) < 1e-9, "one video leaves nothing to draw"
    monkeypatch.setattr(frechet, "BUDGET_FLOP", 1.0)
    assert len(resampled_distances(real, made, videos)["far"]) == frechet.LEAST_RESAMPLES


def test_a_clip_and_its_reverse_have_different_vectors():
    class Greys:
        info = TINY

        def embed_images(self, images):
            return np.array([[image.mean(), 1] for image in images], np.float32)

    frames = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    greys: Any = Greys()
    assert EmbeddedClips(greys).features(frames).tolist() == [[0.5, 1, 2.5, 1, 4.5, 1]]
    assert EmbeddedClips(greys).features(frames[::-1]).tolist() == [[4.5, 1, 2.5, 1, 0.5, 1]]


def test_the_key_frame_is_cut_into_what_the_caption_names():
    image = random_recipe(HELD_OUT).render(1).frames[0]
    step = RulesPlanner().plan(Recipe("Clip", ("Slice the whole carrot on the board.",))).steps[0]
    seen = {"knife": (60, 0, 80, 40), "cutting board": (10, 10, 90, 80), "carrot": (1, 1, 3, 3)}

    class Detector:
        def detect(self, images, names):
            return [[Detection(seen[name], name, 0.9) for name in names if name in seen]]

    tools: Any = SimpleNamespace(detector=Detector(), profile=TINY)
    slots = key_frame_slots(tools, image, step, "objects")
    assert [(s.number, s.object_name, s.image.shape) for s in slots] == [
        (1, "cutting board", (70, 80, 3)),
        (2, "knife", (40, 20, 3)),
    ]
    one = SimpleNamespace(detector=Detector(), profile=replace(TINY, max_references=1))
    assert len(key_frame_slots(one, image, step, "objects")) == 1  # type: ignore[arg-type]
    seen.clear()
    for how in ("objects", "frame"):
        (slot,) = key_frame_slots(tools, image, step, how)  # type: ignore[arg-type]
        assert slot.object_name == "key frame" and np.array_equal(slot.image, image)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Write the clip list of three clips: of a wide film of noise, of no file, and of no video."""
    folder = tmp_path_factory.mktemp("dataset")
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (24, 8, 12, 3), dtype=np.uint8)
    write_clip(folder / "film.mp4", coarse.repeat(8, 1).repeat(8, 2), 8, ai_generated=False)
    (folder / "broken.mp4").write_bytes(b"no video")
    rows = [
        {"file": "film.mp4", "start_s": 1.0, "end_s": 2.5, "text": LONG, "source_id": "film 1"},
        {"file": "gone.mp4", "text": "Fry the egg.", "source_id": "gone"},
        {"file": "broken.mp4", "text": "Fry the egg.", "source_id": "broken"},
    ]
    lines = [json.dumps({**row, "action": row["text"]}) for row in rows]
    (folder / "clips.jsonl").write_text("\n".join(lines))
    return folder


def test_clips_are_read_from_a_list_or_from_rows_and_videos(dataset, tmp_path):
    clips, notes = captioned_clips(dataset)
    assert [clip.group for clip in clips] == ["film 1", "gone", "broken"]
    assert clips[0].id == "film-1-001-00000" and clips[1].id == "gone-001"
    assert clips[0].caption == LONG and notes == (NO_CAPTIONS,)
    frames = original_frames(clips[0], TINY.sampling)
    assert frames.shape == (12, 96, 96, 3), "12 frames of 1.5 s, cut to a square"
    with pytest.raises(InputError, match="ends before"):
        original_frames(replace(clips[0], start_s=9.0, end_s=None), TINY.sampling)
    columns = {"video_id": "film", "clip": 1, "start_s": 0.0, "end_s": 1.0, "file": "film.mp4"}
    full = {**columns, "text": "fry", "caption": "An egg fries."}
    rows = [full, {**full, "clip": 2, "caption": None}, {**full, "caption": None, "text": ""}]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "train-00000.parquet")
    with pytest.raises(InputError, match="--videos"):
        captioned_clips(tmp_path)
    clips, notes = captioned_clips(tmp_path, dataset)
    assert [clip.caption for clip in clips] == ["An egg fries.", "fry"]
    assert clips[0].file == dataset / "film.mp4" and clips[1].id == "film-002"
    assert notes == ("1 clips without a caption were left out.",)
    for fault in (tmp_path / "nowhere", tmp_path / "data"):
        with pytest.raises(InputError, match="Give a folder"):
            captioned_clips(fault)
    pq.write_table(pa.Table.from_pylist(rows[2:]), tmp_path / "data" / "train-00000.parquet")
    with pytest.raises(InputError, match="no clip with a caption"):
        captioned_clips(tmp_path, dataset)


def inverse(*arguments: object) -> int:
    return main(["evaluate", "inverse", *map(str, arguments), "--steps", "1"])


class Colours:
    """A network of FID that can always be used."""

    info = ModelInfo("colours", "1")
    num_frames = 2

    def features(self, frames):
        return frames.mean(axis=(1, 2)).astype(np.float32)


def no_network() -> None:
    raise UnavailableError("The network is not here.")


def test_a_foreign_dataset_with_bad_clips_says_what_it_measured(
    dataset, tmp_path, capsys, monkeypatch
):
    networks = {"fvd": no_network, "fid": Colours}
    monkeypatch.setattr("procvid.wiring.inverse.PUBLISHED", networks)
    out = tmp_path / "out"
    assert inverse(dataset, "--out", out, "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    table = events[-1]["table"]
    assert table["n"] == 1 and set(table["left_out"]) == {"gone-001", "broken-001"}
    notes = " ".join(table["notes"])
    for words in ("fewer than --limit 50", "no captions", "1 of 1 captions are longer"):
        assert words in notes
    assert "not of the toy kitchen" in notes and "gone.mp4" in notes
    rows = {row["metric"]: row for row in table["rows"]}
    assert rows["fvd"]["state"] == "unavailable: The network is not here."
    assert rows["fid"]["state"].startswith("not applicable")
    assert table["backbones"]["fid"] == "colours 1"
    assert rows["clip_t"]["difference"]["low"] is None, "one video has no interval"
    assert rows["own_original"]["original"] == pytest.approx(1, abs=1e-5)
    assert rows["own_original"]["with"] < 1
    assert "not applicable" in (out / "table.md").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_only_missing_clips_are_made_and_other_settings_are_refused(tmp_path, capsys):
    out = tmp_path / "out"
    assert inverse("toykitchen", "--limit", 2, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "| CLIP-T | higher |" in printed and "Fréchet distances of few clips" in printed
    first = contents(out)
    assert {"sheet.png", "table.json", "clips/toy-0001/with.mp4"} <= first.keys()
    (out / "clips/toy-0000/measures.npz").write_bytes(b"damaged")
    (out / "table.json").unlink()
    assert inverse("toykitchen", "--limit", 2, "--out", out, "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["clip"], e["reused"]) for e in events[:-1]] == [
        ("toy-0001", True),
        ("toy-0000", False),
    ]
    assert contents(out) == first
    for more, words in ((("--seed", 1), "seed 0"), (("--key-frame", "frame"), "'objects'")):
        assert inverse("toykitchen", "--limit", 2, "--out", out, *more) == 2
        assert words in capsys.readouterr().err
    assert inverse("toykitchen", "--limit", 0, "--out", out) == 2
    (tmp_path / "table.json").write_text("{}")
    assert inverse("toykitchen", "--limit", 2, "--out", tmp_path) == 2
    assert "another command" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--workers", 2), ("--workers", 2, "--ray", "local")])
def test_two_workers_give_the_bytes_of_one_process(tmp_path, options):
    if "--ray" in options:
        pytest.importorskip("ray")
    for out, more in (("one", ()), ("two", options)):
        assert inverse("toykitchen", "--limit", 3, "--out", tmp_path / out, *more) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_word_inverse_selects_the_command_and_a_folder_is_given_by_its_path(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inverse").mkdir()
    assert main(["evaluate", "inverse", "--out", "x"]) == 2
    said = capsys.readouterr().err
    assert "write ./inverse" in said and "The dataset is missing" in said
    assert main(["evaluate", "./inverse", "--out", "x"]) == 2
    assert "no run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "evaluate inverse DATASET" in capsys.readouterr().out
