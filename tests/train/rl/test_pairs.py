"""Training folders as reinforcement reads them: own references, held-out sources, pairs; and dpo on pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError
from procvid.media.image import save_png
from procvid.media.video import write_clip
from procvid.train.curve import read_curve
from procvid.train.rl.data import read_shots
from procvid.train.rl.events import Reinforced
from tests.train.rl.conftest import SAMPLING
from tests.train.rl.test_training import same_lora, stop_at

PAN = {"name": "frying pan", "role": "vessel", "state_before": "clean", "state_after": "in use"}


def row(number: int, source: str, **more: object) -> dict[str, object]:
    return {
        "file_name": f"{number}.mp4",
        "rejected_file_name": "bad.mp4",
        "text": "Fry the onion.",
        "source_id": source,
        "action": "fry",
        "objects": [PAN],
        "references": [{"file_name": "pan.png", "name": "frying pan"}],
        **more,
    }


def write(folder: Path, rows: list[dict[str, object]]) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pairs of one recipe and one of another: a white clip is better than a black one."""
    shape = (SAMPLING.num_frames, SAMPLING.height, SAMPLING.width, 3)
    for number in range(3):
        write_clip(tmp_path / f"{number}.mp4", np.full(shape, 200 + number, np.uint8), SAMPLING.fps)
    write_clip(tmp_path / "bad.mp4", np.full(shape, 20, np.uint8), SAMPLING.fps)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    save_png(tmp_path / "pan.png", np.full((20, 30, 3), 90, np.uint8))
    write(tmp_path, [row(0, "a"), row(1, "a"), row(2, "b")])
    return tmp_path


def test_whole_recipes_are_held_out(folder):
    data = read_shots(folder, 1)
    assert [shot.key[:5] for shot in data.train] == ["0.mp4", "1.mp4"]
    assert [shot.key[:5] for shot in data.held_out] == ["2.mp4"]
    assert [pair.shot for pair in data.pairs] == data.train
    (reference,) = data.train[0].references
    assert reference[0] == "frying pan" and reference[1].shape == (20, 30, 3)


def test_dpo_learns_from_pairs_and_resumes(reinforcement, folder, tmp_path):
    data = read_shots(folder, 0)

    def training(out: Path):
        made = reinforcement(out, algorithm="dpo", iterations=4, dpo_beta=3.0)
        made.shots, made.pairs, made.held_out = data.train, data.pairs, []
        return made

    events = [each for each in training(tmp_path / "one").run() if isinstance(each, Reinforced)]
    losses = [event.loss for event in events]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-3) and losses[-1] < losses[0] - 1e-3, losses
    assert all(np.isnan(event.reward) for event in events), "no clip was made"
    record = json.loads((tmp_path / "one" / "lora" / "training.json").read_text())
    assert record["data"] == "3 pairs, 4 iterations" and len(record["loss_curve"]) == 4
    stop_at(training(tmp_path / "two"), Reinforced, 2)
    list(training(tmp_path / "two").run())
    assert same_lora(tmp_path / "one", tmp_path / "two")
    curves = [read_curve(tmp_path / name / "loss.csv") for name in ("one", "two")]
    assert [line["loss"] for line in curves[0]] == [line["loss"] for line in curves[1]]
    (folder / "bad.mp4").write_bytes((folder / "0.mp4").read_bytes())
    with pytest.raises(InputError, match="holds another training: its pairs sha256"):
        list(training(tmp_path / "one").run())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [row(0, "a"), row(1, "a", rejected_file_name=None)],
            "1 of 2 training rows have no rejected",
        ),
        ([row(0, "a", rejected_file_name="gone.mp4")], "gone.mp4 of a pair is missing"),
        ([row(0, "a", rejected_file_name="broken.mp4")], "broken.mp4"),
        ([row(0, "a", rejected_file_name="../x.mp4")], "names the file '../x.mp4'"),
        ([row(0, "a", rejected_file_name="x.exe")], "names the file 'x.exe'"),
        ([row(0, "a", references=[{"file_name": "pan.png"}])], "has no valid name"),
    ],
)
def test_a_bad_pair_is_refused(folder, rows, words):
    write(folder, rows)
    with pytest.raises(InputError, match=words):
        read_shots(folder, 0)
