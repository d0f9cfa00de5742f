"""Downloads from a local Hub: complete, damaged, gated, deleted, offline, and a full disk."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REVISION = "0123456789abcdef0123456789abcdef01234567"
BYTES = b"weights " * 100
SHA256 = hashlib.sha256(BYTES).hexdigest()

ASK = """
import json, resource, signal, sys, time
time.sleep = lambda seconds: None  # the Hub client waits between its tries
from procvid.errors import ProcvidError
from procvid.models.hub_files import HubModel, check_access, fetch, is_kept
from procvid.phantom.published import download_of
sha, revision, *names = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
said = {}
for name in names:
    action, _, repo = name.rpartition(" ")
    pinned = {} if repo == "x/lfs" else {"w.safetensors": sha}
    model = HubModel(repo, revision, ("config.json", "w.safetensors"), 1, pinned)
    try:
        if action == "check":
            said[name] = check_access(model)
        elif action == "kept":
            said[name] = is_kept(model)
        elif action.startswith("size"):
            cost = download_of(model)
            said[name] = [cost.fetch_bytes, cost.problem]
        else:
            if action == "full":  # no file may grow beyond what the configuration needs
                resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
            said[name] = sorted(f.name for f in fetch(model).iterdir())
    except ProcvidError as error:
        said[name] = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(json.dumps(said))
"""


class Hub:
    """The function of the Hub's client that procvid calls."""

    def __init__(self) -> None:
        self.url = ""
        self.hits: dict[str, int] = {}

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.hits[path] = self.hits.get(path, 0) + (request.method == "GET")
        repo = "/".join(path.removeprefix("/api/models/").strip("/").split("/")[:2])
        refused = {
            "x/gated": (403, "GatedRepo"),
            "x/gone": (404, "RepoNotFound"),
            "x/old": (404, "RevisionNotFound"),
            "x/token": (401, ""),
            "x/broken": (500, ""),
        }.get(repo)
        if refused:
            status, code = refused
            return JSONResponse({"error": "no"}, status, headers={"X-Error-Code": code})
        if path.endswith("/auth-check"):
            return JSONResponse({})
        if "/tree/" in path:
            sizes = {"config.json": 2, "w.safetensors": len(BYTES), "evil.bin": 9}
            return JSONResponse(
                [
                    {"type": "file", "path": name, "size": size, "oid": "0" * 40}
                    for name, size in sizes.items()
                ]
            )
        if path.startswith("/api/models/"):
            names = ["config.json", "w.safetensors", "evil.bin"]
            sizes = {"config.json": 2, "w.safetensors": len(BYTES)}
            siblings = [{"rfilename": name, "size": sizes.get(name, 9)} for name in names]
            return JSONResponse({"id": repo, "sha": REVISION, "siblings": siblings})
        body = b"{}" if path.endswith("config.json") else BYTES
        first = self.hits[path] <= 1
        if path.endswith("w.safetensors") and (repo == "x/wrong" or (repo == "x/once" and first)):
            body = body[::-1]
        etag = hashlib.sha1(body).hexdigest()
        if path.startswith("/x/lfs/") and path.endswith("w.safetensors"):
            # The Hub names a large file by its sha256.
            body, etag = body[::-1], SHA256
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{etag}"'}
        return Response(body, headers=headers)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    hub = Hub()

    async def entry(request: Request) -> Response:
        return await hub.answer(request)

    routes = [Route("/{path:path}", entry, methods=["GET", "HEAD"])]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
        )
        thread = threading.Thread(target=app.run, args=([listener],), daemon=True)
        thread.start()
        while not app.started:
            time.sleep(0.01)
        yield hub
        app.should_exit = True
        thread.join(10)


def ask(home: Path, *names: str, **variables: str) -> dict[str, object]:
    """Fetch in a process of its own, because the Hub's client reads its variables at import."""
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **variables,
    }
    command = [sys.executable, "-W", "ignore", "-c", ASK, SHA256, REVISION, *names]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return dict(json.loads(said.stdout.splitlines()[-1]))


def test_files_are_fetched_once_and_checked_and_errors_are_one_sentence(hub, tmp_path):
    answers = ask(
        tmp_path,
        *("size before x/good", "kept x/good", "check x/good", "fetch x/good", "kept x/good"),
        *("check x/good", "size x/good", "size x/gone", "fetch x/lfs"),
        *("fetch x/once", "fetch x/wrong", "full x/large"),
        *("fetch x/gated", "check x/gated", "fetch x/gone", "fetch x/old", "fetch x/token"),
        HF_ENDPOINT=hub.url,
    )
    assert answers["fetch x/good"] == ["config.json", "w.safetensors"]
    assert answers["kept x/good"] is True and answers["check x/good"] is True
    assert answers["size before x/good"] == [2 + len(BYTES), ""] and answers["size x/good"] == [
        0,
        "",
    ]
    assert answers["size x/gone"] == [1, "it does not exist or is private"]
    # Its commit records the hash, although the code does not.
    assert "w.safetensors of x/lfs is missing or not the published one" in answers["fetch x/lfs"]
    assert not any("evil.bin" in path for path in hub.hits)
    # Damaged in transit with the right length: only the hash shows it, and it is downloaded again.
    assert answers["fetch x/once"] == ["config.json", "w.safetensors"]
    assert (
        "w.safetensors of x/wrong is missing or not the published one" in answers["fetch x/wrong"]
    )
    assert (
        "Cannot write" in answers["full x/large"]
        and "larger than the system allows" in answers["full x/large"]
    )
    for name in ("fetch x/gated", "check x/gated"):
        assert "x/gated is gated" in answers[name] and "hf auth login" in answers[name]
    assert "no model x/gone" in answers["fetch x/gone"]
    assert "no longer has the revision 0123456789ab" in answers["fetch x/old"]
    assert "x/token" in answers["fetch x/token"] or "HF_TOKEN" in answers["fetch x/token"]


def test_without_the_hub_a_complete_cache_serves_and_an_incomplete_one_is_an_error(hub, tmp_path):
    ask(tmp_path, "fetch x/good", HF_ENDPOINT=hub.url)
    snapshot = next(tmp_path.rglob(f"snapshots/{REVISION}"))
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    answers = ask(tmp_path, "fetch x/good", "fetch x/none", "check x/none", **nowhere)
    assert answers["fetch x/good"] == ["config.json", "w.safetensors"]
    for name in ("fetch x/none", "check x/none"):
        assert "not complete in the cache, and the Hub cannot be reached" in answers[name]
        assert f"hf download x/none --revision {REVISION}" in answers[name]
    (snapshot / "w.safetensors").unlink()
    answers = ask(tmp_path, "kept x/good", "fetch x/good", HF_HUB_OFFLINE="1", **nowhere)
    assert answers["kept x/good"] is False and "x/good" in answers["fetch x/good"]
