"""Publishing under every fault leaves the old release or the new one, and the error states which."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.client import HubClient
from procvid.hub.names import HubId, ReleaseTarget
from procvid.hub.publish import PublishedRelease, PublishPlan, plan_publish, publish
from procvid.hub.release import release_from_bytes
from tests.hub.artifacts import tiny_lora
from tests.hub.killing import killed_at
from tests.hub.server import READER, Blob, Hub, Repo

TARGET = HubId("cook/lora", "main", "model")
COMMIT = r"POST /api/models/cook/lora/commit/"


def bundled(folder: Path, out: Path, tag: str = "") -> Path:
    bundle_lora(folder, out, BundleOptions(ReleaseTarget(TARGET, tag)), lambda: "0" * 16)
    return out


def planned(client: HubClient, bundle: Path, tag: str = "", private: bool = False) -> PublishPlan:
    release = release_from_bytes((bundle / "manifest.json").read_bytes())
    return plan_publish(client, bundle, release, TARGET, tag=tag, private=private)


def published(client: HubClient, bundle: Path, tag: str = "") -> PublishedRelease:
    *_, last = publish(client, planned(client, bundle, tag))
    assert isinstance(last, PublishedRelease)
    return last


@pytest.fixture(scope="module")
def bundles(lora_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two releases; the new one lacks an example of the old one, so a file must be deleted."""
    folder = tmp_path_factory.mktemp("bundles")
    old = shutil.copytree(lora_folder, folder / "old")
    new = tiny_lora(folder / "new", seed=1)
    (old / "LICENSE").write_text("Apache License 2.0\n")
    return {n: bundled(f, folder / f"{n}-bundle") for n, f in (("old", old), ("new", new))}


@pytest.fixture(scope="module")
def new_lora(bundles: dict[str, Path]) -> Path:
    """The folder of the new release."""
    return bundles["new"].with_name("new")


@pytest.fixture
def repo(hub: Hub, client: HubClient, bundles: dict[str, Path]) -> Repo:
    """The repository with the old release."""
    published(client, bundles["old"], "v1")
    hub.asked.clear()
    return hub.repos["model", "cook/lora"]


def holds(repo: Repo) -> str:
    """The kind of file tree at the head, byte for byte."""
    return json.dumps({n: b.sha256 for n, b in sorted(repo.files.items()) if n != ".gitattributes"})


def tree_of(bundle: Path) -> str:
    import hashlib

    files = (f for f in bundle.rglob("*") if f.is_file())
    return json.dumps(
        {
            f.relative_to(bundle).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in sorted(files)
        }
    )


