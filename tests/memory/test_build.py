"""Building a store: its content, its rejects, and resuming an interrupted build."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, OutputError
from procvid.memory.build import BuildProgress, build_store
from procvid.memory.clip_list import read_clip_list
from procvid.memory.store_folder import load_store
from procvid.protocols import Detector, Embedder, SceneReader
from procvid.storage.journal import FILE
from procvid.types import Frames, SceneObject

Build = Callable[..., Iterator[BuildProgress]]


class Counting:
    """A scene reader that counts how often it reads."""

    def __init__(self, reader: SceneReader) -> None:
        self.info, self.reader, self.num_reads = reader.info, reader, 0

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        self.num_reads += 1
        return self.reader.read(frames, text)


@pytest.fixture
def counting(reader: SceneReader) -> Counting:
    return Counting(reader)


@pytest.fixture
def build(
    kitchen_videos: Path, counting: Counting, detector: Detector, embedder: Embedder
) -> Build:
    def run(out: Path, listed: str = "clips.jsonl", **options: object) -> Iterator[BuildProgress]:
        return build_store(
            kitchen_videos / listed,
            out,
            scene_reader=counting,
            detector=detector,
            embedder=embedder,
            **options,  # type: ignore[arg-type]
        )

    return run


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_store_with_its_rejects(build: Build, tmp_path: Path, embedder: Embedder) -> None:
    out = tmp_path / "out" / "store"
    progress = list(build(out, licence="CC0-1.0", rights="Ours."))
    assert [(p.done, p.total, p.num_rejected) for p in progress] == [
        (1, 4, 0),
        (2, 4, 1),
        (3, 4, 1),
        (4, 4, 2),
        (4, 4, 2),
    ]
    assert progress[0].eta_s is not None and progress[-1].eta_s == 0
    store = load_store(out, embedder)
    assert [(c.source_id, c.name) for c in store.crops.facts] == [
        ("a", "frying pan"),
        ("b", "pot"),
        ("b", "knife"),
    ]
    assert store.licence == "CC0-1.0" and store.crops[1].licence == "CC-BY-4.0"
    assert 0.5 <= store.crops[1].time_s < 1.5
    rejects = [json.loads(line) for line in (out / "build/rejects.jsonl").read_text().splitlines()]
    assert [(r["source_id"], r["reason"].split(".")[0]) for r in rejects] == [
        ("bad", "The video bad"),
        ("gone", "The video file gone"),
    ]
    assert [path.name for path in out.parent.iterdir()] == ["store"]


def test_nothing_of_this_machine_is_in_the_store(build: Build, tmp_path: Path) -> None:
    list(build(tmp_path / "store"))
    for data in contents(tmp_path / "store").values():
        assert str(tmp_path).encode() not in data


def test_a_broken_off_build_goes_on_to_the_same_store(
    build: Build, counting: Counting, tmp_path: Path
) -> None:
    list(build(tmp_path / "whole" / "store"))
    assert counting.num_reads == 2
    out = tmp_path / "broken" / "store"
    broken = build(out)
    next(broken)
    broken.close()
    assert not out.exists()
    counting.num_reads = 0
    progress = list(build(out))
    assert progress[-1].num_reused == 1 and counting.num_reads == 1
    assert contents(out) == contents(tmp_path / "whole" / "store")


def test_a_damaged_part_is_made_again(build: Build, counting: Counting, tmp_path: Path) -> None:
    list(build(tmp_path / "whole" / "store"))
    out = tmp_path / "broken" / "store"
    broken = build(out)
    next(broken)
    broken.close()
    with closing(sqlite3.connect(out.parent / ".store.building" / FILE)) as journal:
        journal.execute("UPDATE clips SET body = substr(body, 1, length(body) - 1) || x'00'")
        journal.commit()
    assert list(build(out))[-1].num_reused == 0
    assert contents(out) == contents(tmp_path / "whole" / "store")


def test_another_request_takes_up_nothing(build: Build, tmp_path: Path) -> None:
    broken = build(tmp_path / "store")
    next(broken)
    broken.close()
    everything = frozenset({"unlikely", "likely", "highly_likely"})
    progress = list(build(tmp_path / "store", keep=everything))
    assert progress[-1].num_reused == 0
    names = {(c.name, c.state) for c in load_store(tmp_path / "store").crops.facts}
    assert ("carrot", "sliced") in names


def test_building_again_does_nothing(build: Build, counting: Counting, tmp_path: Path) -> None:
    list(build(tmp_path / "store"))
    before, counting.num_reads = contents(tmp_path / "store"), 0
    progress = list(build(tmp_path / "store"))[-1]
    assert (progress.done, progress.num_reused, progress.num_crops, counting.num_reads) == (
        4,
        2,
        3,
        0,
    )
    assert progress.num_rejected == 2 and contents(tmp_path / "store") == before


def test_building_again_takes_repaired_clips_and_other_words(
    build: Build, counting: Counting, kitchen_videos: Path, tmp_path: Path
) -> None:
    clips = kitchen_videos / "mended.jsonl"
    line = '{"file": "%s", "text": "the pot and the knife", "source_id": "%s"}\n'
    clips.write_text(line % ("a.mp4", "a") + line % ("later.mp4", "later"))
    text = clips.read_text().replace("the pot and the knife", "the frying pan", 1)
    clips.write_text(text)
    list(build(tmp_path / "store", "mended.jsonl", licence="CC0-1.0"))
    assert len(load_store(tmp_path / "store")) == 1
    shutil.copyfile(kitchen_videos / "b.mp4", kitchen_videos / "later.mp4")
    counting.num_reads = 0
    *_, progress = build(tmp_path / "store", "mended.jsonl", licence="MIT", rights="Ours.")
    store = load_store(tmp_path / "store")
    assert (progress.num_crops, progress.num_rejected, counting.num_reads) == (len(store), 0, 1)
    assert {crop.name for crop in store.crops.facts} == {"frying pan", "pot", "knife"}
    assert (store.name, store.licence, store.rights) == ("store", "MIT", "Ours.")
    assert "licence CC0-1.0" in progress.note and store.history[-1].what == "describe"
    before = contents(tmp_path / "store")
    *_, progress = build(tmp_path / "store", "mended.jsonl")
    assert progress.note == "" and contents(tmp_path / "store") == before


def test_a_folder_of_something_else_is_left_alone(build: Build, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="holds another store or other files"):
        list(build(tmp_path / "store"))
    assert (tmp_path / "store" / "thesis.txt").read_text() == "x"


def test_no_crop_at_all(build: Build, kitchen_videos: Path, tmp_path: Path) -> None:
    line = '{"file": "bad.mp4", "text": "pot", "source_id": "bad"}\n'
    (kitchen_videos / "none.jsonl").write_text(line)
    with pytest.raises(InputError, match=r"None of the 1 clips.*bad\.mp4"):
        list(build(tmp_path / "store", "none.jsonl"))
    assert not (tmp_path / "store").exists()


def test_an_output_that_cannot_be(build: Build, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        list(build(tmp_path / "file" / "store"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "has no clips"),
        ("slice the carrot", "Line 1 .* is not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ('{"text": "x", "source_id": "a"}', "has no file"),
        ('{"file": "a.mp4", "source_id": "a"}', "has no text"),
        ('{"file": "a.mp4", "text": " ", "source_id": "a"}', "has no text"),
        ('{"file": "a.mp4", "text": "x", "source_id": 3}', "has no source_id"),
        (
            '{"file": "a", "text": "x", "source_id": "a", "start_s": 2, "end_s": 1}',
            "not a valid span",
        ),
        ('{"file": "a", "text": "x", "source_id": "a", "start_s": -1}', "not a valid span"),
        ('{"file": "a", "text": "x", "source_id": "a", "start_s": "1"}', "not a valid span"),
        ('{"file": "a", "text": "x", "source_id": "a", "end_s": NaN}', "not a valid span"),
        ('{"file": "a", "text": "x", "source_id": "a", "end_s": true}', "not a valid span"),
        ('{"file": "a", "text": "x", "source_id": "a", "licence": 4}', "licence that is not text"),
        ('{"file": "a", "text": "x", "source_id": "a", "url": ["x"]}', "url that is not text"),
        ('{"file": "a", "text": "x", "source_id": "a", "lisence": "x"}', "Write 'licence'"),
        (
            '{"file": "a", "text": "x", "source_id": "a", "license": "x", "licence": "y"}',
            "different values",
        ),
    ],
)
def test_clip_lists_that_are_wrong(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "clips.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=says):
        read_clip_list(tmp_path / "clips.jsonl")


def test_unknown_keys_of_a_clip_list_give_a_warning(tmp_path: Path) -> None:
    line = '{"file": "a", "text": "x", "source_id": "a", "license": "CC0-1.0", "rating": 3}\n'
    (tmp_path / "clips.jsonl").write_text(line)
    warnings: list[str] = []
    (clip,) = read_clip_list(tmp_path / "clips.jsonl", warnings.append)
    assert clip.licence == "CC0-1.0"
    assert warnings == ["Unknown key 'rating' in 1 line of clips.jsonl is ignored."]


def test_clip_lists_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "\xe9"}')
    for path in (tmp_path / "nowhere.jsonl", tmp_path, tmp_path / "latin.jsonl"):
        with pytest.raises(InputError):
            read_clip_list(path)


def test_decomposed_names_of_a_clip_list(tmp_path: Path) -> None:
    clip = {"file": "de\u0301but/cre\u0300me.mp4", "text": "Whip.", "source_id": "a"}
    (tmp_path / "clips.jsonl").write_text("\ufeff" + json.dumps(clip))
    file = tmp_path / "d\u00e9but" / "cr\u00e8me.mp4"
    assert read_clip_list(tmp_path / "clips.jsonl")[0].file == tmp_path / clip["file"]
    file.parent.mkdir()
    file.write_bytes(b"1")
    assert read_clip_list(tmp_path / "clips.jsonl")[0].file == file


def test_times_and_paths_of_a_clip_list(tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").write_text(
        '{"file": "videos/a.mp4", "text": "x", "source_id": "a", "start_s": 1, "end_s": 2.5}'
    )
    (clip,) = read_clip_list(tmp_path / "clips.jsonl")
    assert clip.file == tmp_path / "videos" / "a.mp4" and (clip.start_s, clip.end_s) == (1.0, 2.5)
    assert np.isfinite(clip.start_s)
