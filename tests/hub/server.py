"""A Hub for tests that answers the real `huggingface_hub` client, with faults to inject.

Repositories are lists of commits in RAM. A fault applies to requests with a method and a path pattern,
for a number of times.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from procvid.hub.licences import KNOWN as LICENCES

OWNER, READER = "hf_" + "o" * 34, "hf_" + "r" * 34
USERS = {OWNER: "cook", READER: "guest"}
KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
LFS = (".safetensors", ".parquet", ".faiss", ".mp4", ".png")


@dataclass(frozen=True)
class Blob:
    """A file's bytes; its listed `size` and `sha256` may be wrong."""

    data: bytes
    lfs: bool
    said_size: int | None = None
    said_sha256: str | None = None

    @property
    def size(self) -> int:
        return len(self.data) if self.said_size is None else self.said_size

    @property
    def sha256(self) -> str:
        return self.said_sha256 or hashlib.sha256(self.data).hexdigest()

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()


@dataclass
class Repo:
    """A repository: its commits (oid and files), newest last, and its tags."""

    commits: list[tuple[str, dict[str, Blob]]]
    private: bool = False
    gated: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    @property
    def files(self) -> dict[str, Blob]:
        return self.commits[-1][1]

    def put(self, **files: Blob) -> str:
        """A commit without any checks, as another client may make it."""
        return self.commit({**self.files, **files})

    def commit(self, files: dict[str, Blob]) -> str:
        oid = hashlib.sha1(f"{id(self)}{len(self.commits)}".encode()).hexdigest()
        self.commits.append((oid, files))
        return oid

    def at(self, revision: str) -> tuple[str, dict[str, Blob]] | None:
        wanted = self.head if revision == "main" else self.tags.get(revision, revision)
        return next((each for each in self.commits if each[0] == wanted), None)


@dataclass
class Fault:
    """A fault that replaces, follows or changes an answer."""

    method: str
    pattern: str
    do: str
    times: int
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    hook: Callable[[], None] | None = None


