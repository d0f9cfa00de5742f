from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from procvid.media.image import save_png
from procvid.ui.server.context import AppContext

FEW = {"steps": 2}
"""Few denoising steps, to be quick."""


def test_version_says_what_runs_and_why(client: Client) -> None:
    version = client.predict(api_name="/version")
    assert version["profile"] == "tiny"
    assert version["profile_reason"].startswith("Demo mode: ")
    assert {"generator", "embedder", "detector", "planner"} <= set(version["models"])
    assert version["libraries"]["torch"]


def test_plan_names_objects_and_states(client: Client, recipe: str) -> None:
    plan = client.predict(recipe, api_name="/plan")["plan"]
    assert [step["number"] for step in plan["steps"]] == [1, 2]
    objects = {o["name"]: o for o in plan["steps"][0]["objects"]}
    assert (objects["carrot"]["state_before"], objects["carrot"]["state_after"]) == (
        "whole",
        "sliced",
    )


def test_plan_cuts_steps_into_shots(client: Client) -> None:
    text = "Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it."
    auto, one = (
        client.predict(text, shots=shots, api_name="/plan")["plan"]["steps"]
        for shots in ("auto", "one")
    )
    assert [step["recipe_step"] for step in auto] == [1, 1, 2] and len(one) == 2


def test_plan_warns_of_what_the_tiny_model_cannot_draw(client: Client) -> None:
    plan = client.predict(
        "Soup\n\n1. Boil the pasta in the pot.\n2. Serve the pasta on the plate.", api_name="/plan"
    )
    assert any("pasta" in warning for warning in plan["warnings"])


def test_retrieve_answers_each_step(client: Client, recipe: str) -> None:
    steps = client.predict(recipe, api_name="/retrieve")["steps"]
    assert [step["step"] for step in steps] == [1, 2]
    assert any(step["references"] for step in steps)
    for step in steps:
        assert [r["number"] for r in step["references"]] == list(
            range(1, len(step["references"]) + 1)
        )
        assert all(missing["reason"] for missing in step["missing"])


def test_retrieve_without_memory_has_no_references(client: Client, recipe: str) -> None:
    steps = client.predict(recipe, "none", api_name="/retrieve")["steps"]
    assert [step["references"] for step in steps] == [[], []]


@pytest.fixture(scope="module")
def events(client: Client, recipe: str) -> list[dict[str, Any]]:
    return list(client.submit(recipe, **FEW, api_name="/generate"))


def test_generate_streams_in_the_order_of_the_steps(events: list[dict[str, Any]]) -> None:
    names = [event["event"] for event in events if event["event"] != "warned"]
    one_step = ["conditioned", "progress", "progress", "clip_ready"]
    assert names == ["queued", "run_started", "planned", *one_step * 2, "run_finished"]
    assert [e["step"] for e in events if e["event"] == "clip_ready"] == [1, 2]
    assert len({event["run_id"] for event in events}) == 1


def test_the_last_event_is_the_whole_run(events: list[dict[str, Any]]) -> None:
    last = events[-1]
    assert (last["state"], last["done"], last["num_steps"]) == ("done", 2, 2)
    files = [*last["clips"], last["video"]]
    assert len(files) == 3
    assert all(Path(file).read_bytes()[4:8] == b"ftyp" for file in files)
    assert Path(last["captions"]).read_text().startswith("WEBVTT")
    assert last["plan"]["steps"][0]["number"] == 1


def test_no_event_names_a_folder_of_the_server(
    events: list[dict[str, Any]], context: AppContext
) -> None:
    assert not any(str(context.runs_folder) in str(event) for event in events)


def test_run_finds_the_run_again(client: Client, events: list[dict[str, Any]]) -> None:
    last = events[-1]
    run = client.predict(last["run_id"], api_name="/run")
    assert (run["state"], run["done"], run["duration_s"]) == ("done", 2, last["duration_s"])
    assert Path(run["video"]).read_bytes() == Path(last["video"]).read_bytes()
    assert run["plan"] == last["plan"]
    assert run["warnings"] == last["warnings"]


