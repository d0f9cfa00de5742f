"""Fixtures of all tests: no network, and an environment without personal settings."""

from __future__ import annotations

import gc
import ipaddress
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

Served = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[str]]
START_LIMIT_S = 120.0

os.environ.update(
    GRADIO_ANALYTICS_ENABLED="0",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    # Each test process uses one core: pytest-xdist starts one process per core.
    OMP_NUM_THREADS="1",
)
for personal in (
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "PROCVID_OPENAI_MODEL", "HF_TOKEN"),
    *("PROCVID_RUNS", "PROCVID_ASSETS", "PROCVID_GPUS"),
    *("PROCVID_OPENAI_SPEECH_MODEL", "PROCVID_OPENAI_SPEECH_VOICE"),
    *("PROCVID_CREDENTIALS_CERT", "PROCVID_CREDENTIALS_KEY"),
):
    os.environ.pop(personal, None)
_cache = tempfile.TemporaryDirectory(prefix="procvid-tests-")
# No converted weights: the folder does not exist.
os.environ["PROCVID_MODELS"] = "/nonexistent/procvid-models"
os.environ["PROCVID_CACHE"] = _cache.name
# An app that stops clears its Gradio files, which equal files of another worker's app share.
os.environ["GRADIO_TEMP_DIR"] = f"{_cache.name}/gradio"


def is_this_machine(address: Any) -> bool:
    """Return True if a socket address is local: a unix socket, localhost or a loopback IP."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


FIRST = ("test_readme.py", "test_cli_survival.py")
"""The longest files run first, so that no worker starts one of them last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the files in `FIRST` to the front."""
    items.sort(key=lambda item: item.path.name not in FIRST)


def pytest_collection_finish() -> None:
    """Exclude the imported libraries from garbage collection, which takes a tenth of all time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that reaches another machine, unless it is marked `network`."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if not is_this_machine(address):
            pytest.fail(f"This test reached for {address!r}; tests run offline.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Return a context manager that runs a command that serves the app and gives its address."""

    @contextmanager
    def serve(
        command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> Iterator[str]:
        work = tmp_path_factory.mktemp("app")
        port = free_port()
        variables = {"GRADIO_SERVER_PORT": str(port), "PROCVID_RUNS": str(work / "runs")}
        with (work / "log").open("w") as log:
            app = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for_answer(f"http://127.0.0.1:{port}/", app, work / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            if app.poll() is None:
                os.killpg(app.pid, signal.SIGTERM)
            app.wait(30)

    return serve


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(url: str, app: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the page answers; fail if the app ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if app.poll() is not None:
            pytest.fail(f"The app exited {app.returncode}:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"The app did not answer in {START_LIMIT_S:.0f} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the source tree."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def quick_assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Assets whose generator costs a tenth and draws noise; see `tests/quick_models.py`."""
    from tests.quick_models import make_quick_assets

    return make_quick_assets(tmp_path_factory.mktemp("quick_assets"))


@pytest.fixture(scope="module")
def quick_models(quick_assets: Path) -> Iterator[Path]:
    """Let all runs of a module use the quick assets, those of subprocesses too.

    Name it in a module's `pytestmark` and before any fixture that builds models.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROCVID_ASSETS", str(quick_assets))
        yield quick_assets