class Hub:
    """The server's state. `url` is its address; `asked` are the requests as "METHOD path"."""

    def __init__(self) -> None:
        self.url = ""
        self.clear()

    def clear(self) -> None:
        """A Hub without repositories and faults."""
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []

    def fail(self, method: str, pattern: str, do: str, times: int = 1, **more: Any) -> None:
        """Plan a fault: "answer" (a status instead), "after" (done, but answered with a status),
        "cut" (half of the body), "flip" (a wrong byte), "drop" (not done, no answer), "lose" (done,
        no answer), "hook" (first call it).
        """
        self.faults.append(Fault(method, pattern, do, times, **more))

    def repo(self, repo_id: str, repo_type: str = "model") -> Repo:
        """Return a repository, created if it does not exist."""
        new = Repo(
            [(hashlib.sha1(repo_id.encode()).hexdigest(), {".gitattributes": Blob(b"", False)})]
        )
        return self.repos.setdefault((repo_type, repo_id), new)

    async def answer(self, request: Request) -> Response:
        asked = f"{request.method} {request.url.path}"
        self.asked.append(asked)
        body = await request.body()
        fault = next(
            (
                f
                for f in self.faults
                if f.times > 0 and f.method == request.method and re.search(f.pattern, asked)
            ),
            None,
        )
        if fault is None:
            return self._real(request, body)
        fault.times -= 1
        if fault.hook is not None:
            fault.hook()
        if fault.do == "answer":
            return JSONResponse({"error": "no"}, fault.status, headers=fault.headers)
        answer = self._real(request, body) if fault.do != "drop" else None
        if answer is None or fault.do == "lose":
            # Cut the connection without an answer, as a router would; uvicorn would answer 500.
            request.receive.__self__.transport.abort()  # type: ignore[attr-defined]
            raise ConnectionAbortedError
        if fault.do == "after":
            return JSONResponse({"error": "lost"}, fault.status, headers=fault.headers)
        if fault.do == "flip" and answer.body:
            wrong = bytearray(answer.body)
            wrong[len(wrong) // 2] ^= 0xFF
            answer.body = bytes(wrong)
        if fault.do == "cut":
            # The header keeps the length of the whole body.
            answer.body = answer.body[: len(answer.body) // 2]
        return answer

    def _real(self, request: Request, body: bytes) -> Response:
        path = unquote(request.url.path)
        routes: tuple[tuple[str, Callable[..., Response]], ...] = (
            (r"POST /api/repos/create", self._create),
            (r"GET /api/whoami-v2", self._whoami),
            (r"POST /api/validate-yaml", self._validate_yaml),
            (r"(?:GET|PUT|POST) /lfs/(?P<oid>[0-9a-f]{64})(?P<verify>/verify)?", self._lfs),
            (
                r"POST /(?P<kind>datasets/|spaces/)?(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch",
                self._batch,
            ),
            (
                r"(?:GET|POST) /api/(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
                r"(?:/(?P<what>revision|tree|paths-info|preupload|commit|refs|commits|tag)"
                r"(?:/(?P<rev>[^/]+))?(?P<under>/.*)?)?",
                self._api,
            ),
            (
                r"(?:GET|HEAD) /(?P<kind>datasets/|spaces/)?(?P<id>[^/]+/[^/]+)"
                r"/resolve/(?P<rev>[^/]+)/(?P<name>.+)",
                self._resolve,
            ),
        )
        for pattern, handler in routes:
            found = re.fullmatch(pattern, f"{request.method} {path}")
            if found:
                return handler(request, body, **found.groupdict())
        return JSONResponse({"error": "Not Found"}, 404)

    # Users

    def _user(self, request: Request) -> str:
        return USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")

    def _whoami(self, request: Request, body: bytes) -> Response:
        user = self._user(request)
        return JSONResponse({"name": user, "type": "user"} if user else {}, 200 if user else 401)

    def _found(self, request: Request, kind: str | None, repo_id: str) -> Repo | Response:
        repo_type = KINDS[(kind or "models").strip("/")]
        repo = self.repos.get((repo_type, repo_id))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in USERS:
            return JSONResponse({"error": "Invalid credentials"}, 401)
        if repo is None or (repo.private and self._user(request) != "cook"):
            status = 404 if self._user(request) else 401
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            return JSONResponse({"error": "Repository not found"}, status, headers=headers)
        return repo

    def _refused(self, request: Request) -> Response | None:
        user = self._user(request)
        if user == "cook":
            return None
        return JSONResponse({"error": "forbidden"}, 403 if user else 401)

    # Requests

    def _create(self, request: Request, body: bytes) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        wanted = json.loads(body)
        organization = wanted.get("organization") or "cook"
        repo_id = f"{organization}/{wanted['name']}"
        key = (wanted.get("type") or "model", repo_id)
        if key in self.repos:
            return JSONResponse({"error": "exists", "url": f"{self.url}/{repo_id}"}, 409)
        repo = self.repo(repo_id, key[0])
        repo.private = bool(wanted.get("private") or wanted.get("visibility") == "private")
        if key[0] == "space" and wanted.get("sdk") not in ("gradio", "docker", "static"):
            return JSONResponse({"error": "sdk is required"}, 400)
        prefix = {"dataset": "datasets/", "space": "spaces/"}.get(key[0], "")
        return JSONResponse({"url": f"{self.url}/{prefix}{repo_id}", "name": repo_id, "id": "1"})

    def _validate_yaml(self, request: Request, body: bytes) -> Response:
        content = json.loads(body)["content"]
        errors = []
        try:
            _, head, _ = content.split("---\n", 2)
            metadata = yaml.safe_load(head)
        except (ValueError, yaml.YAMLError) as error:
            errors.append({"message": f"no metadata: {error}"})
            metadata = {}
        if metadata.get("license", "other") not in LICENCES:
            errors.append({"message": '"license" must be one of [...]'})
        if metadata.get("license") == "other" and not metadata.get("license_name"):
            errors.append({"message": '"license_name" is required'})
        for key, kind in (
            ("tags", list),
            ("base_model", str),
            ("pipeline_tag", str),
            ("widget", list),
        ):
            if key in metadata and not isinstance(metadata[key], kind):
                errors.append({"message": f'"{key}" must be a {kind.__name__}'})
        for entry in metadata.get("model-index", ()):
            for result in entry.get("results", ()):
                if not result.get("task", {}).get("type") or not result.get("dataset", {}).get(
                    "name"
                ):
                    errors.append({"message": '"model-index" is not whole'})
        for config in metadata.get("configs", ()):
            if not config.get("config_name") or not config.get("data_files"):
                errors.append({"message": '"configs" is not whole'})
        answer = {"errors": errors, "warnings": []}
        return JSONResponse(answer, 400 if errors else 200)

    def _batch(self, request: Request, body: bytes, kind: str | None, id: str) -> Response:
        refused = self._refused(request)
        if refused:
            return refused
        objects = []
        for each in json.loads(body)["objects"]:
            entry = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.blobs:
                href = f"{self.url}/lfs/{each['oid']}"
                entry["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            objects.append(entry)
        return JSONResponse({"transfer": "basic", "objects": objects})

    def _lfs(self, request: Request, body: bytes, oid: str, verify: str | None) -> Response:
        if request.method == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                return JSONResponse({"error": "other bytes"}, 400)
            self.blobs[oid] = body
            return Response()
        return Response(status_code=200 if oid in self.blobs else 404)

    def _api(
        self,
        request: Request,
        body: bytes,
        kind: str,
        id: str,
        what: str | None,
        rev: str | None,
        under: str | None,
    ) -> Response:
        repo = self._found(request, kind, id)
        if isinstance(repo, Response):
            return repo
        if what in ("preupload", "commit", "tag"):
            refused = self._refused(request)
            return refused or getattr(self, f"_{what}")(repo, body, rev)
        if what == "refs":
            tags = [
                {"name": n, "ref": f"refs/tags/{n}", "targetCommit": o}
                for n, o in repo.tags.items()
            ]
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
            return JSONResponse({"branches": [branch], "converts": [], "tags": tags})
        if what == "commits":
            return JSONResponse(
                [
                    {
                        "id": oid,
                        "title": "",
                        "message": "",
                        "date": "2026-11-21T00:00:00.000Z",
                        "authors": [],
                    }
                    for oid, _ in reversed(repo.commits)
                ]
            )
        found = repo.at(rev or "main")
        if found is None:
            headers = {"X-Error-Code": "RevisionNotFound"}
            return JSONResponse({"error": "Invalid rev id"}, 404, headers=headers)
        oid, files = found
        if what == "tree":
            folder = (under or "").strip("/")
            under_it = {n: b for n, b in files.items() if not folder or n.startswith(folder + "/")}
            if not under_it:
                headers = {"X-Error-Code": "EntryNotFound"}
                return JSONResponse({"error": "no such path"}, 404, headers=headers)
            entries, seen = [], set()
            for name, blob in under_it.items():
                first, _, more = name.removeprefix(f"{folder}/" if folder else "").partition("/")
                if request.query_params.get("recursive", "").lower() == "true" or not more:
                    entries.append(_entry(name, blob))
                elif first not in seen:
                    seen.add(first)
                    path = f"{folder}/{first}".strip("/")
                    entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
            return JSONResponse(entries)
        if what == "paths-info":
            paths = _form(body).get("paths", [])
            entries = [_entry(n, b) for n, b in files.items() if n in paths]
            folders = {
                p for p in paths if p not in files and any(n.startswith(p + "/") for n in files)
            }
            entries += [
                {"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in folders
            ]
            return JSONResponse(entries)
        siblings = [{"rfilename": name} for name in files]
        facts = {"id": id, "sha": oid, "private": repo.private, "gated": repo.gated, "tags": []}
        return JSONResponse(
            {**facts, "siblings": siblings, "downloads": 0, "likes": 0, "disabled": False}
        )

    def _preupload(self, repo: Repo, body: bytes, rev: str) -> Response:
        listed = []
        for file in json.loads(body)["files"]:
            mode = "lfs" if file["path"].endswith(LFS) else "regular"
            there = repo.files.get(file["path"])
            oid = None if there is None else there.sha256 if there.lfs else there.git_oid
            listed.append(
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}
            )
        return JSONResponse({"files": listed})

    def _commit(self, repo: Repo, body: bytes, rev: str) -> Response:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = lines[0]["value"]
        if header.get("parentCommit", repo.head) != repo.head:
            return JSONResponse({"error": "A commit has happened since"}, 412)
        files = dict(repo.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.blobs:
                    return JSONResponse({"error": "LFS object is missing"}, 400)
                files[value["path"]] = Blob(self.blobs[value["oid"]], True)
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        oid = repo.commit(files)
        repo.messages.append(header["summary"])
        url = f"{self.url}/cook/it/commit/{oid}"
        return JSONResponse({"success": True, "commitOid": oid, "commitUrl": url})

    def _tag(self, repo: Repo, body: bytes, rev: str) -> Response:
        tag = json.loads(body)["tag"]
        if tag in repo.tags:
            return JSONResponse({"error": "Tag reference exists already"}, 409)
        found = repo.at(rev)
        if found is None:
            return JSONResponse({"error": "rev"}, 404, headers={"X-Error-Code": "RevisionNotFound"})
        repo.tags[tag] = found[0]
        return JSONResponse({})

    def _resolve(
        self, request: Request, body: bytes, kind: str | None, id: str, rev: str, name: str
    ) -> Response:
        repo = self._found(request, kind, id)
        if isinstance(repo, Response):
            return repo
        if repo.gated:
            headers = {"X-Error-Code": "GatedRepo"}
            return JSONResponse({"error": "Access is restricted"}, 403, headers=headers)
        found = repo.at(rev)
        if found is None:
            return JSONResponse({"error": "rev"}, 404, headers={"X-Error-Code": "RevisionNotFound"})
        oid, files = found
        if name not in files:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid}
            return JSONResponse({"error": "Entry not found"}, 404, headers=headers)
        blob = files[name]
        etag = f'"{blob.sha256 if blob.lfs else blob.git_oid}"'
        headers = {"X-Repo-Commit": oid, "ETag": etag, "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(blob.size)}
        data, status = blob.data, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted:
            start, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[start : end + 1], 206
        if request.method == "HEAD":
            return Response(
                headers={**headers, "Content-Length": str(len(data))}, status_code=status
            )
        return Response(data, status, headers=headers)


def _entry(name: str, blob: Blob) -> dict[str, Any]:
    listed: dict[str, Any] = {"type": "file", "path": name, "size": blob.size, "oid": blob.git_oid}
    if blob.lfs:
        listed["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 130}
    return listed


def _form(body: bytes) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    try:
        fields = json.loads(body)
        return {key: value if isinstance(value, list) else [value] for key, value in fields.items()}
    except ValueError:
        return parse_qs(body.decode())


@contextmanager
def running() -> Iterator[Hub]:
    """A Hub that answers on a port of this machine."""
    hub = Hub()

    async def entry(request: Request) -> Response:
        return await hub.answer(request)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    # Declared as TCP, or asyncio waits 40 ms before each body (it would leave Nagle's algorithm on).
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=[Route("/{path:path}", entry, methods=methods)]),
                log_level="critical",
                lifespan="off",
            )
        )
        thread = threading.Thread(target=app.run, args=([listener],), daemon=True)
        thread.start()
        while not app.started:
            time.sleep(0.01)
        yield hub
        app.should_exit = True
        thread.join(10)
