"""The evaluation with the real tiny backbones, on rendered clips."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import UnavailableError
from procvid.evaluate import metrics as package
from procvid.evaluate.cache import VectorCache
from procvid.evaluate.events import ClipRead, EvaluationFinished, MetricDone
from procvid.evaluate.evidence import FRAMES
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.metrics import DEFAULT, METRICS, title_of
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.report import write_scores
from procvid.evaluate.result import Result
from procvid.evaluate.scores import read_scores, scores_csv
from procvid.evaluate.suite import evaluate
from procvid.settings import TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import ModelInfo, Recipe
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring


@pytest.fixture(scope="module")
def parts() -> EvaluationParts:
    return wiring_evaluation.build_evaluation(TINY)


@pytest.fixture(scope="module")
def toy() -> RunInput:
    """The first three steps of a held-out toy recipe, as rendered."""
    toy = random_recipe(HELD_OUT + 1)
    steps = tuple(step.text for step in toy.steps[:3])
    clips = tuple(ClipInput(n, frames=toy.render(n).frames, fps=6) for n in (1, 2, 3))
    recipe = Recipe("Toy <b>dish</b>", steps)
    return RunInput("toy", clips, recipe, wiring.build_planner("rules").plan(recipe))


@pytest.fixture(scope="module")
def cache() -> EvidenceCache:
    return EvidenceCache()


@pytest.fixture(scope="module")
def finished(parts, toy, cache) -> EvaluationFinished:
    *events, last = evaluate([toy], parts, cache=cache)
    assert [e.number for e in events if isinstance(e, ClipRead)] == [1, 2, 3]
    assert [e.result.metric for e in events if isinstance(e, MetricDone)] == list(DEFAULT)
    return last


def test_every_backbone_of_the_tiny_profile_is_available(parts):
    assert parts.missing == {} and len(parts.backbones()) == 6


def test_every_metric_has_a_value_or_a_reason(finished):
    for metric in finished.scores["runs"][0]["metrics"].values():
        assert (metric["value"] is None) == (metric["state"] != "ok")
        if metric["state"] == "ok":
            assert metric["n"] > 0 and metric["backbone"]
        again = Result.from_json(metric)
        assert again.to_json() == metric


def test_the_tiny_step_clip_is_better_than_chance(finished):
    metric = finished.scores["runs"][0]["metrics"]["step_retrieval"]
    assert metric["parts"]["share"] > 2 * metric["chance"]


def test_the_report_loads_nothing_and_escapes(finished, tmp_path):
    write_scores(tmp_path, finished.scores)
    html = (tmp_path / "report.html").read_text()
    body = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", body)
    assert not re.search(r"""<script[^>]+src=""", html)
    assert "Toy &lt;b&gt;dish&lt;/b&gt;" in body and "<b>dish</b>" not in body
    assert body.count("<img ") == 4 and "chance" in html.lower()
    assert read_scores(tmp_path / "scores.json") == json.loads(json.dumps(finished.scores))


def test_the_table_has_a_line_for_every_item(finished):
    rows = list(csv.DictReader(io.StringIO(scores_csv(finished.scores))))
    metrics = finished.scores["runs"][0]["metrics"]
    assert len(rows) == sum(1 + len(metric["items"]) for metric in metrics.values())
    assert {row["metric"] for row in rows} == set(DEFAULT)


def test_a_cached_clip_is_not_read_again(parts, toy, cache, finished, monkeypatch):
    def never(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("procvid.evaluate.gather.sample", never)
    *_, last = evaluate([toy], parts, cache=cache)
    assert last.scores["runs"] == finished.scores["runs"]


def test_a_backbone_that_fails_makes_only_its_metrics_unavailable(parts, toy):
    class Broken:
        info = parts.frame_encoder.info

        def embed_frames(self, images):
            raise UnavailableError("The weights are gone.")

    chosen = ["dino_l2", "joint_ratio", "copy_paste", "step_consistency"]
    broken = replace(parts, frame_encoder=Broken())
    *_, last = evaluate([replace(toy, clips=toy.clips[:2])], broken, chosen)
    metrics = last.scores["runs"][0]["metrics"]
    for name in chosen:
        gone = FRAMES in METRICS[name].needs
        assert metrics[name]["state"].startswith("unavailable: The weights are gone.") == gone


ODD: dict[str, Callable[[], list[np.ndarray]]] = {
    "black": lambda: [np.zeros((4, 64, 64, 3), np.uint8)] * 2,
    "one frame": lambda: [np.full((1, 64, 64, 3), 90, np.uint8)] * 2,
    "sizes": lambda: [np.full((3, 48, 80, 3), 90, np.uint8), np.full((5, 20, 10, 3), 9, np.uint8)],
}


@pytest.fixture(scope="module")
def odd(parts) -> dict[str, dict]:
    """The metrics of every kind of odd clips, by kind."""
    recipe = Recipe("Odd", ("Slice the carrot on the board.", "Fry the carrot in the pan."))
    plan = wiring.build_planner("rules").plan(recipe)
    runs = [
        RunInput(
            kind,
            tuple(ClipInput(n, frames=f, fps=6) for n, f in enumerate(draw(), start=1)),
            recipe,
            plan,
        )
        for kind, draw in ODD.items()
    ]
    # Without the check of what the models know, which refuses most of these clips.
    *_, last = evaluate(runs, replace(parts, world=None))
    return {run["name"]: run["metrics"] for run in last.scores["runs"]}


@pytest.mark.parametrize("kind", ODD)
def test_odd_clips_are_measured_and_do_not_win(kind, odd):
    metrics = odd[kind]
    assert metrics["joint_ratio"]["value"] == 25.0
    assert metrics["step_retrieval"]["value"] == 0.0
    assert metrics["object_fidelity"]["value"] is None


def test_one_clip_has_no_joint(parts, toy):
    *_, last = evaluate([replace(toy, clips=toy.clips[:1])], parts, ["dino_l2", "shot_boundary"])
    for metric in last.scores["runs"][0]["metrics"].values():
        assert metric["value"] is None and metric["state"].startswith(
            "not applicable: there are no"
        )


def test_every_file_of_the_package_is_one_metric_named_after_it():
    files = {file.stem for file in Path(package.__file__).parent.glob("[!_]*.py")}
    assert set(METRICS) == files
    assert DEFAULT[:5] == (
        "dino_l2", "shot_boundary", "step_consistency", "goal_consistency", "object_state"
    ), "the columns of the paper's Table 1"  # fmt: skip
    places = [(metric.group, metric.order) for metric in METRICS.values()]
    assert len(set(places)) == len(places), "two metrics have the same position"
    assert title_of("dino_l2") == "DINO L2 at joints" and title_of("unknown") == "unknown"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_card(name):
    card = sys.modules[METRICS[name].__module__].__doc__
    assert card.startswith(f"`{name}`: ")
    for heading in ("What:", "Range:", "Direction:", "Backbone:", "Blind spots:", "Source:"):
        assert f"\n{heading}" in card, heading
    assert f"Direction: {METRICS[name].direction} is better" in card
    assert METRICS[name].title


def test_vectors_do_not_depend_on_earlier_requests():
    """A model rounds differently with other inputs in its batch, so a batch is never a part."""
    batches = []

    def embed(texts):
        batches.append(list(texts))
        return np.array([[len(texts), len(text)] for text in texts], np.float32)

    info, cache = ModelInfo(id="m", revision="1"), VectorCache(max_vectors=5)
    first = cache.text_vectors(info, ["a", "bb", "a"], embed)
    assert first.tolist() == [[2, 1], [2, 2], [2, 1]] and batches == [["a", "bb"]]
    assert cache.text_vectors(info, ["bb", "ccc"], embed).tolist() == [[2, 2], [2, 3]]
    assert cache.text_vectors(info, ["a", "bb", "a"], embed).tolist() == first.tolist()
    assert len(batches) == 2 and (cache.hits, cache.misses) == (1, 2)
    cache.text_vectors(info, ["d", "e"], embed)
    cache.text_vectors(info, ["a", "bb"], embed)
    assert len(batches) == 4, "the oldest request was dropped"
