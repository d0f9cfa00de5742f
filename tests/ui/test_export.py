"""The endpoint /export: films of finished runs, by name, within limits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from procvid.errors import BusyError, ProcvidError
from procvid.run.film.settings import FilmSettings
from procvid.ui.server.clearing import Retention, clear
from procvid.ui.server.context import AppContext
from procvid.ui.server.film import export_film
from procvid.ui.server.visitors import LIMITS, LOCAL, Visitor
from tests.run.film.conftest import make_run

RUN_ID = "feedfacecafe0022"


@pytest.fixture(scope="module")
def finished(context: AppContext) -> Path:
    return make_run(context.runs_folder / RUN_ID)


def test_an_export_is_named_after_the_recipe(client: Client, finished: Path) -> None:
    made: dict[str, Any] = client.predict(RUN_ID, format="webp", step=2, api_name="/export")
    assert made["name"] == "carrot-omelette-2.webp" and Path(made["file"]).name == made["name"]
    assert made["marks"] == ["visible", "metadata"] and made["captions"] is None
    assert made["duration_s"] == pytest.approx(17 / 8, abs=0.001)


@pytest.mark.parametrize(
    "wrong",
    [
        {"run_id": "../x"},
        {"run_id": "0" * 16},
        {"format": "exe"},
        {"format": "gif"},
        {"step": 9},
        {"voice": "/bin/sh"},
        {"vertical": []},
        {"visible_mark": 0},
    ],
)
def test_wrong_requests_get_a_sentence(
    wrong: dict[str, Any], client: Client, finished: Path, context: AppContext
) -> None:
    with pytest.raises(AppError) as error:
        client.predict(**{"run_id": RUN_ID, **wrong}, api_name="/export")
    assert str(context.runs_folder) not in str(error.value)
    assert "Unexpected" not in str(error.value) and "inside procvid" not in str(error.value)


def test_a_server_that_signs_films_makes_recipe_cards_too(
    context: AppContext, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCVID_CREDENTIALS_CERT", "none.pem")
    monkeypatch.setenv("PROCVID_CREDENTIALS_KEY", "none.key")
    made = export_film(context, RUN_ID, FilmSettings(format="html"), LOCAL)
    assert made.marks == ("visible", "metadata")
    with pytest.raises(ProcvidError, match="cannot be read"):
        export_film(context, RUN_ID, FilmSettings(format="gif", step=1), LOCAL)


def test_visitors_have_a_limit_and_no_paid_voice(context: AppContext, finished: Path) -> None:
    visitor = Visitor("far", is_local=False)
    with pytest.raises(ProcvidError, match="no speech service"):
        export_film(context, RUN_ID, FilmSettings(voice="openai"), visitor)
    most, _ = LIMITS["exports"]
    for _ in range(most):
        context.allowance.spend(visitor, "exports")
    with pytest.raises(BusyError):
        export_film(context, RUN_ID, FilmSettings(format="html"), visitor)


def test_a_deleted_run_takes_its_exports_along(context: AppContext, finished: Path) -> None:
    made = export_film(context, RUN_ID, FilmSettings(format="html"), LOCAL)
    assert made.path.is_relative_to(context.runs_folder) and made.path.is_file()
    elsewhere = context.runs_folder / "elsewhere"
    for place in (RUN_ID, f"exports/{RUN_ID}"):
        shutil.copytree(context.runs_folder / place, elsewhere / place)
    assert clear(elsewhere, Retention(gb=1e-9), context.worker) == [RUN_ID]
    assert not any((elsewhere / "exports").iterdir())