@pytest.fixture(scope="module")
def runs_of_two(
    new_client: Callable[[], Client], recipe: str, events: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The runs of two clients at once, with seeds 0 and 1."""

    def make(seed: int) -> dict[str, Any]:
        return dict(new_client().predict(recipe, **FEW, seed=seed, api_name="/generate"))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(make, (0, 1)))


def test_two_clients_get_a_run_each(runs_of_two: list[dict[str, Any]]) -> None:
    first, second = runs_of_two
    assert first["run_id"] != second["run_id"]
    assert [first["state"], second["state"]] == ["done", "done"]


def test_the_same_seed_gives_the_same_video(
    runs_of_two: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    again, other = runs_of_two
    first = Path(events[-1]["clips"][0]).read_bytes()
    assert again["run_id"] != events[-1]["run_id"]
    assert Path(again["clips"][0]).read_bytes() == first
    assert Path(other["clips"][0]).read_bytes() != first


@pytest.fixture(scope="module")
def stopped(client: Client, recipe: str) -> list[dict[str, Any]]:
    """The events of a run that is stopped after its first clip."""
    seen = []
    for event in client.submit(recipe, steps=60, api_name="/generate"):
        seen.append(event)
        if event["event"] == "clip_ready":
            answer = client.predict(event["run_id"], api_name="/stop")
            assert answer == {"run_id": event["run_id"], "stopping": True}
    return seen


def test_stop_keeps_the_finished_clips(client: Client, stopped: list[dict[str, Any]]) -> None:
    last = stopped[-1]
    assert (last["event"], last["done"], last["video"]) == ("run_stopped", 1, None)
    run = client.predict(last["run_id"], api_name="/run")
    assert (run["state"], run["done"]) == ("stopped", 1)
    assert Path(run["clips"][0]).read_bytes()[4:8] == b"ftyp"


def test_a_client_that_vanishes_loses_nothing(
    client: Client, recipe: str, context: AppContext
) -> None:
    stream = client.submit(recipe, steps=60, api_name="/generate")
    run_id = next(e for e in stream if e["event"] == "clip_ready")["run_id"]
    stream.cancel()
    # Resuming a run in progress follows it.
    *_, last = client.submit("", run_id=run_id, api_name="/generate")
    assert (last["run_id"], last["state"], last["done"]) == (run_id, "done", 2)
    assert not context.worker.tickets.file(run_id).exists()


def test_a_stopped_run_is_resumed_through_the_api(
    client: Client, stopped: list[dict[str, Any]]
) -> None:
    events = list(client.submit("", run_id=stopped[-1]["run_id"], api_name="/generate"))
    assert [e["step"] for e in events if e["event"] == "clip_ready" and not e["reused"]] == [2]
    assert (events[-1]["state"], events[-1]["done"]) == ("done", 2)


def test_a_step_is_redone_and_names_what_it_made_stale(
    client: Client, runs_of_two: list[dict[str, Any]], tmp_path: Path
) -> None:
    before, _ = runs_of_two
    run_id = before["run_id"]
    picture = tmp_path / "board.png"
    save_png(picture, np.full((48, 64, 3), (150, 90, 40), np.uint8))
    again = list(
        client.submit(
            run_id,
            1,
            seed=5,
            prompt="Close view: a carrot.",
            references=[handle_file(str(picture))],
            shows=["counter"],
            api_name="/regenerate_step",
        )
    )
    names = [event["event"] for event in again if event["event"] != "warned"]
    assert names == [
        "queued", "conditioned", "progress", "progress", "clip_ready", "run_finished",
    ]  # fmt: skip
    conditioned = next(e for e in again if e["event"] == "conditioned")
    assert conditioned["prompt"] == "Close view: a carrot."
    assert conditioned["references"][0]["object"] == "counter"
    assert conditioned["references"][0]["origin"] == "upload"
    last = again[-1]
    assert (last["state"], last["stale"]) == ("stale", [2])
    clips = [Path(clip).read_bytes() for clip in last["clips"]]
    first = [Path(clip).read_bytes() for clip in before["clips"]]
    assert clips[0] != first[0] and clips[1:] == first[1:]
    scores = client.predict(run_ids=[run_id], metrics=["step_retrieval"], api_name="/evaluate")
    assert scores["event"] == "evaluation_finished"
    mended = client.predict("", run_id=run_id, api_name="/generate")
    assert (mended["state"], mended["stale"]) == ("done", [])


@pytest.mark.parametrize(
    "options",
    [
        {"step": 0},
        {"step": 4},
        {"step": "two"},
        {"step": None},
        {"seed": -1},
        {"seed": "x"},
        {"prompt": " "},
        {"prompt": "x" * 2001},
        {"prompt": 5},
        {"shows": "pan"},
        {"shows": [1]},
        {"banned": {"a": 1}},
        {"chosen": ["pan"]},
        {"chosen": {"pan": 5}},
        {"takes": 0},
        {"takes": 9},
        {"takes": "x"},
        {"left_out": "pan"},
        {"left_out": ["wok"]},
        {"strengths": ["pan"]},
        {"strengths": {"frying pan": True}},
        {"strengths": {"frying pan": 1.5}},
        {"strengths": {"wok": 0.5}},
        {"references": "x"},
    ],
    ids=str,
)
def test_a_bad_wish_for_a_step_is_refused_in_a_sentence(
    events: list[dict[str, Any]], address: str, options: dict[str, Any]
) -> None:
    run_id = events[-1]["run_id"]
    order = ["seed", "prompt", "references", "shows", "banned", "chosen", "takes", "left_out",
             "strengths"]  # fmt: skip
    given = {"takes": 1, **options}
    data = [run_id, options.get("step", 1), *(given.get(name) for name in order)]
    assert_sentence(refused(address, "regenerate_step", data))


@pytest.mark.parametrize("path", ["/etc/passwd", "a\x00b", ".."])
def test_no_file_of_the_server_is_taken_for_an_upload(
    events: list[dict[str, Any]], address: str, path: str
) -> None:
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    run_id = events[-1]["run_id"]
    message = refused(
        address, "regenerate_step", [run_id, 1, None, None, [file], None, None, None, 1, None]
    )
    # Gradio refuses it before procvid is called, without a message.
    assert message == "None"


def refused(address: str, name: str, data: list[Any]) -> str:
    """Return the error of a raw call, past all checks of the client."""
    began = httpx.post(f"{address}gradio_api/call/{name}", json={"data": data}, timeout=20)
    if began.status_code != 200:
        return str(began.json()["detail"])
    url = f"{address}gradio_api/call/{name}/{began.json()['event_id']}"
    lines = httpx.get(url, timeout=60).text.splitlines()
    assert "event: error" in lines, lines[-4:]
    error = json.loads(lines[lines.index("event: error") + 1].removeprefix("data: "))
    return str(error["error"] if isinstance(error, dict) else error)


BAD_RECIPES = {
    "empty": "",
    "blank": " \n\t\n",
    "one word": "carrots",
    "one line that tells nothing to do": "My grandmother's favourite",
    "sixty steps": "Long\n\n" + "\n".join(f"{n}. Slice the carrot." for n in range(1, 61)),
    "non-English": "Omelett\n\n1. Die Karotten in feine Scheiben schneiden.\n2. Eier verquirlen.",
    "emoji": "🥕🍳🥕\n🍳🍳",
    "control characters": "\x00\x01\x02\x07\n\x1b[31m\x08",
    "a megabyte": "Slice the carrot. " * 60_000,
    "JSON that is no recipe": '{"name": "x", "price": 3, "list": [1, 2]}',
    "broken JSON": '{"name": "x", "recipeInstructions": [',
    "null": None,
    "a number": 5,
    "a list": ["Slice the carrot."],
}


@pytest.mark.parametrize("endpoint", ["/plan", "/generate"])
@pytest.mark.parametrize("name", BAD_RECIPES)
def test_a_bad_recipe_is_refused_in_a_sentence(client: Client, name: str, endpoint: str) -> None:
    with pytest.raises(AppError) as error:
        client.predict(BAD_RECIPES[name], api_name=endpoint)
    assert_sentence(str(error.value))
    assert client.predict(api_name="/version")["profile"] == "tiny"


def test_html_in_a_recipe_is_harmless(client: Client) -> None:
    text = "<b>Salad</b>\n\n1. Slice the <script>alert(1)</script> tomato.\n2. Serve it."
    try:
        plan = client.predict(text, api_name="/plan")["plan"]
    except AppError as error:
        assert_sentence(str(error))
    else:
        assert plan["steps"]


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 2**70},
        {"seed": "soup"},
        {"seed": 0.5},
        {"seed": True},
        {"memory": "/etc"},
        {"memory": "../default"},
        {"memory": 5},
        {"memory": "x" * 300},
        {"steps": 0},
        {"steps": 10**6},
        {"steps": "many"},
        {"takes": 0},
        {"takes": 100},
        {"takes": "two"},
        {"verify": "yes"},
    ],
    ids=str,
)
def test_a_bad_option_is_refused_in_a_sentence(
    client: Client, recipe: str, options: dict[str, Any]
) -> None:
    with pytest.raises(AppError) as error:
        client.predict(recipe, **options, api_name="/generate")
    assert_sentence(str(error.value))


@pytest.mark.parametrize("endpoint", ["/run", "/stop"])
@pytest.mark.parametrize(
    "run_id", ["", "..", "../../etc/passwd", "0" * 16, "0" * 15, "A" * 16, 5, None, ["a"]], ids=str
)
def test_a_bad_run_id_is_refused_in_a_sentence(
    client: Client, endpoint: str, run_id: object
) -> None:
    with pytest.raises(AppError) as error:
        client.predict(run_id, api_name=endpoint)
    assert_sentence(str(error.value))
    assert "run" in str(error.value)


def assert_sentence(message: str) -> None:
    assert message.rstrip("'\"")[-1] in ".…", message
    assert "\n" not in message
    assert len(message) <= 400
    for word in ("Traceback", "procvid/", "/work", "inside procvid"):
        assert word not in message


def test_a_profile_without_a_fast_mode_refuses_it(client: Client, recipe: str) -> None:
    with pytest.raises(AppError, match=r"The tiny profile has no fast mode\. Omit fast\."):
        client.predict(recipe, fast=True, api_name="/generate")


def test_fast_is_yes_or_no(client: Client, recipe: str) -> None:
    with pytest.raises(AppError, match="not true or false"):
        client.predict(recipe, fast="maybe", api_name="/generate")
