"""`/memories` as a program asks it; the first test is the example of docs/memory.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from procvid.errors import InputError
from procvid.memory import edit
from procvid.ui.server.context import AppContext
from procvid.ui.server.memories import change, folder_of
from tests.default_store import CROPS

OWN = "ab" * 8


def test_a_program_looks_through_a_memory(client: Client) -> None:
    listed = client.predict(api_name="/memories")
    assert listed["memories"] == [{"name": "default", "crops": CROPS, "why_not": ""}]
    assert (listed["memory"], listed["crops"]) == (None, [])

    answer = client.predict("default", query="sliced carrot", limit=3, api_name="/memories")
    best = answer["crops"][0]
    assert (best["name"], best["state"], best["licence"]) == ("carrot", "sliced", "Apache-2.0")
    assert best["source_id"].startswith("toykitchen/") and "url" in best
    assert best["score"] == best["parts"]["clip"] > 0.9 and {"shown", "told"} < set(best["parts"])
    scores = [crop["score"] for crop in answer["crops"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True) and answer["reason"] == ""

    nothing = client.predict("default", query="zebra spaceship", api_name="/memories")
    assert (nothing["crops"], nothing["total"]) == ([], 0)
    assert nothing["reason"].startswith("Nothing found for 'zebra spaceship'. The nearest image is")


def test_objects_and_states_and_pages(client: Client) -> None:
    answer = client.predict("default", limit=100, api_name="/memories")
    assert (
        answer["memory"]["calibrated"]
        and answer["memory"]["with_pictures"] == answer["total"] == CROPS
    )
    assert sum(sum(each["states"].values()) for each in answer["objects"]) == CROPS
    pages = [
        client.predict("default", "carrot", limit=5, page=page, api_name="/memories")
        for page in range(1, 9)
    ]
    ids = [crop["id"] for page in pages for crop in page["crops"]]
    carrot = next(each for each in answer["objects"] if each["name"] == "carrot")
    assert len(set(ids)) == len(ids) == pages[0]["total"] == sum(carrot["states"].values())
    assert pages[0]["crops"][0]["score"] is None and not pages[0]["crops"][0]["parts"]
    only = client.predict("default", "carrot", "diced", "carrot", api_name="/memories")
    assert {(crop["name"], crop["state"]) for crop in only["crops"]} == {("carrot", "diced")}


def test_an_own_memory_is_seen_by_its_id_alone(client: Client, context: AppContext) -> None:
    def ban(store: Any, _: Any) -> Any:
        return edit.ban(store, [store.crops.facts[0].id])

    store = change(context, OWN, ban)
    answer = client.predict(OWN, limit=1, api_name="/memories")
    assert (answer["memory"]["name"], answer["memory"]["banned"], answer["memory"]["edits"]) == (
        "own",
        1,
        1,
    )
    assert answer["crops"][0]["id"] == store.crops.facts[0].id and answer["crops"][0]["banned"]
    answers = str([answer, client.predict(api_name="/memories")])
    assert OWN not in answers and str(context.runs_folder) not in answers
    assert str(Path(__file__).parents[2]) not in answers


def test_a_refused_first_change_leaves_no_copy(context: AppContext) -> None:
    folder = folder_of(context.runs_folder, "ef" * 8)
    with pytest.raises(InputError):
        change(context, "ef" * 8, lambda store, _: edit.ban(store, ["nobody"]))
    assert not folder.exists()
    assert not [path for path in folder.parent.glob("*") if "ef" * 8 in path.name]


def test_it_only_reads(client: Client, context: AppContext) -> None:
    folder = folder_of(context.runs_folder, "cd" * 8)
    with pytest.raises(AppError, match="no memory"):
        client.predict("cd" * 8, query="carrot", api_name="/memories")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"memory": "none"}, "no memory 'none'"),
        ({"memory": "../../etc"}, "no memory"),
        ({"memory": ["default"]}, "is not text"),
        ({"memory": "default", "object_name": "unicorn"}, "has no 'unicorn'. Its objects are"),
        ({"memory": "default", "object_name": "carrot", "state": "flying"}, "Its states are"),
        ({"memory": "default", "query": 5}, "is not text"),
        ({"memory": "default", "query": "x" * 401}, "401 characters"),
        ({"memory": "default", "limit": 0}, "from 1 to 100"),
        ({"memory": "default", "limit": "many"}, "from 1 to 100"),
        ({"memory": "default", "page": 10**9}, "from 1 to 100,000"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_a_sentence(
    client: Client, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(AppError) as error:
        client.predict(**wrong, api_name="/memories")
    message = str(error.value)
    assert says in message and "\n" not in message and len(message) <= 400