def test_one_commit_with_its_parent_then_the_tag(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    assert holds(repo) == tree_of(bundles["old"]) and repo.tags == {"v1": repo.head}
    plan = planned(client, bundles["new"], "v2")
    assert plan.deletes == ("LICENSE",) and plan.head == repo.head
    assert "pytorch_lora_weights.safetensors" in plan.uploads
    assert hub.asked and not any(asked.startswith(("POST", "PUT")) for asked in hub.asked)
    *events, last = publish(client, plan)
    assert holds(repo) == tree_of(bundles["new"]) and len(repo.commits) == 3
    assert repo.tags == {"v1": repo.commits[1][0], "v2": repo.head}
    assert isinstance(last, PublishedRelease) and last.commit == repo.head
    assert [e.done_bytes for e in events] == sorted(e.done_bytes for e in events)
    order = [asked for asked in hub.asked if "/commit/" in asked or "/tag/" in asked]
    assert [line.split("/")[5] for line in order] == ["commit", "tag"]
    # Again: nothing to send, no new commit.
    again = planned(client, bundles["new"], "v2")
    assert again.is_done and again.upload_bytes == 0
    assert published(client, bundles["new"], "v2").note and len(repo.commits) == 3


@pytest.mark.parametrize(
    ("method", "pattern", "do", "more", "ends", "sentence"),
    [
        ("POST", COMMIT, "answer", {"status": 403}, "old", "does not have access to cook/lora"),
        ("POST", COMMIT, "answer", {"status": 429, "headers": {"Retry-After": "0"}, "times": 9},
         "old", r"limits requests .*429"),
        ("POST", COMMIT, "answer", {"status": 500, "times": 9}, "old", "answered 500"),
        ("POST", COMMIT, "answer", {"status": 500}, "new", ""),
        ("POST", COMMIT, "after", {"status": 500}, "new", ""),
        ("POST", COMMIT, "after", {"status": 504}, "new", ""),
        ("POST", COMMIT, "drop", {}, "new", ""),
        ("POST", COMMIT, "lose", {}, "new", ""),
        ("POST", COMMIT, "drop", {"times": 9}, "old", "cook/lora"),
        ("POST", r"/preupload/", "answer", {"status": 503, "times": 99}, "old", "answered 503"),
        ("POST", r"/lfs/objects/batch", "answer", {"status": 403}, "old", "does not have access"),
        ("POST", r"/lfs/objects/batch", "answer", {"status": 429, "headers": {"Retry-After": "0"}},
         "new", ""),
        ("PUT", r"/lfs/", "answer", {"status": 500}, "new", ""),
        ("PUT", r"/lfs/", "answer", {"status": 500, "times": 99}, "old", "answered 500"),
        ("POST", r"/tag/", "answer", {"status": 403}, "new", "is published.*tag v2 is missing"),
        ("POST", r"/tag/", "after", {"status": 500}, "new", ""),
        ("POST", r"/tag/", "lose", {}, "new", ""),
        ("POST", r"/tag/", "answer", {"status": 500, "times": 9}, "new", "tag v2 is missing"),
    ],
)  # fmt: skip
def test_a_fault_leaves_the_old_release_or_the_new_one(
    hub: Hub,
    client: HubClient,
    repo: Repo,
    bundles: dict[str, Path],
    method: str,
    pattern: str,
    do: str,
    more: dict,
    ends: str,
    sentence: str,
) -> None:
    hub.fail(method, pattern, do, **more)
    if sentence:
        with pytest.raises(UnavailableError, match=sentence) as caught:
            published(client, bundles["new"], "v2")
        if ends == "old":
            assert "Nothing was published; the repository is unchanged." in str(caught.value)
    else:
        done = published(client, bundles["new"], "v2")
        assert done.commit == repo.head and repo.tags["v2"] == repo.head
        assert bool(done.note) == (do in ("after", "lose") and "commit" in pattern)
    assert holds(repo) == tree_of(bundles[ends])
    assert len(repo.commits) == (3 if ends == "new" else 2)
    # The same command again finishes what is missing, and sends no blob twice.
    hub.faults.clear()
    there = set(hub.blobs)
    hub.asked.clear()
    assert published(client, bundles["new"], "v2").commit == repo.head
    assert holds(repo) == tree_of(bundles["new"]) and repo.tags["v2"] == repo.head
    assert len(repo.commits) == 3
    sent = {asked.rpartition("/")[2] for asked in hub.asked if asked.startswith("PUT")}
    assert not sent & there


def test_a_stale_parent_is_reported_and_nothing_is_lost(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    changed = {"notes.txt": Blob(b"of somebody else", False)}
    hub.fail("POST", COMMIT, "hook", hook=lambda: repo.put(**changed))
    with pytest.raises(UnavailableError, match=r"changed by someone else in the meantime \(412\)"):
        published(client, bundles["new"])
    assert repo.files["notes.txt"].data == b"of somebody else" and len(repo.commits) == 3
    with pytest.raises(
        InputError, match=r"holds files that do not belong to a release: 'notes.txt'"
    ):
        planned(client, bundles["new"])


def test_a_lost_answer_beside_another_commit_is_no_success(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    hub.fail("POST", COMMIT, "answer", status=500, hook=lambda: repo.put(x=Blob(b"x", False)))
    with pytest.raises(UnavailableError, match="a commit of someone else"):
        published(client, bundles["new"])


def test_a_lost_answer_of_a_hub_that_went_away(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    hub.fail(
        "POST", COMMIT, "after", status=500, hook=lambda: hub.fail("GET", r"/lora", "drop", 99)
    )
    with pytest.raises(UnavailableError, match="holds either all old or all new files"):
        published(client, bundles["new"])
    hub.faults.clear()
    assert holds(repo) == tree_of(bundles["new"])
    assert planned(client, bundles["new"]).is_done


def test_interrupted_at_every_stage(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    stages = len(list(publish(client, planned(client, bundles["new"], "v2"))))
    for stage in range(stages):
        hub.clear()
        published(client, bundles["old"], "v1")
        fresh = hub.repos["model", "cook/lora"]
        events = publish(client, planned(client, bundles["new"], "v2"))
        for _ in range(stage + 1):
            next(events)
        events.close()
        assert holds(fresh) in (tree_of(bundles["old"]), tree_of(bundles["new"]))
        published(client, bundles["new"], "v2")
        assert holds(fresh) == tree_of(bundles["new"]) and len(fresh.commits) == 3


@pytest.mark.slow
def test_killed_at_any_request_the_next_publish_goes_on(
    hub: Hub, client: HubClient, bundles: dict[str, Path], new_lora: Path
) -> None:
    command = ["hub", "publish", "lora", str(new_lora), "--repo", "cook/lora"]
    command += ["--tag", "v2", "--yes", "--base", "phantom-1.3b"]
    ends, request, was_killed = [], 0, True
    while was_killed:
        hub.clear()
        published(client, bundles["old"], "v1")
        repo = hub.repos["model", "cook/lora"]
        old = holds(repo)
        hub.asked.clear()
        request += 1
        was_killed = killed_at(hub, request, command)
        head, there = holds(repo), set(hub.blobs)
        ends.append("old" if head == old else "new")
        assert len(repo.commits) == (2 if head == old else 3)
        first = list(hub.asked)
        hub.asked.clear()
        assert main(command) == 0
        # Work that the killed process finished is not repeated.
        assert head in (old, holds(repo)) and len(repo.commits) == 3
        assert repo.tags == {"v1": repo.commits[1][0], "v2": repo.head}
        sent = {asked.rpartition("/")[2] for asked in hub.asked if asked.startswith("PUT")}
        assert not sent & there
        if head != old:
            assert not any("/commit/" in asked or asked.startswith("PUT") for asked in hub.asked)
    # The commit is one request: the head is the old release before it and the new one after it.
    assert len(first) == request - 1 and ends == sorted(ends, reverse=True)
    assert ends.count("old") >= 8 and ends.count("new") >= 3


def test_what_is_refused_before_anything_is_sent(
    hub: Hub, client: HubClient, repo: Repo, bundles: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match="The tag 'v1' of cook/lora belongs to another release"):
        planned(client, bundles["new"], "v1")
    with pytest.raises(InputError, match="is public, but you asked for a private one"):
        planned(client, bundles["new"], private=True)
    for tag in ("main", "-x", "a b", "..", "f" * 40):
        with pytest.raises(InputError, match="cannot be a tag"):
            planned(client, bundles["new"], tag)
    reader = HubClient(endpoint=hub.url, token=READER)
    with pytest.raises(UnavailableError, match="does not have access to cook/lora"):
        published(reader, bundles["new"])
    wrong = HubClient(endpoint=hub.url, token="hf_" + "w" * 34)
    with pytest.raises(UnavailableError, match="does not accept your token"):
        planned(wrong, bundles["new"])
    hub.repos["model", "cook/lora"] = repo
    repo.put(**{"manifest.json": Blob(b'{"kind": "else"}', False)})
    with pytest.raises(InputError, match="does not belong to a procvid release"):
        planned(client, bundles["new"])
    assert not any(asked.startswith(("PUT", "POST")) and "preupload" not in asked
                   and "validate" not in asked for asked in hub.asked)  # fmt: skip


def test_a_new_repository_is_private_when_asked(
    hub: Hub, client: HubClient, bundles: dict[str, Path]
) -> None:
    *_, last = publish(client, planned(client, bundles["old"], private=True))
    assert isinstance(last, PublishedRelease) and hub.repos["model", "cook/lora"].private
    anonymous = HubClient(endpoint=hub.url, token=READER)
    with pytest.raises(ProcvidError, match="or it is private"):
        anonymous.commit_of(TARGET)
