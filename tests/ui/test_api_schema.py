"""The schema of the endpoints; after a change run `python tests/ui/test_api_schema.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from pydantic import TypeAdapter

from procvid.ui.api.answers import Memories, PlanAnswer, RetrieveAnswer, RunState, Version
from procvid.ui.app import build_app
from procvid.ui.server.context import open_context
from procvid.ui.server.stream import RunView, run_json

RECIPE = "Carrots\n\n1. Slice the carrot on the cutting board.\n2. Fry it in the frying pan."
GOLDEN = Path(__file__).with_name("api_schema.json")


def schema(app: Any) -> dict[str, Any]:
    return dict(app.get_api_info())


def test_the_schema_is_the_golden_copy(app: Any) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert schema(app) == golden, "if this is meant, run `python tests/ui/test_api_schema.py`"
    assert {"/version", "/plan", "/generate", "/evaluate"} <= set(golden["named_endpoints"])


def test_events_of_the_page_are_private(app: Any) -> None:
    assert not schema(app)["unnamed_endpoints"]


@pytest.mark.parametrize(
    ("name", "answer", "arguments"),
    [
        ("/version", Version, {}),
        ("/plan", PlanAnswer, {"recipe": RECIPE}),
        ("/retrieve", RetrieveAnswer, {"recipe": RECIPE}),
        ("/memories", Memories, {}),
        ("/memories", Memories, {"memory": "default", "query": "sliced carrot", "limit": 3}),
    ],
)
def test_an_answer_is_what_its_type_says(
    client: Client, name: str, answer: type, arguments: dict[str, Any]
) -> None:
    given = client.predict(**arguments, api_name=name)
    kind = TypeAdapter(answer)
    # A key that the type lacks would be gone afterwards.
    assert kind.dump_python(kind.validate_python(given), mode="json") == given


def test_a_run_is_what_its_type_says(tmp_path: Path) -> None:
    given = run_json(RunView("0" * 16, tmp_path, video=tmp_path / "video.mp4"))
    kind = TypeAdapter(RunState)
    assert kind.dump_python(kind.validate_python(given), mode="json") == given


def test_every_endpoint_is_described(client: Client) -> None:
    endpoints = json.loads(GOLDEN.read_text(encoding="utf-8"))["named_endpoints"]
    for name, endpoint in endpoints.items():
        assert endpoint["description"].count(". ") == 0, f"{name}: one sentence"
        (answer,) = endpoint["returns"]
        assert answer["python_type"]["type"].startswith("dict("), name
        assert answer["python_type"]["description"].startswith(answer["type"]["title"]), name
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["description"], (name, parameter["parameter_name"])
    shown = client.view_api(print_info=False, return_format="str")
    assert "PlanAnswer: A plan with its warnings." in shown and "(StepPlan)" in shown
    assert "seed: int | None (not required" in shown
    assert "None | int" not in shown and ": Any" not in shown


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(open_context(Path(folder), runs_folder=Path(folder)))
    GOLDEN.write_text(json.dumps(schema(app), indent=2) + "\n", encoding="utf-8")
