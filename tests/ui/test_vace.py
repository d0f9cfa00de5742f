"""An endpoint of the app with Wan VACE: the tiny twin stands for the converted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client

from procvid.settings import VACE_1_3B
from procvid.ui.app import build_app, launch_settings
from procvid.ui.server.context import open_context
from tests.phantom.vace import install_vace
from tests.ui.conftest import EXAMPLES


@pytest.fixture(scope="module")
def client(quick, tmp_path_factory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("vace")
    with pytest.MonkeyPatch.context() as patch:
        install_vace(folder / "models", patch)
        context = open_context(EXAMPLES, profile=VACE_1_3B.name, runs_folder=folder / "runs")
        app = build_app(context)
        settings = launch_settings(context)
        _, url, _ = app.launch(
            **settings, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1"
        )
        yield Client(url, verbose=False, analytics_enabled=False)
        app.close()


def test_generate_makes_a_video(client, recipe):
    events = list(client.submit(recipe, steps=2, seed=1, api_name="/generate"))
    last = events[-1]
    assert (last["state"], last["done"], last["num_steps"]) == ("done", 2, 2)
    assert Path(last["video"]).read_bytes()[4:8] == b"ftyp"
    started = next(event for event in events if event["event"] == "run_started")
    assert started["profile"] == "vace-1.3b"
