"""Small copies of the published annotation files, good and damaged."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from procvid.data.readers.annotations import CHUNK_BYTES
from procvid.data.readers.choose import Collection
from procvid.data.source import Source, VideoFolder
from procvid.errors import InputError
from procvid.types import TimedText


def read(path: Path, **options) -> dict[str, Source]:
    return {source.video_id: source for source in Collection(path, **options).read()}


def put_videos(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.fixture
def howto100m(tmp_path: Path) -> Path:
    (tmp_path / "HowTo100M_v1.csv").write_text(
        "video_id,category_1,category_2,rank,task_id\n"
        "aaa,Food and Entertaining,Recipes,1,105222\n"
        "bbb,Food and Entertaining,Recipes,2,105253\n"
        "ccc,Cars & Other Vehicles,Tyres,1,7\n"
        "ddd,Food and Entertaining,Recipes,3,105222\n"
    )
    (tmp_path / "task_ids.csv").write_text("105222\tMake Kimchi, Fast\n105253,Make Pancakes\n")
    captions = {
        "aaa": {"start": [0.5, 4], "end": [3.5, 6.25], "text": ["hello", "slice the carrot"]},
        "ccc": {"start": [1], "end": [2], "text": ["a tyre"]},
        "bbb": {"start": [1, "x"], "end": [2, 3], "text": [None, "two"]},
    }
    (tmp_path / "raw_caption.json").write_text(json.dumps(captions))
    put_videos(tmp_path / "videos", "aaa.mp4", "bbb.webm", "ccc.mp4")
    return tmp_path


def test_howto100m(howto100m: Path) -> None:
    found = read(howto100m)
    assert list(found) == ["aaa", "bbb", "ddd"]
    assert found["aaa"] == Source(
        "aaa",
        "videos/aaa.mp4",
        "Make Kimchi, Fast",
        (TimedText(0.5, 3.5, "hello"), TimedText(4.0, 6.25, "slice the carrot")),
        url="https://www.youtube.com/watch?v=aaa",
    )
    assert found["bbb"].file == "videos/bbb.webm"
    # Later stages leave out and count what is invalid.
    assert found["bbb"].cues == (TimedText(1.0, 2.0, ""), TimedText(-1.0, -1.0, "two"))
    assert found["ddd"].file == "" and found["ddd"].fault == "The video has no captions."
    assert "ccc" in read(howto100m, category="")


def test_sentences_come_before_raw_captions(howto100m: Path) -> None:
    captions = {"aaa": {"start": [1], "end": [5], "text": ["Slice the carrot."]}}
    (howto100m / "sentencified_htm_370k.json").write_text(json.dumps(captions))
    assert read(howto100m)["aaa"].cues == (TimedText(1.0, 5.0, "Slice the carrot."),)
    raw = howto100m / "raw_caption.json"
    assert len(read(howto100m, captions=raw)["aaa"].cues) == 2


def test_youcook2(tmp_path: Path) -> None:
    file = tmp_path / "youcookii_annotations_trainval.json"
    steps = [
        {"segment": [41, 54], "id": 0, "sentence": "place the bacon slices on a baking pan"},
        {"segment": ["x", 54], "id": 1, "sentence": "wrong"},
    ]
    value = {"duration": 311.77, "subset": "training", "recipe_type": "113", "annotations": steps}
    file.write_text(json.dumps({"database": {"xyz": {**value, "video_url": "https://u"}, "q": 3}}))
    put_videos(tmp_path / "training" / "113", "xyz.mp4")
    found = read(tmp_path)
    assert found["xyz"].actions == (
        TimedText(41.0, 54.0, steps[0]["sentence"]),
        TimedText(-1.0, -1.0, "wrong"),
    )
    assert (found["xyz"].file, found["xyz"].url) == ("training/113/xyz.mp4", "https://u")
    assert found["q"].fault == "The video has no annotated steps."
    assert read(file) == found


def test_ht_step(tmp_path: Path) -> None:
    (tmp_path / "taxonomy.csv").write_text(
        "global_step_index,activity,step_index,variation,variation_index,headline,paragraph\n"
        '0,Make Pastel De Papa,0,none,1,Make mashed potatoes.,"Chop the potatoes, boil."\n'
        "1,Make Pastel De Papa,1,none,2,Hard boil the eggs.,\n"
    )
    value = {
        "activity": "Make Pastel De Papa",
        "subset": "train",
        "annotations": [{"id": 1, "segment": [3.5, 9.0]}, {"id": 99, "segment": [1, 2]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps({"vid": value}))
    put_videos(tmp_path, "vid.mkv")
    found = read(tmp_path)["vid"]
    assert found.actions == (TimedText(3.5, 9.0, "Hard boil the eggs."), TimedText(1.0, 2.0, ""))
    assert (found.title, found.file) == ("Make Pastel De Papa", "vid.mkv")


def test_a_folder_of_videos(tmp_path: Path) -> None:
    put_videos(tmp_path / "more", "a.mp4", "b.mp4", "c.mov", ".hidden.mp4")
    cue = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n"
    (tmp_path / "more" / "a.en.vtt").write_text(f"{cue}slice\n")
    (tmp_path / "more" / "a.de.vtt").write_text(f"{cue}schneiden\n")
    (tmp_path / "more" / "b.srt").write_text("nothing")
    found = read(tmp_path)
    assert found["a"].cues[0].text == "slice" and found["a"].file == "more/a.mp4"
    assert found["b"].fault == "The subtitles b.srt have no cues."
    assert found["c"].fault == "The video has no subtitles beside it."
    assert len(found) == 3


CUE = "1\n00:00:01,000 --> 00:00:02,000\n"


def test_videos_of_one_name_have_an_id_each(tmp_path: Path) -> None:
    put_videos(tmp_path, "x.mp4", "x.webm", "y.mp4", "x.mp4.mkv")
    for name in ("a", "b"):
        put_videos(tmp_path / name, "z.mp4")
        (tmp_path / name / "z.srt").write_text(f"{CUE}{name}\n")
    found = read(tmp_path)
    assert {i: s.file for i, s in found.items()} == {
        "x.mp4": "x.mp4",
        "x.webm": "x.webm",
        "x.mp4.mkv": "x.mp4.mkv",
        "y": "y.mp4",
        "a/z": "a/z.mp4",
        "b/z": "b/z.mp4",
    }
    assert [(found[i].title, found[i].cues[0].text) for i in ("a/z", "b/z")] == [
        ("z", "a"),
        ("z", "b"),
    ]


def test_further_files_of_one_annotated_video_are_reported(tmp_path: Path) -> None:
    steps = [{"segment": [1, 2], "sentence": "Slice the carrot."}]
    annotations = {"database": {"v": {"annotations": steps}}}
    (tmp_path / "youcookii_annotations_trainval.json").write_text(json.dumps(annotations))
    put_videos(tmp_path / "a", "v.mp4")
    put_videos(tmp_path / "b", "v.mp4")
    found = read(tmp_path)
    assert found["v"].file == "a/v.mp4"
    assert found["b/v.mp4"].fault == "The video has the id of 'a/v.mp4', which is used instead."


@pytest.mark.parametrize(
    ("subtitles", "owner"),
    [
        ("soup.srt", "soup"),
        ("soup.mp4.srt", "soup"),
        ("soup.en-US.srt", "soup"),
        ("soup.English.forced.srt", "soup"),
        ("soup.part2.srt", "soup.part2"),
        ("soup.part2.en.srt", "soup.part2"),
        ("soup.de.srt", "soup.de"),
        ("soup.part3.srt", ""),
        ("soupe.srt", ""),
    ],
)
def test_subtitles_belong_to_the_video_of_their_whole_name(
    tmp_path: Path, subtitles: str, owner: str
) -> None:
    put_videos(tmp_path, "soup.mp4", "soup.part2.mp4", "soup.de.mp4")
    (tmp_path / subtitles).write_text(f"{CUE}slice\n")
    assert [i for i, source in read(tmp_path).items() if source.cues] == [owner] * bool(owner)


@pytest.mark.parametrize("forms", ["NFC NFD", "NFD NFC"])
def test_composed_and_decomposed_names_are_equal(tmp_path: Path, forms: str) -> None:
    video, other = (unicodedata.normalize(form, "crème") for form in forms.split())
    put_videos(tmp_path, f"{video}.mp4")
    (tmp_path / f"{other}.en.srt").write_text(f"{CUE}whip\n")
    assert read(tmp_path)["crème"].cues[0].text == "whip"
    assert VideoFolder(tmp_path).find(other) == f"{video}.mp4"


@pytest.mark.parametrize("padding", [0, CHUNK_BYTES - 46, CHUNK_BYTES - 40, 3 * CHUNK_BYTES])
def test_not_a_number_costs_one_cue(howto100m: Path, padding: int) -> None:
    said = ['a "NaN" \\', "-Infinity", "x" * padding]
    captions = {
        "aaa": {"start": [float("nan"), 1, 2], "end": [1, float("inf"), 3], "text": said},
        "bbb": {"start": [1, 1e99], "end": [2, 3], "text": ["one", "two"]},
    }
    (howto100m / "raw_caption.json").write_text(json.dumps(captions))
    found = read(howto100m)
    assert [cue.text for cue in found["aaa"].cues] == said
    assert [cue.start_s for cue in found["aaa"].cues] == [-1.0, -1.0, 2.0]
    assert found["bbb"].cues == (TimedText(1.0, 2.0, "one"), TimedText(-1.0, -1.0, "two"))


def test_damage_has_a_place(howto100m: Path) -> None:
    text = '{"aaa": {"start": [], "end": [], "text": []}, "bbb": {"start": [1,,2]}}'
    (howto100m / "raw_caption.json").write_text(text)
    with pytest.raises(InputError, match="after 'aaa', near byte 7"):
        read(howto100m)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("HowTo100M_v1.csv", "video,task\n1,2\n", "has no column 'video_id'"),
        ("raw_caption.json", '{"aaa": {"start": [1', "not JSON, or is truncated"),
        ("raw_caption.json", "nonsense", "not JSON"),
    ],
)
def test_damaged_files_are_reported_by_name(
    howto100m: Path, name: str, text: str, says: str
) -> None:
    (howto100m / name).write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        read(howto100m)
    assert name in caught.value.message


def test_what_is_not_there(tmp_path: Path, howto100m: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "nowhere")
    (howto100m / "raw_caption.json").unlink()
    with pytest.raises(InputError, match="has no captions"):
        read(howto100m)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no videos"):
        read(tmp_path / "empty")
    with pytest.raises(InputError, match="Unknown format 'dvd'"):
        read(tmp_path / "empty", format="dvd")
