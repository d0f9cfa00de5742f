"""The real app on a free port, served once for all tests of the page and its endpoints.

Clips are faint noise (`quick_models`). The detector takes it for the counter, so later steps show
crops of earlier ones and become stale as with the shipped models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client

from procvid.ui.app import build_app, launch_settings
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.server.context import AppContext, open_context
from procvid.ui.server.queue import Draft
from tests.ui.running import Events, create_page

EXAMPLES = Path(__file__).parents[2] / "examples"

RECIPE = """Carrot omelette

1. Slice the carrot on the cutting board with the knife.
2. Fry the carrot in the frying pan.
"""
"""Two steps, because each clip that the tests make takes seconds."""


@pytest.fixture(scope="session")
def recipe() -> str:
    return RECIPE


@pytest.fixture(scope="module", autouse=True)
def quick(quick_models: Path) -> None:
    """Let the app of these tests load the quick models."""


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> AppContext:
    """The app, with fewer denoising steps where a test asks for no number."""
    context = open_context(EXAMPLES, profile="tiny", runs_folder=tmp_path_factory.mktemp("runs"))
    sampling = replace(context.profile.sampling, num_inference_steps=3)
    context.profile = replace(context.profile, sampling=sampling)
    return context


@pytest.fixture(scope="session")
def app(context: AppContext) -> Any:
    return build_app(context)


@pytest.fixture(scope="session")
def address(app: Any, context: AppContext) -> Iterator[str]:
    settings = launch_settings(context)
    _, url, _ = app.launch(
        **settings, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1"
    )
    yield url
    app.close()


@pytest.fixture(scope="session")
def new_client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Client]:
    """Return a function that makes one more client with its own download folder."""

    def make() -> Client:
        downloads = str(tmp_path_factory.mktemp("downloads"))
        return Client(address, verbose=False, download_files=downloads, analytics_enabled=False)

    return make


@pytest.fixture(scope="session")
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


@pytest.fixture(scope="module")
def created(context: AppContext) -> tuple[CreatePage, Events, gr.BrowserState]:
    return create_page(context)


@pytest.fixture(scope="module")
def page(created: tuple[CreatePage, Events, gr.BrowserState]) -> CreatePage:
    return created[0]


@pytest.fixture(scope="module")
def on(created: tuple[CreatePage, Events, gr.BrowserState]) -> Events:
    return created[1]


@pytest.fixture(scope="module")
def planned(on: Events, recipe: str) -> dict[Any, Any]:
    return dict(on["plan_recipe"](recipe))


@pytest.fixture(scope="module")
def draft(page: CreatePage, planned: dict[Any, Any]) -> Draft:
    draft: Draft = planned[page.state.draft]
    return draft
