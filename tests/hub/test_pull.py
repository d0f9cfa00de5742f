"""Pulling under every fault and every wrong manifest leaves a complete copy or none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import InputError, OutputError, ProcvidError, UnavailableError
from procvid.hub.bundle.check import validate
from procvid.hub.cache import open_cache
from procvid.hub.client import HubClient, NoManifestError
from procvid.hub.names import HubId, parse_hub_id
from procvid.hub.pull import Pulled, look, pull
from procvid.hub.release import FileFact, release_from_bytes
from tests.hub.killing import killed_at
from tests.hub.server import OWNER, READER, Blob, Hub, Repo

TARGET = HubId("cook/lora", "main", "model")
WEIGHTS = "pytorch_lora_weights.safetensors"
GET = rf"/resolve/.*/{WEIGHTS}"


@pytest.fixture
def repo(hub: Hub, lora_bundle: Path) -> Repo:
    """The release on the Hub, as if it had been published."""
    repo = hub.repo("cook/lora")
    lfs = (".safetensors", ".mp4")
    repo.put(
        **{
            f.relative_to(lora_bundle).as_posix(): Blob(f.read_bytes(), f.name.endswith(lfs))
            for f in lora_bundle.rglob("*")
            if f.is_file()
        }
    )
    repo.tags["v1"] = repo.head
    return repo


def pulled(client: HubClient, place: Path, wanted: HubId = TARGET) -> Pulled:
    *_, last = pull(client, look(client, wanted), place)
    assert isinstance(last, Pulled)
    return last


def publish_wrong(repo: Repo, **changes: object) -> None:
    """Publish a wrong manifest with a correct hash of itself."""
    release = release_from_bytes(repo.files["manifest.json"].data)
    repo.put(**{"manifest.json": Blob(replace(release, **changes).to_bytes(), False)})


def left_over(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.iterdir() if f.name not in ("cache", "hf"))


@pytest.mark.parametrize(
    ("do", "more", "sentence"),
    [
        ("answer", {"status": 503}, ""),
        ("answer", {"status": 503, "times": 99}, "answered 503"),
        ("answer", {"status": 429, "headers": {"Retry-After": "0"}}, ""),
        ("answer", {"status": 500}, ""),
        ("answer", {"status": 403}, "does not have access"),
        ("cut", {}, ""),
        ("cut", {"times": 99}, "broke while accessing cook/lora"),
        ("flip", {}, ""),
        ("flip", {"times": 99}, "differs from the published file, also after a second download"),
        ("drop", {"times": 1}, ""),
        ("drop", {"times": 99}, "cook/lora"),
    ],
)
def test_a_fault_on_a_file_leaves_a_whole_copy_or_none(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path, do: str, more: dict, sentence: str
) -> None:
    hub.fail("GET", GET, do, **more)
    place = tmp_path / "lora"
    if sentence:
        with pytest.raises(UnavailableError, match=rf"{sentence}.*Nothing was installed"):
            pulled(client, place)
        assert not place.exists()
        hub.faults.clear()
    done = pulled(client, place)
    assert validate(place).files[WEIGHTS].sha256 == repo.files[WEIGHTS].sha256
    assert any("damaged in transit" in note for note in done.notes) == (
        do == "flip" and not sentence
    )
    assert left_over(tmp_path) == ["lora"]


def test_only_what_the_manifest_names_is_fetched(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    for name in ("model.pt", "handler.py", "../../evil.txt", "a\u202eb"):
        repo.put(**{name: Blob(b"evil", False)})
    done = pulled(client, tmp_path / "lora")
    assert "that its manifest does not name" in done.notes[0]
    assert not any(
        "model.pt" in asked or "handler" in asked or "evil" in asked for asked in hub.asked
    )
    names = {f.relative_to(tmp_path / "lora").as_posix() for f in (tmp_path / "lora").rglob("*")}
    assert names == {"README.md", "manifest.json", WEIGHTS, "release.json", "training.json"}
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    "name",
    ["../evil.safetensors", "/etc/passwd", "examples/../../x.mp4", "a\\b", "x/.git/config", "weights.pt",
     "examples/01.mp4/", "C:/x", "examples/01.mp4\n", "", "run.json"],
)  # fmt: skip
def test_a_hostile_name_in_the_manifest_is_refused_before_anything_is_fetched(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path, name: str
) -> None:
    files = release_from_bytes(repo.files["manifest.json"].data).files
    publish_wrong(repo, files={**files, name: FileFact(4, "0" * 64)})
    with pytest.raises(InputError, match="names files that do not belong in a lora"):
        pulled(client, tmp_path / "lora")
    assert not any(WEIGHTS in asked for asked in hub.asked) and left_over(tmp_path) == []


def test_a_wrong_manifest_is_refused(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    good = repo.files["manifest.json"]
    release = release_from_bytes(good.data)
    fact = release.files[WEIGHTS]
    for wrong, difference in (
        (FileFact(fact.size + 1, fact.sha256), rf"{fact.size:,} bytes instead of"),
        (FileFact(fact.size, "1" * 64), f"sha256 {fact.sha256[:12]} instead of 111111111111"),
    ):
        publish_wrong(repo, files={**release.files, WEIGHTS: wrong})
        with pytest.raises(
            InputError, match=rf"is wrong: it does not match {WEIGHTS} \({difference}"
        ):
            pulled(client, tmp_path / "lora")
    # The Hub has no sha256 of small files, so only the download shows it.
    repo.put(**{"manifest.json": good})
    publish_wrong(repo, files={**release.files, "training.json": FileFact(release.files["training.json"].size,
                                                                 "2" * 64)})  # fmt: skip
    with pytest.raises(UnavailableError, match=r"training\.json of cook/lora differs"):
        pulled(client, tmp_path / "lora")
    publish_wrong(repo, files=release.files, facts={**release.facts, "lora": {"rank": 64}})
    with pytest.raises(InputError, match=r'is wrong: it states ."rank": 64., but the files hold'):
        pulled(client, tmp_path / "lora")
    publish_wrong(repo, files={**release.files, "examples/01.mp4": fact})
    with pytest.raises(InputError, match=r"it names examples/01\.mp4, which does not exist"):
        pulled(client, tmp_path / "lora")
    # Downloading again cannot help, so nothing is kept.
    assert left_over(tmp_path) == []
    publish_wrong(repo, files=release.files, facts={**release.facts, "lora": {"rank": 64}})
    with pytest.raises(InputError, match=r"Nothing was installed"):
        pulled(client, tmp_path / "other")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "does not belong to a procvid release"),
        (
            b'{"kind": "procvid release", "schema_version": 2}',
            "schema version 2; this procvid reads version 1",
        ),
        (b'{"kind": "procvid release", "schema_version": 1}', "was changed after it was written"),
        (b" " * 1_000_001, "too large to be a manifest"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_an_invalid_manifest_is_refused(
    client: HubClient, repo: Repo, tmp_path: Path, data: bytes, sentence: str
) -> None:
    repo.put(**{"manifest.json": Blob(data, False)})
    with pytest.raises(InputError, match=sentence):
        pulled(client, tmp_path / "lora")
    assert left_over(tmp_path) == []


def test_a_repository_that_cannot_be_read_is_named(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    reader = HubClient(endpoint=hub.url, token=READER)
    with pytest.raises(
        UnavailableError, match="no repository cook/none on the Hub, or it is private"
    ):
        look(client, parse_hub_id("cook/none"))
    repo.private = True
    for who in (reader, HubClient(endpoint=hub.url, token=False)):
        with pytest.raises(
            UnavailableError, match="or it is private and your token cannot read it"
        ):
            look(who, TARGET)
    repo.private, repo.gated = False, True
    with pytest.raises(UnavailableError, match="cook/lora is gated"):
        look(reader, TARGET)
    repo.gated = False
    for revision in ("v9", "f" * 40):
        with pytest.raises(InputError, match=f"no revision '{revision}'"):
            look(client, TARGET.at(revision))
    repo.commit({"config.json": Blob(b"{}", False)})
    with pytest.raises(NoManifestError, match=r"has no manifest\.json"):
        look(client, TARGET)
    # The tag still means the good one.
    assert pulled(client, tmp_path / "lora", TARGET.at("v1")).hub_id.revision == repo.tags["v1"]


@pytest.mark.parametrize(
    "text",
    ["", "lora", "a/b/c", "a//b", "../x", "a/..", "a/b.git", "-a/b", "a/b@", "a/b@..", "a/b@x y", "a b/c",
     "é/b", "http://x/y", "a/b@-v", "datasets/a", "a/" + "b" * 200, "a/b@" + "x" * 200],
)  # fmt: skip
def test_an_invalid_id_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is not (the name of a repository|a revision)"):
        parse_hub_id(text)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HF_TOKEN", "hf_abc\u2026", "The token of the Hub contains characters that no token has."),
        ("ALL_PROXY", "socks://127.0.0.1:1080/", "ALL_PROXY names a proxy of kind 'socks'"),
    ],
)
def test_a_token_or_proxy_that_cannot_be_used(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(variable, value)
    assert main(["hub", "pull", "cook/lora"]) == 1
    assert capsys.readouterr().err.startswith(f"procvid: {says}")


def test_a_release_larger_than_the_disk_is_refused_before_it_is_fetched(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    release = release_from_bytes(repo.files["manifest.json"].data)
    huge = shutil.disk_usage(tmp_path).free + 35 * 10**9
    weights = Blob(b"", True, said_size=huge, said_sha256="3" * 64)
    repo.put(**{WEIGHTS: weights})
    publish_wrong(repo, files={**release.files, WEIGHTS: FileFact(huge, "3" * 64)})
    with pytest.raises(OutputError, match=r"needs [\d.]+ GB of disk, but only [\d.]+ GB are free"):
        pulled(client, tmp_path / "lora")
    assert not any(WEIGHTS in asked for asked in hub.asked) and left_over(tmp_path) == []


def test_the_cache_is_verified_before_each_use_and_mended_once(
    hub: Hub, client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    cache = open_cache(tmp_path / "cache")

    def obtained() -> Pulled:
        *_, last = cache.obtain(client, "lora", TARGET.at("v1"))
        assert isinstance(last, Pulled)
        return last

    first = obtained()
    hub.asked.clear()
    assert obtained() == first
    assert [asked for asked in hub.asked if "resolve" in asked] == []
    weights = first.folder / WEIGHTS
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + b"x")
    again = obtained()
    assert weights.read_bytes() == good and "was damaged and is pulled again" in again.notes[0]
    # Without the Hub a complete copy serves, also by its tag; a damaged one is an error.
    away = replace(client, endpoint="http://127.0.0.1:9")
    *_, last = cache.obtain(away, "lora", TARGET.at("v1"))
    assert isinstance(last, Pulled) and "Using the cached copy of cook/lora@v1" in last.notes[0]
    *_, last = cache.obtain(away, "lora", first.hub_id)
    assert isinstance(last, Pulled) and last.notes == ()
    with pytest.raises(UnavailableError, match="The Hub cannot be reached for cook/lora"):
        list(cache.obtain(away, "lora", TARGET.at("v2")))
    weights.unlink()
    with pytest.raises(UnavailableError, match=r"is damaged .*and the Hub cannot be reached"):
        list(cache.obtain(away, "lora", first.hub_id))
    link = tmp_path / "elsewhere"
    link.write_bytes(good)
    weights.symlink_to(link)
    with pytest.raises(UnavailableError, match="is a link"):
        list(cache.obtain(away, "lora", first.hub_id))
    with pytest.raises(InputError, match="cook/lora is a lora, not a memory"):
        hub.repos["dataset", "cook/lora"] = repo
        list(cache.obtain(client, "memory", HubId("cook/lora", "main", "dataset")))


def test_a_card_that_was_edited_on_the_hub_is_not_damage(
    client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    repo.put(**{"README.md": Blob(repo.files["README.md"].data + b"\nA word more.\n", False)})
    done = pulled(client, tmp_path / "lora")
    assert done.notes == ("The card was changed after the release was published.",)
    assert "A word more." in (tmp_path / "lora" / "README.md").read_text()
    validate(tmp_path / "lora")


def test_files_that_no_manifest_names_are_refused(
    client: HubClient, repo: Repo, tmp_path: Path
) -> None:
    pulled(client, tmp_path / "lora")
    (tmp_path / "lora" / "model.pkl").write_bytes(b"x")
    with pytest.raises(InputError, match=r"its manifest does not name: 'model\.pkl'"):
        validate(tmp_path / "lora")


def test_interrupted_at_every_stage(client: HubClient, repo: Repo, tmp_path: Path) -> None:
    stages = len(list(pull(client, look(client, TARGET), tmp_path / "lora")))
    for stage in range(stages - 1):
        place = tmp_path / f"lora{stage}"
        events = pull(client, look(client, TARGET), place)
        for _ in range(stage + 1):
            next(events)
        events.close()
        assert not place.exists()
        pulled(client, place)
        validate(place)
        assert not list(tmp_path.glob(f".lora{stage}*"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", range(1, 16))
def test_killed_at_any_request_the_next_pull_goes_on(
    hub: Hub, repo: Repo, tmp_path: Path, stage: int
) -> None:
    command = ["hub", "pull", "cook/lora", "--to", str(tmp_path / "lora")]
    if not killed_at(hub, stage, command):
        # It made fewer requests, so it was not killed.
        validate(tmp_path / "lora")
        return
    assert not (tmp_path / "lora").exists()
    assert main(command) == 0
    validate(tmp_path / "lora")
    assert left_over(tmp_path) == ["lora"]


def test_the_command_line_pulls_lists_and_verifies(
    hub: Hub, repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "lora")
    assert main(["hub", "pull", "cook/lora", "--to", place]) == 0
    assert main(["hub", "pull", "cook/lora", "--to", place]) == 0
    assert "already downloaded" in capsys.readouterr().out
    assert main(["hub", "verify", place, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (
        answer["artifact"] == "lora" and answer["licence"] == "apache-2.0" and answer["files"] == 3
    )
    (tmp_path / "lora" / WEIGHTS).write_bytes(b"x")
    assert main(["hub", "verify", place]) == 2
    assert f"{WEIGHTS} has 1 bytes instead of" in capsys.readouterr().err
    assert main(["hub", "pull", "cook/lora", "--to", place]) == 2
    assert main(["hub", "pull", "cook/lora"]) == 0
    capsys.readouterr()
    assert main(["hub", "list"]) == 0
    assert f"cook/lora@{repo.head[:12]}" in capsys.readouterr().out
    assert main(["hub", "pull", "cook/none"]) == 1
    assert main(["hub", "pull", "none"]) == 2
    assert main(["hub", "verify", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no repository cook/none" in said and "holds no release" in said
    for line in said.splitlines():
        assert line.startswith("procvid: ") and "Traceback" not in line


def test_every_error_is_ours(client: HubClient, repo: Repo, hub: Hub, tmp_path: Path) -> None:
    for status in (400, 401, 402, 403, 404, 409, 410, 418, 451, 500, 502, 599):
        hub.faults.clear()
        hub.fail("GET", "/api/models/", "answer", 99, status=status)
        with pytest.raises(ProcvidError) as caught:
            look(client, TARGET)
        assert len(str(caught.value)) < 300 and OWNER not in str(caught.value)
