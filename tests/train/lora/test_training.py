"""The training: one curve for any batch size, exact resume, and failures."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from procvid.errors import InputError, OutputError, ProcvidError
from procvid.train.curve import read_curve
from procvid.train.lora.folder import read_training_folder
from procvid.train.lora.latents import LatentCache, _load
from procvid.train.lora.training import Trained, TrainingFinished, _encoders_sha256
from tests.disk import files_no_larger_than

LORA = "lora/pytorch_lora_weights.safetensors"


def losses(folder) -> list[float]:
    return [row["loss"] for row in read_curve(folder / "loss.csv")]


def same_tensors(one, other) -> bool:
    """Compare all tensors except torch's random state, which other tests change."""
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a.keys() - {"rng"})


def stop_after(training, steps: int) -> None:
    """Stop the training after this many steps, as a kill would."""
    events = training.run()
    for event in events:
        if isinstance(event, Trained) and event.step == steps:
            events.close()
            return


@pytest.fixture(scope="module")
def whole(training, tmp_path_factory):
    """An uninterrupted training of two epochs, in batches of four."""
    out = tmp_path_factory.mktemp("whole")
    events = list(training(out, epochs=2).run())
    assert isinstance(events[-1], TrainingFinished)
    return out


def test_one_times_eight_and_eight_times_one_give_one_curve(training, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    list(training(one, epochs=3, batch_size=1, accumulate=8).run())
    list(training(other, epochs=3, batch_size=8, accumulate=1).run())
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)
    assert len(losses(one)) >= 6 and len(set(losses(one))) == len(losses(one))
    a, b = load_file(one / LORA), load_file(other / LORA)
    assert max((a[k] - b[k]).abs().max() for k in a) < 2e-4


def test_stopped_and_resumed_is_the_uninterrupted_training(training, whole, tmp_path):
    stop_after(training(tmp_path, epochs=2), 3)
    assert len(losses(tmp_path)) == 3, "one step beyond the saved state"
    torch.manual_seed(123)
    list(training(tmp_path, epochs=2).run())
    assert losses(tmp_path) == losses(whole)
    assert same_tensors(tmp_path / LORA, whole / LORA)
    assert same_tensors(tmp_path / "state.safetensors", whole / "state.safetensors")


def test_a_folder_of_another_training_is_refused(training, whole):
    with pytest.raises(InputError, match="holds another training: its rank is 4, not 8") as caught:
        list(training(whole, epochs=2, rank=8).run())
    assert caught.value.exit_code == 2
    events = list(training(whole, epochs=2, batch_size=2, accumulate=2).run())
    assert not any(isinstance(event, Trained) for event in events), "it is finished"


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(
    training, toy_data, shared_cache, whole, tmp_path
):
    out, cache = tmp_path / "out", tmp_path / "cache"
    shutil.copytree(shared_cache, cache)
    folder = read_training_folder(toy_data)
    job = training(out, cache=cache)
    latents = LatentCache(cache, folder, job.settings, _encoders_sha256(job.base))
    bad = folder.examples[0]
    file = latents._video_file(bad)
    save_file({"latents": torch.full_like(load_file(file)["latents"], torch.nan)}, file)
    _load.cache_clear()
    with pytest.raises(ProcvidError, match="is not a number") as caught:
        list(job.run())
    assert bad.key in caught.value.message and "last good state" in caught.value.message
    with safe_open(out / "state.safetensors", framework="pt") as opened:
        step = json.loads(opened.metadata()["state"])["step"]
        assert all(opened.get_tensor(key).isfinite().all() for key in opened.keys())  # noqa: SIM118
    assert f"step {step} is" in caught.value.message and len(losses(out)) == step
    _load.cache_clear()


def test_a_full_disk_keeps_the_last_state(training, whole, tmp_path):
    stop_after(training(tmp_path, epochs=2), 3)
    before = (tmp_path / "state.safetensors").read_bytes()
    with (
        files_no_larger_than(len(before) // 2),
        pytest.raises(OutputError, match=r"state.safetensors.*larger"),
    ):
        list(training(tmp_path, epochs=2).run())
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*tmp*"))
    assert losses(tmp_path)[:2] == losses(whole)[:2]


def test_broken_clips_and_crops_are_listed_and_skipped(training, toy_data, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(toy_data, data)
    clips = sorted((data / "clips").iterdir())
    clips[0].write_bytes(clips[0].read_bytes()[:400])
    clips[1].unlink()
    crop = sorted((data / "crops").iterdir())[-1]
    crop.write_bytes(b"no picture")
    events = list(training(out, data=data).run())
    assert events[-1].skipped == 2 and events[-1].examples == len(clips) - 2
    lines = (out / "skipped.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row.get("example", row.get("crop")) for row in rows] == [
        f"clips/{clips[0].name}",
        f"clips/{clips[1].name}",
        crop.name,
    ]
    assert all(row["why"] for row in rows)
    assert json.loads((out / "lora/training.json").read_text())["skipped"] == 2


def test_data_without_usable_examples_are_refused(training, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/metadata.jsonl").write_text('{"file_name": "a.mp4", "text": "Slice."}\n')
    with pytest.raises(InputError, match="None of the 1 examples can be used"):
        list(training(tmp_path / "out", data=tmp_path / "data").run())


@pytest.mark.slow
def test_pictures_and_clips_with_validation_and_checkpointing(training, toy_data, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(toy_data, data)
    rows = (data / "metadata.jsonl").read_text().splitlines()
    picture = sorted((data / "crops").iterdir())[0]
    rows.append(json.dumps({"file_name": f"crops/{picture.name}", "text": "A board."}))
    (data / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    wishes = {"validation": 3, "validate_every": 1, "epochs": 2}
    plain = list(training(tmp_path / "plain", data=data, **wishes).run())
    list(training(out, data=data, checkpointing=True, track=True, **wishes).run())
    assert losses(out) == pytest.approx(losses(tmp_path / "plain"), rel=1e-5)
    assert (out / "validation.csv").read_text().count("\n") == 3
    assert len(list((out / "validation").rglob("*.mp4"))) == 6
    assert len(list((out / "lora" / "examples").iterdir())) == 3
    assert list(out.rglob("events.out.tfevents*"))
    assert plain[-1].examples == len(rows) - 3
