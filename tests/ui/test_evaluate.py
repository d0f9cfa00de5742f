"""The Evaluate page and the endpoint /evaluate, on clips of the toy kitchen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from procvid.evaluate.result import MetricItem, Result, from_items
from procvid.media.video import write_clip
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.ui.pages.evaluate.markup import score_rows
from procvid.ui.pages.evaluate.picker import pressed
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import EvaluationView
from tests.ui.events import Events, events_of

FEW = ["dino_l2", "step_retrieval"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, toy = tmp_path_factory.mktemp("clips"), random_recipe(HELD_OUT + 3)
    for number in (1, 2):
        write_clip(folder / f"{number}.mp4", toy.render(number).frames, 6, scale=4)
    return [folder / "1.mp4", folder / "2.mp4"]


@pytest.fixture(scope="module")
def texts() -> str:
    return "\n".join(step.text for step in random_recipe(HELD_OUT + 3).steps[:2])


@pytest.fixture(scope="module")
def on(app: Any) -> Events:
    return events_of(app)


def test_uploaded_clips_are_measured_and_the_files_come_back(
    client: Client, clips: list[Path], texts: str
) -> None:
    job = client.submit(
        clips=[handle_file(str(c)) for c in clips], texts=texts, metrics=FEW, api_name="/evaluate"
    )
    events = list(job)
    names = [event["event"] for event in events]
    assert names[0] == "evaluation_started" and names[-1] == "evaluation_finished"
    assert [e["metric"] for e in events if e["event"] == "metric_done"] == FEW
    last = events[-1]
    assert set(last["files"]) == {"scores", "table", "report"}
    assert json.loads(Path(last["files"]["scores"]).read_text())["runs"] == last["scores"]["runs"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "No clip"),
        ({"run_ids": ["../../etc"]}, "16 characters of 0-9 and a-f"),
        ({"run_ids": ["0" * 16]}, "no run"),
        ({"run_ids": "x"}, "are not a list"),
        ({"run_ids": [["x"]]}, "not text"),
        ({"clips": [{"path": "/etc/passwd"}]}, "not uploaded to this server"),
        ({"clips": ["/etc/passwd"]}, "not uploaded to this server"),
        ({"clips": [3]}, "not an uploaded file"),
        ({"backbones": "large"}, "Choose one of auto, tiny, published"),
        ({"metrics": ["psnr"], "run_ids": ["0" * 16]}, "no run"),
    ],
)
def test_what_is_wrong_is_one_sentence(client: Client, given: dict[str, Any], said: str) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(**given, api_name="/evaluate")


def test_each_row_goes_from_waiting_to_its_value(
    on: Events, clips: list[Path], texts: str, context: AppContext
) -> None:
    folder = Path(get_upload_folder()) / "procvid-test"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for clip in clips:
        (folder / clip.name).write_bytes(clip.read_bytes())
        files.append(str(folder / clip.name))
    shown = list(on["score"]([], files, texts, FEW, "auto"))
    assert "waiting" in shown[0][0] and "running…" in shown[2][0]
    rows, report, *_ = shown[-1]
    assert "waiting" not in rows and "running" not in rows and "Done: 2 metrics on 1 video." in rows
    assert Path(report.value["path"] if isinstance(report.value, dict) else report.value).is_file()
    assert (context.runs_folder / "evaluations").is_dir()


def test_the_tab_says_what_is_missing(on: Events) -> None:
    with pytest.raises(gr.Error, match="No clip was given"):
        list(on["score"]([], None, "", FEW, "auto"))
    with pytest.raises(gr.Error, match="16 characters of 0-9 and a-f"):
        list(on["score"](["nonsense"], None, "", FEW, "auto"))
    empty, both, known, chosen, _ = on["list_runs"](["nonsense", 3], 0, "x", "y", [], 8)
    assert "No videos yet" in empty and (both, known, chosen) == ("", [], [])


def test_at_most_two_videos_are_chosen() -> None:
    chosen: list[str] = []
    for run_id in ("a", "b", "c", "a"):
        chosen = pressed(chosen, run_id)
    assert chosen == ["c"]


def test_columns_have_titles_and_only_a_clear_difference_is_marked() -> None:
    def scored(values: list[float], memory: str) -> dict[str, Any]:
        items = tuple(MetricItem(f"joint {n}", value) for n, value in enumerate(values))
        result = from_items("dino_l2", "lower", items, backbone="b")
        clip = {"text": "Fry.", "known": True, "frozen": False}
        return {
            "name": f"Soup, {memory}", "settings": {"memory": memory}, "clips": [clip],
            "metrics": {"dino_l2": result.to_json()},
        }  # fmt: skip

    def rows(one: list[float], other: list[float]) -> str:
        runs = [scored(one, "none"), scored(other, "default")]
        view = EvaluationView(("dino_l2",), tuple(run["name"] for run in runs))
        view.scores = {"runs": runs}
        view.results = {
            (run["name"], "dino_l2"): Result.from_json(run["metrics"]["dino_l2"]) for run in runs
        }
        return score_rows(view)

    clear = rows([0.9, 1.0, 0.8, 0.9], [0.4, 0.5, 0.4, 0.4])
    assert "With memory is better in 1 of 1 metric that applies to both, worse in none" in clear
    assert clear.count(">better<") == 1 and "<b>0.425</b>" in clear and "Soup, none" in clear
    noisy = rows([0.9, 1.0, 0.8, 0.9], [0.1, 1.6, 0.2, 0.4])
    assert "No clear difference" in noisy and ">better<" not in noisy
    assert ">better<" not in rows([0.9], [0.4]), "one pair says nothing"
