"""A local Hub for the real client, and artifacts to publish there."""

from __future__ import annotations

import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.client import HubClient
from procvid.hub.names import HubId, ReleaseTarget
from tests.hub.artifacts import small_store, tiny_lora
from tests.hub.server import OWNER, Hub, running


@pytest.fixture(scope="session")
def _hub() -> Iterator[Hub]:
    with running() as hub:
        yield hub


@pytest.fixture
def hub(_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """An empty Hub; this process and its children use it, and the client never waits."""
    import huggingface_hub.constants as constants
    import huggingface_hub.file_download as file_download
    import huggingface_hub.utils._http as http

    _hub.clear()
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", _hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_TOKEN", OWNER)
    # The client has read these variables at import.
    monkeypatch.setattr(constants, "ENDPOINT", _hub.url)
    template = f"{_hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    hurried = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None})
    monkeypatch.setattr(http, "time", hurried)
    monkeypatch.setattr(file_download, "time", hurried)
    monkeypatch.setattr("procvid.hub.client.WAIT_S", 0.0)
    return _hub


@pytest.fixture
def client(hub: Hub) -> HubClient:
    """The client of the owner of the test repositories."""
    return HubClient(endpoint=hub.url, token=OWNER)


@pytest.fixture(scope="session")
def lora_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of random weights for the tiny transformer, saved by diffusers."""
    return tiny_lora(tmp_path_factory.mktemp("lora") / "omelette-lora")


@pytest.fixture(scope="session")
def lora_bundle(lora_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The LoRA as a bundle for cook/lora; only read."""
    out = tmp_path_factory.mktemp("bundle") / "lora"
    options = BundleOptions(ReleaseTarget(HubId("cook/lora", "main", "model")))
    bundle_lora(lora_folder, out, options, lambda: "0" * 16)
    return out


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every tenth crop of the default store."""
    return small_store(tmp_path_factory.mktemp("store") / "some-crops")
