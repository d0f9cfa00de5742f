"""The schema of the endpoints; after a change run `python tests/ui/test_api_schema.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from procvid.ui.app import build_app
from procvid.ui.server.context import open_context

GOLDEN = Path(__file__).with_name("api_schema.json")


def schema(app: Any) -> dict[str, Any]:
    return dict(app.get_api_info())


def test_the_schema_is_the_golden_copy(app: Any) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert schema(app) == golden, "if this is meant, run `python tests/ui/test_api_schema.py`"
    assert {"/version", "/plan", "/generate", "/evaluate"} <= set(golden["named_endpoints"])


def test_events_of_the_page_are_private(app: Any) -> None:
    assert not schema(app)["unnamed_endpoints"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(open_context(Path(folder), runs_folder=Path(folder)))
    GOLDEN.write_text(json.dumps(schema(app), indent=2) + "\n", encoding="utf-8")
