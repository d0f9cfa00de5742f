"""The measurement behind docs/fast.md: counts, errors, times, table and plot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lab.command import ASSETS
from lab.fast.__main__ import main, table
from lab.fast.eight_bits import rounded_to_int8
from lab.fast.measure import (
    Variant,
    mag_ratios,
    make_all,
    make_whole,
    measure_times,
    quality_of,
    toy_clips,
)
from lab.fast.scatter import Mark, write_scatter
from lab.weights import load_oracle, load_pipeline
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.types import EXACT, Shortcuts

EXACT_WAY = Variant("exact", 4)
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def pipeline(quick_assets):
    return load_pipeline(quick_assets / "tiny_phantom")


@pytest.fixture(scope="module")
def clips(pipeline):
    return toy_clips(pipeline, 1)[:2]


def test_quality_is_relative_to_the_exact_clips(pipeline, clips):
    judges = load_oracle(ASSETS / "oracle"), ClipTowerFrameEncoder(ASSETS / "tiny_clip")
    exact, calls = make_all(pipeline, clips, EXACT_WAY)
    # Two branches of four steps.
    assert calls == 8
    quality = quality_of(pipeline, judges, clips, exact, exact, calls)
    assert quality.latent_error == 0 and quality.clips == 2 and 0 < quality.joint < 2
    # Two clips with two questions each.
    assert {quality.identity, quality.text} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    kept, calls = make_all(pipeline, clips, Variant("kept", 4, Shortcuts(guided_every=2)))
    assert calls == 6
    assert quality_of(pipeline, judges, clips, kept, exact, calls).latent_error > 0
    assert pipeline.shortcuts == EXACT


def test_a_clip_is_timed_from_prompt_to_frames(pipeline, clips):
    seconds = make_whole(pipeline, clips[0], EXACT_WAY)
    assert 0 < seconds["denoising"] < seconds["clip"]


def test_variants_alternate_and_medians_are_returned():
    seen: list[str] = []

    def run(name: str, values: list[float]):
        def once(number: int) -> dict[str, float]:
            seen.append(name)
            return {"clip": values[number]}

        return once

    medians = measure_times({"a": run("a", [1.0, 9.0, 2.0]), "b": run("b", [4.0, 5.0, 6.0])}, 3)
    assert medians == {"a": {"clip": 2.0}, "b": {"clip": 5.0}}
    # A warm-up of each, then three rounds of both, begun by either.
    assert sorted(seen[:2]) == ["a", "b"] and len(seen) == 8
    assert seen[2:4] != seen[4:6]


def test_the_table_of_magcache_has_a_ratio_per_step(pipeline, clips):
    ratios = mag_ratios(pipeline, clips[:1], EXACT_WAY)
    assert len(ratios) == 4 and ratios[0] == 1.0 and all(0.2 < r < 5 for r in ratios)


def test_a_plot_shows_its_marks(tmp_path):
    marks = [Mark(1.0, 0.0, "exact"), Mark(0.4, 0.1, "fast", True), Mark(0.41, 0.1, "near")]
    write_scatter(marks, tmp_path / "p.html", title="t", x_label="time", y_label="error")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert '"text":["exact","near"]' in page and '"x":[1.0,0.41]' in page
    assert '"text":["fast"]' in page and '"x":[0.4]' in page


def test_one_clip_has_no_joint_to_measure(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "out"), "--fewer", "1"]) == 2
    assert "Choose 2 or more" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_docs_show_the_measured_tables_and_the_choices():
    results = json.loads((DOCS / "fast.json").read_text("utf-8"))
    text = (DOCS / "fast.md").read_text("utf-8")
    for regime in results["regimes"]:
        assert table(regime["rows"]) in text
    tiny, published = (
        next(row for row in regime["rows"] if row["chosen"]) for regime in results["regimes"]
    )
    assert tiny["steps"] == TINY.sampling.num_inference_steps and tiny["clips"] >= 100
    # More steps are not measurably better.
    eight = next(row for row in results["regimes"][0]["rows"] if row["name"] == "8 steps")
    assert eight["identity_change"] < 0.02 and eight["text_change"] < 0.02
    # What --fast promises.
    assert published["shortcuts"] == PHANTOM_1_3B.shortcuts.summary
    assert published["clip_ratio"] < 0.5
    assert abs(published["identity_change"]) < 0.02 and abs(published["text_change"]) < 0.02


def test_simulated_8_bits_round_a_little_and_leave_nothing(pipeline, clips):
    before = dict(pipeline.transformer.attn_processors)
    exact = make_all(pipeline, clips[:1], EXACT_WAY)[0][0]
    rounded = make_all(pipeline, clips[:1], replace(EXACT_WAY, in_8_bits=True))[0][0]
    assert 0 < ((rounded - exact).norm() / exact.norm()).item() < 0.1
    assert pipeline.transformer.attn_processors == before


def test_rounding_keeps_a_scale_for_each_block():
    values = torch.cat([torch.full((1, 1, 64, 4), 127.0), torch.full((1, 1, 10, 4), 0.3)], dim=2)
    assert torch.equal(rounded_to_int8(values, 64), values)
    assert not torch.allclose(rounded_to_int8(values, 128)[:, :, 64:], values[:, :, 64:])
