"""The training folder: valid and invalid lists, and invalid settings."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from procvid.errors import InputError
from procvid.train.lora.folder import read_training_folder
from procvid.train.lora.settings import LoraSettings

ROW = {"file_name": "a.mp4", "text": "Slice the carrot."}


def write(folder, *rows) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_parquet_and_json_lines_give_the_same_examples(toy_data, tmp_path):
    rows = [json.loads(line) for line in (toy_data / "metadata.jsonl").read_text().splitlines()]
    for part in ("clips", "crops"):
        (tmp_path / part).symlink_to(toy_data / part)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    one, other = read_training_folder(toy_data), read_training_folder(tmp_path)
    assert [e.key for e in one.examples] == [e.key for e in other.examples]
    assert [e.wants for e in one.examples] == [e.wants for e in other.examples]
    assert [[c.name for c in e.crops] for e in one.examples] == [
        [c.name for c in e.crops] for e in other.examples
    ]


def test_the_hash_covers_texts_and_files(tmp_path):
    write(tmp_path, ROW)
    (tmp_path / "a.mp4").write_bytes(b"1")
    first = read_training_folder(tmp_path).sha256
    assert first == read_training_folder(tmp_path).sha256
    (tmp_path / "a.mp4").write_bytes(b"2")
    second = read_training_folder(tmp_path).sha256
    write(tmp_path, {**ROW, "text": "Slice the onion."})
    assert len({first, second, read_training_folder(tmp_path).sha256}) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no rows"),
        ([[]], "Row 1 is not a JSON object"),
        ([{**ROW, "text": " "}], "Row 1 has no valid text"),
        ([{**ROW, "file_name": "../a.mp4"}], "names the file '../a.mp4'"),
        ([{**ROW, "file_name": "/etc/a.mp4"}], "names the file '/etc/a.mp4'"),
        ([{**ROW, "file_name": "a.pkl"}], "names the file 'a.pkl'"),
        ([ROW, ROW], "Rows 1 and 2 are both 'a.mp4'"),
        ([{**ROW, "crops": ["x.png"]}], "crops is not a list of JSON objects"),
        ([{**ROW, "crops": [{"file_name": "x.png"}]}], "Row 1 has no valid name"),
        ([{**ROW, "start_s": 3, "end_s": 2}], "an invalid time span: 3 to 2"),
        ([{**ROW, "focus_xyxy": [0.1, 0.2, 1.5, 0.8]}], "focus_xyxy is not a box"),
        ([{**ROW, "focus_xyxy": [0.5, 0.2, 0.5, 0.8]}], "focus_xyxy is not a box"),
        ([{**ROW, "focus_xyxy": "middle"}], "focus_xyxy is not a box"),
        ([{**ROW, "prior": "yes"}], "neither true nor false"),
    ],
)
def test_a_wrong_row_is_one_sentence(tmp_path, rows, message):
    write(tmp_path, *rows)
    with pytest.raises(InputError, match=message):
        read_training_folder(tmp_path)


def test_a_missing_or_broken_list_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds 0 of metadata\.jsonl and metadata\.parquet"):
        read_training_folder(tmp_path)
    (tmp_path / "metadata.jsonl").write_text(json.dumps(ROW) + "\n\n{")
    with pytest.raises(InputError, match=r"Line 3 of metadata\.jsonl is not JSON"):
        read_training_folder(tmp_path)


def test_lists_of_other_systems(tmp_path):
    """A byte order mark, Windows line ends, a line separator in a text, and a decomposed name."""
    row = {"file_name": "cre\u0300me.mp4", "text": "Slice\u2028the carrot."}
    text = f"\ufeff{json.dumps(row, ensure_ascii=False)}\r\n"
    (tmp_path / "metadata.jsonl").write_bytes(text.encode())
    (tmp_path / "cr\u00e8me.mp4").write_bytes(b"1")
    folder = read_training_folder(tmp_path)
    assert folder.examples[0].text == row["text"] and not folder.missing


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": 0},
        {"drop_text": 1.5},
        {"learning_rate": float("nan")},
        {"num_frames": 8},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    good = {"width": 64, "height": 64, "num_frames": 9, "fps": 6, "shift": 2.0}
    with pytest.raises(InputError, match="Choose"):
        LoraSettings(**{**good, **wrong})
