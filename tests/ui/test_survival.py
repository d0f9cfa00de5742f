"""Kill a server in the middle of a run, and start another one on the same folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

ROOT = Path(__file__).parents[2]


@contextmanager
def served(runs: Path) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "PROCVID_RUNS": str(runs),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process, connected(f"http://127.0.0.1:{port}/")
    finally:
        process.kill()
        process.wait()


def connected(address: str) -> Client:
    for _ in range(240):
        try:
            return Client(address, verbose=False, analytics_enabled=False)
        except Exception:
            time.sleep(0.5)
    raise AssertionError("the server does not answer")


@pytest.mark.slow
def test_a_restarted_server_finishes_its_runs(tmp_path: Path, recipe: str) -> None:
    with served(tmp_path) as (process, client):
        stream = client.submit(recipe, steps=200, api_name="/generate")
        run_id = next(e for e in stream if e["event"] == "clip_ready")["run_id"]
        waiting = next(iter(client.submit(recipe, steps=1, api_name="/generate")))["run_id"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with served(tmp_path) as (_, client):
        state: dict[str, Any] = {}
        for run in (run_id, waiting):
            for _ in range(400):
                state = client.predict(run, api_name="/run")
                if state["state"] == "done":
                    break
                time.sleep(0.3)
            assert (state["state"], state["done"]) == ("done", 2)
    log = (tmp_path / run_id / "events.jsonl").read_text()
    assert log.count('"event": "run_started"') == 2 and '"reused": true' in log
