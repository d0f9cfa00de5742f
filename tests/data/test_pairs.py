"""Pairs of clips of the same step: grouped, described, asked about, and read by the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.data.pairs import PairCuration, clips_of
from procvid.errors import InputError
from procvid.evaluate.differences.annotations import read_annotations
from procvid.models.pair_writers.rules import RulesPairWriter

CLIPS = (
    ("a", 0, "Slice the carrot on the cutting board with a knife."),
    ("a", 9, "Slice the carrot into a bowl."),
    ("b", 0, "Slice the peeled carrot and the onion on a plate."),
    ("c", 0, "Boil the egg in the pot."),
    ("c", 9, "And now we wait."),
)


@pytest.fixture
def curation(tmp_path: Path) -> Path:
    folder = tmp_path / "curated"
    folder.mkdir()
    rows = [
        {
            "file": f"../{video}.mp4",
            "start_s": start,
            "end_s": start + 5,
            "text": text,
            "action": text,
            "source_id": video,
            "licence": "CC-BY-4.0",
        }
        for video, start, text in CLIPS
    ]
    (folder / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_pairs_by_rules(curation, tmp_path, capsys) -> None:
    out = tmp_path / "pairs"
    assert main(["curate", "pairs", str(curation), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "2 pairs of 1 steps" in printed and "No language model was asked" in printed
    assert "1 left out: no known action or food." in printed
    rows = [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]
    # The two clips of video a are no pair.
    assert {row["candidate"]["file"] for row in rows} == {"../b.mp4"}
    row = next(row for row in rows if row["reference"]["start_s"] == 0)
    assert row["step"] == "slice carrot"
    assert row["descriptions"][0] == (
        "Slicing the carrot (whole, then sliced) on the cutting board with the knife."
    )
    texts = [each["text"] for each in row["differences"]]
    assert "the carrot starts peeled instead of whole" in texts and "onion too" in texts
    assert "plate instead of cutting board" in texts
    kinds = [each["kind"] for each in row["questions"]]
    assert set(kinds) == {"difference", "which", "same action"}
    assert {"kind": "which", "question": "Which video shows onion?", "answer": "Video 2"} in (
        row["questions"]
    )
    assert "2 pairs of clips of 1 steps" in (out / "README.md").read_text()
    read = read_annotations(out / "pairs.jsonl")
    assert {each.category for each in read.captions} == {"ingredients", "tools"}
    before = (out / "pairs.jsonl").read_bytes()
    assert main(["curate", "pairs", str(curation), "--out", str(out), "--json"]) == 0
    assert (out / "pairs.jsonl").read_bytes() == before


def test_wrong_folders_are_refused(curation, tmp_path, capsys) -> None:
    assert main(["curate", "pairs", str(tmp_path / "no"), "--out", str(tmp_path / "x")]) == 2
    assert "not the folder of a curation" in capsys.readouterr().err
    assert main(["curate", "pairs", str(curation), "--out", str(curation)]) == 2
    assert "holds no pairs" in capsys.readouterr().err
    assert main(["curate", "pairs", str(curation), "--out", "x", "--per-step", "0"]) == 2
    only = PairCuration(clips_of(curation)[:2], RulesPairWriter())
    with pytest.raises(InputError, match="No two clips of different videos"):
        list(only.run(tmp_path / "x"))
