"""A full disk, many clients, uploaded pages, and a program from plan to scores."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import without_folders
from tests.disk import files_no_larger_than

PAGE = """<!doctype html><html><head><title>Nan's carrots</title><script>track("</nothing>")</script>
<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
 {"@type": "WebSite", "name": "Nan cooks"},
 {"@type": ["Recipe"], "name": "Fried carrots", "recipeIngredient": ["2 carrots"],
  "recipeInstructions": [{"@type": "HowToSection", "itemListElement": [
   {"@type": "HowToStep", "text": "<p>Slice the carrots on the cutting board.</p>"},
   {"@type": "HowToStep", "text": "Fry the carrots in the frying pan."}]}]}]}</script></head>
<body><h1>Buy my book</h1><p>Twelve paragraphs about a grandmother.</p></body></html>"""


def test_a_disk_that_takes_no_more_costs_one_sentence(
    client: Client, recipe: str, context: AppContext
) -> None:
    made = client.predict(recipe, steps=1, api_name="/generate")
    run_id = made["run_id"]
    folder = context.existing_folder_of(run_id)
    before = {f: f.read_bytes() for f in sorted(folder.rglob("*.mp4"))}
    # Tickets fit, clips do not.
    half = min(len(data) for data in before.values()) // 2
    with files_no_larger_than(half), pytest.raises(AppError) as refused:
        client.predict(run_id, 1, seed=5, api_name="/regenerate_step")
    run = client.predict(run_id, api_name="/run")
    assert "Cannot write clip.mp4: the file is larger" in str(refused.value)
    assert str(context.runs_folder) not in str(refused.value)
    assert (run["state"], run["done"]) == ("done", 2)
    assert {f: f.read_bytes() for f in before} == before
    assert not [f for f in folder.rglob("*") if ".tmp" in f.name]
    again = client.predict(run_id, 1, seed=5, api_name="/regenerate_step")
    assert again["done"] == 2 and (folder / "steps/01/clip.mp4").read_bytes() not in before.values()


def test_a_sentence_names_no_folder_of_the_server() -> None:
    message = without_folders(
        "Cannot write /srv/runs/0a/clip.mp4: see https://x.org/a/b and '/a/b/c'."
    )
    assert message == "Cannot write clip.mp4: see https://x.org/a/b and 'c'."


def test_a_saved_recipe_page_is_uploaded_and_read(
    app: Any, address: str, tmp_path: Path, client: Client
) -> None:
    sent = httpx.post(
        f"{address}gradio_api/upload",
        files={"files": ("carrots.html", PAGE.encode(), "text/html")},
        timeout=30,
    )
    file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    text, *_ = pressed(app, address, "restore", [file])
    plan = client.predict(text, api_name="/plan")["plan"]
    assert plan["title"] == "Fried carrots"
    assert [step["text"] for step in plan["steps"]] == [
        "Slice the carrots on the cutting board.",
        "Fry the carrots in the frying pan.",
    ]


def pressed(app: Any, address: str, name: str, data: list[Any]) -> list[Any]:
    """Return the answer of a page event over the wire, as a browser gets it."""
    number = next(key for key, fn in app.fns.items() if fn.name == name)
    session = "0123456789"
    body = {"data": data, "fn_index": number, "session_hash": session}
    httpx.post(f"{address}gradio_api/queue/join", json=body, timeout=30).raise_for_status()
    url = f"{address}gradio_api/queue/data"
    with httpx.stream("GET", url, params={"session_hash": session}, timeout=60) as answer:
        for line in answer.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if event.get("msg") == "process_completed":
                assert event["success"], event
                return list(event["output"]["data"])
    raise AssertionError("the stream ended without an answer")


@pytest.mark.slow
def test_a_full_queue_of_runs_is_made_to_the_last(
    new_client: Callable[[], Client], recipe: str
) -> None:
    client = new_client()
    jobs = [client.submit(recipe, steps=1, seed=n, api_name="/generate") for n in range(20)]
    last = [job.result(timeout=600) for job in jobs]
    assert [run["state"] for run in last] == ["done"] * 20
    assert len({run["run_id"] for run in last}) == 20


@pytest.mark.slow
def test_fifty_clients_at_once_get_an_answer_or_a_sentence(
    new_client: Callable[[], Client], recipe: str
) -> None:
    clients = [new_client() for _ in range(5)]

    def ask(number: int) -> str:
        try:
            run = clients[number % 5].predict(recipe, steps=1, api_name="/generate")
            return str(run["state"])
        except AppError as error:
            return str(error)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert answers.count("done") >= 20
    assert all(a == "done" or "The queue is full" in a for a in answers), set(answers)


@pytest.mark.slow
def test_a_program_from_plan_to_scores(served: Any, recipe: str, project: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(project)}
    with served([sys.executable, "app.py"], project, environment) as address:
        client = Client(address, verbose=False, analytics_enabled=False)
        plan = client.predict(recipe, api_name="/plan")["plan"]
        found = client.predict(recipe, api_name="/retrieve")["steps"]
        assert [s["step"] for s in found] == [s["number"] for s in plan["steps"]] == [1, 2]
        events = list(client.submit(recipe, steps=4, api_name="/generate"))
        names = [e["event"] for e in events if e["event"] not in ("warned", "queued")]
        one_step = ["conditioned", *["progress"] * 4, "clip_ready"]
        assert names == ["run_started", "planned", *one_step * 2, "run_finished"]
        denoised = [(e["step"], e["done"]) for e in events if e["event"] == "progress"]
        assert denoised == [(step, done) for step in (1, 2) for done in (1, 2, 3, 4)]
        whole = events[-1]
        assert (whole["state"], whole["progress"], len(whole["clips"])) == ("done", 1.0, 2)
        again = client.predict(whole["run_id"], 1, seed=7, api_name="/regenerate_step")
        assert again["clips"][1:] and set(again["stale"]) <= {2}
        mended = client.predict("", run_id=whole["run_id"], api_name="/generate")
        assert (mended["state"], mended["stale"]) == ("done", [])
        scores = client.predict([whole["run_id"]], metrics=["dino_l2"], api_name="/evaluate")
        assert scores["event"] == "evaluation_finished"
        assert Path(scores["files"]["report"]).read_text().lower().startswith("<!doctype html")
