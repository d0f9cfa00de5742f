"""The reinforcement: it learns, resumes exactly, and tells when it cannot learn."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import procvid
from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.models.scene_readers.tiny import TinyReader
from procvid.phantom.model_folder import load_pipeline
from procvid.train.curve import read_curve
from procvid.train.lora.weights import add_lora
from procvid.train.rl import reward_gradient
from procvid.train.rl.events import Reinforced, ReinforcementFinished, RolledOut
from procvid.train.rl.learning import Judged, parts_of
from procvid.train.rl.policy import Policy
from procvid.train.rl.rollouts import FOLDER, Maker, RolloutJob, roll_out
from procvid.train.rl.waiting import Waiting
from procvid.types import ModelInfo
from tests.train.rl.conftest import SAMPLING, Bright, amplified

ASSETS = Path(procvid.__file__).parent / "assets"

LORA = "lora/pytorch_lora_weights.safetensors"


def curve_of(folder) -> list[dict[str, float]]:
    rows = read_curve(folder / "loss.csv")
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def same_lora(one, other) -> bool:
    a, b = load_file(one / LORA), load_file(other / LORA)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("algorithm", ["nft", "grpo"])
def test_the_reward_rises(reinforcement, tmp_path, algorithm):
    changes = {"grpo": {"learning_rate": 3e-2, "noise": 0.7, "clip_range": 0.1}}.get(algorithm, {})
    training = reinforcement(tmp_path, algorithm=algorithm, iterations=6, group=4, **changes)
    events = list(training.run())
    assert isinstance(events[-1], ReinforcementFinished)
    rewards = [event.reward for event in events if isinstance(event, Reinforced)]
    assert np.mean(rewards[-2:]) > np.mean(rewards[:2]), rewards
    assert all(row["distance"] >= 0 for row in curve_of(tmp_path))


def tiny_reader() -> TinyReader:
    return TinyReader(ASSETS / "tiny_reader")


def test_a_reward_with_gradients_rises(reinforcement, tmp_path, monkeypatch):
    # The clips of the quick model are fainter than what the views change.
    for name in ("SHIFT", "LIGHT", "NOISE"):
        monkeypatch.setattr(reward_gradient, name, 0)
    changes = {"iterations": 5, "shots": 1, "group": 2, "gradient_steps": 1, "learning_rate": 3e-2}
    training = reinforcement(
        tmp_path, kind="identity", algorithm="reward-gradient", make_reader=tiny_reader, **changes
    )
    list(training.run())
    losses = [row["loss"] for row in curve_of(tmp_path)]
    assert losses[-1] < losses[0], losses


def test_a_reward_without_gradients_cannot_be_propagated(reinforcement, tmp_path):
    training = reinforcement(tmp_path, algorithm="reward-gradient", make_reader=tiny_reader)
    with pytest.raises(UnavailableError, match="needs a reward with gradients"):
        list(training.run())


def stop_at(training, kind, number: int) -> None:
    """Stop the training at an event, as a kill would."""
    events = training.run()
    for event in events:
        if isinstance(event, kind) and event.iteration == number:
            events.close()
            return
    raise AssertionError("the event did not come")


@pytest.fixture(scope="module")
def whole(reinforcement, tmp_path_factory):
    """An uninterrupted training of two iterations."""
    out = tmp_path_factory.mktemp("whole")
    list(reinforcement(out).run())
    return out


@pytest.mark.parametrize("kind", [RolledOut, Reinforced])
def test_stopped_and_resumed_is_the_uninterrupted_training(reinforcement, whole, tmp_path, kind):
    """Stopped among the clips of an iteration, and between its update and its saved state."""
    parts = tmp_path / "parts"
    stop_at(reinforcement(parts), kind, 2)
    kept = list((parts / FOLDER / "00001").iterdir())
    assert len(kept) == (1 if kind is RolledOut else 2)
    before = {file: file.stat().st_mtime_ns for file in kept}
    torch.manual_seed(5)
    events = reinforcement(parts).run()
    for event in events:
        if isinstance(event, Reinforced):
            assert all(
                file.stat().st_mtime_ns == at for file, at in before.items() if file.exists()
            )
            break
    list(events)
    assert curve_of(parts) == curve_of(whole) and same_lora(parts, whole)
    assert not list((parts / FOLDER).glob("0*")), "the clips of finished iterations are deleted"


def test_the_batch_size_does_not_change_the_curve(reinforcement, whole, tmp_path):
    list(reinforcement(tmp_path, batch_size=1).run())
    one, other = curve_of(tmp_path), curve_of(whole)
    assert [r["loss"] for r in one] == pytest.approx([r["loss"] for r in other], rel=1e-4)


def test_one_and_two_workers_make_the_same_bytes(reinforcement, one_thread, tmp_path):
    for workers in (1, 2):
        list(reinforcement(tmp_path / str(workers), iterations=1, workers=workers).run())
    assert curve_of(tmp_path / "1") == curve_of(tmp_path / "2")
    assert same_lora(tmp_path / "1", tmp_path / "2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda value: 0.5, "have equal rewards"),
        (lambda value: None, "No reward applies"),
        (lambda value: math.nan, "No reward applies"),
    ],
)
def test_rewards_that_teach_nothing_change_nothing(reinforcement, tmp_path, answer, reason):
    events = list(reinforcement(tmp_path, Bright(answer), iterations=2).run())
    found = [event for event in events if isinstance(event, Reinforced)]
    assert len(found) == 2 and all(reason in event.reason for event in found)
    weights = load_file(tmp_path / LORA)
    assert all(not value.any() for key, value in weights.items() if "lora_B" in key)


def test_a_judge_that_goes_away_is_waited_for(reinforcement, tmp_path):
    away = iter([True, True, *[False] * 1000])

    def answer(value: float) -> float:
        if next(away):
            raise ServiceError("The judge is busy.")
        return amplified(value)

    events = list(reinforcement(tmp_path, Bright(answer), validation=0, iterations=1).run())
    assert [event.reason for event in events if isinstance(event, Waiting)] == [
        "The judge is busy."
    ] * 2
    assert isinstance(events[-1], ReinforcementFinished)


def test_a_judge_that_stays_away_loses_no_clip(reinforcement, shots, tmp_path):
    def answer(value: float) -> float:
        raise ServiceError("The key is wrong.", lasting=True)

    training = reinforcement(tmp_path, Bright(answer))
    training.held_out = []
    with pytest.raises(ServiceError, match="The key is wrong"):
        list(training.run())
    (kept,) = (tmp_path / FOLDER / "00000").iterdir()
    before = kept.stat().st_mtime_ns
    training = reinforcement(tmp_path)
    training.held_out = []
    stop_at(training, RolledOut, 1)
    assert kept.stat().st_mtime_ns == before


def test_another_training_is_refused(reinforcement, whole):
    with pytest.raises(InputError, match="holds another training: its group is 3, not 4"):
        list(reinforcement(whole, group=4).run())


def test_another_base_is_refused(reinforcement, base, whole, tmp_path):
    folder = shutil.copytree(base.folder, tmp_path / "base")
    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    training = reinforcement(whole)
    training.base = replace(base, folder=folder)
    with pytest.raises(InputError, match="holds another training: its base sha256 is"):
        list(training.run())


def test_no_reward_judges_the_result(reinforcement, tmp_path):
    info = ModelInfo("clip", "1")
    judge = Bright(models=(info,))
    judge.id = "brightness"
    with pytest.raises(InputError, match="the result would judge itself"):
        list(reinforcement(tmp_path, Bright(models=(info,)), judges=[judge]).run())


def test_the_best_and_the_worst_clip_of_a_group_are_a_pair(reinforcement, tmp_path):
    list(reinforcement(tmp_path, algorithm="dpo", iterations=2, shots=1, dpo_beta=100.0).run())
    losses = [row["loss"] for row in curve_of(tmp_path)]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3) and losses[1] != losses[0]


def test_the_ratio_is_one_before_the_first_update(reinforcement, base, shots, tmp_path):
    settings = reinforcement(tmp_path, algorithm="grpo", sde_steps=1).settings
    pipeline = load_pipeline(base.folder, torch.float32)
    parameters = add_lora(pipeline.transformer, 2, 2.0, 0, "all")
    policy = Policy(pipeline, parameters, SAMPLING)
    maker = Maker(policy, settings, loads=False)
    (group,) = roll_out(maker, RolloutJob(0, 0, shots[0], tmp_path / "none"))
    assert group.logs.shape == (3, 1)
    gains = np.array([1.0, -0.25, -0.75])
    parts = list(parts_of(policy, Judged(group, gains), settings, 0, policy.weights()))
    # With a ratio of 1 the loss is minus the advantages, and the base is the policy.
    assert sum(float(part.policy.detach()) for part, _ in parts) == pytest.approx(
        -gains.sum(), abs=1e-4
    )
    assert all(float(part.distance.detach()) == pytest.approx(0, abs=1e-6) for part, _ in parts)
