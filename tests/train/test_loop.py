"""The training loop: exact resume, schedule, averaged weights and curve."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lab.pretrain.transformer import attention_of
from procvid.errors import InputError, OutputError
from procvid.train.curve import read_curve
from procvid.train.loop import DrawnBatches, Loop, Schedule, train
from tests.disk import files_no_larger_than

SCHEDULE = Schedule(steps=12, ema=0.9, save_every=5, seed=4)


def draw(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
    return {"x": torch.from_numpy(rng.normal(size=(32, 8))).float()}


def model_and_losses():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))

    def losses(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        x = batch["x"] + 0.01 * torch.randn_like(batch["x"])
        return {"mse": (model(x) - x.flip(1)).square().mean()}

    return model, losses


def test_stopped_and_resumed_equals_uninterrupted(tmp_path):
    model, losses = model_and_losses()
    whole = train(model, draw, losses, SCHEDULE, tmp_path / "a", "m").state_dict()

    class StoppedError(Exception):
        pass

    cut, cut_losses = model_and_losses()

    def until_7(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        if step == 7:
            raise StoppedError
        return draw(rng, step)

    with pytest.raises(StoppedError):
        train(cut, until_7, cut_losses, SCHEDULE, tmp_path / "b", "m")
    again, again_losses = model_and_losses()
    resumed = train(again, draw, again_losses, SCHEDULE, tmp_path / "b", "m").state_dict()
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_it_learns_and_writes_its_curve(tmp_path):
    model, losses = model_and_losses()
    held_out = draw(np.random.default_rng(9), 0)
    before = float(losses(held_out)["mse"].detach())
    train(model, draw, losses, replace(SCHEDULE, steps=150, ema=0.0), tmp_path, "m")
    after = float(losses(held_out)["mse"].detach())
    assert after < 0.5 * before
    assert (tmp_path / "m.csv").read_text().startswith("step,seconds,mse")


def test_a_resumed_curve_has_every_line_once(tmp_path):
    schedule = replace(SCHEDULE, steps=45, save_every=10)
    model, losses = model_and_losses()
    train(model, draw, losses, schedule, tmp_path / "a", "m")

    def until_43(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        if step == 43:
            raise KeyboardInterrupt
        return draw(rng, step)

    cut, cut_losses = model_and_losses()
    with pytest.raises(KeyboardInterrupt):
        train(cut, until_43, cut_losses, schedule, tmp_path / "b", "m")
    again, again_losses = model_and_losses()
    train(again, draw, again_losses, schedule, tmp_path / "b", "m")
    whole, resumed = (read_curve(tmp_path / name / "m.csv") for name in "ab")
    assert [row["step"] for row in resumed] == [0, 20, 40, 44]
    assert [row["mse"] for row in resumed] == [row["mse"] for row in whole]


def test_the_loop_yields_what_it_logs(tmp_path):
    model, losses = model_and_losses()
    events = list(Loop(model, draw, losses, SCHEDULE, tmp_path, "m").run())
    assert [event.step for event in events] == [0, 11] and set(events[0].losses) == {"mse"}
    done = Loop(*model_and_losses()[:1], draw, losses, SCHEDULE, tmp_path, "m")
    assert list(done.run()) == [], "a finished training has nothing left to do"


def test_a_training_begun_with_another_schedule_is_refused(tmp_path):
    model, losses = model_and_losses()
    train(model, draw, losses, SCHEDULE, tmp_path, "m")
    again, again_losses = model_and_losses()
    train(again, draw, again_losses, replace(SCHEDULE, save_every=3), tmp_path, "m")
    with pytest.raises(InputError, match=r"m\.ckpt was begun with steps 12, not 20"):
        train(again, draw, again_losses, replace(SCHEDULE, steps=20), tmp_path, "m")
    heavier = replace(SCHEDULE, settings={"moving": 3.0})
    train(again, draw, again_losses, heavier, tmp_path / "other", "m")
    with pytest.raises(InputError, match=r"begun with moving 3\.0, not 2\.0"):
        lighter = replace(SCHEDULE, settings={"moving": 2.0})
        train(again, draw, again_losses, lighter, tmp_path / "other", "m")
    with pytest.raises(InputError, match=r"begun with moving 3\.0, not None"):
        train(again, draw, again_losses, SCHEDULE, tmp_path / "other", "m")


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path):
    model, losses = model_and_losses()
    train(model, draw, losses, replace(SCHEDULE, ema=0.0), tmp_path / "a", "m")

    def fills_up(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        if step == 8:
            disk.enter_context(files_no_larger_than(1000))
        return draw(rng, step)

    cut, cut_losses = model_and_losses()
    with ExitStack() as disk, pytest.raises(OutputError, match=r"m\.ckpt"):
        train(cut, fills_up, cut_losses, replace(SCHEDULE, ema=0.0), tmp_path / "b", "m")
    assert torch.load(tmp_path / "b" / "m.ckpt", weights_only=True)["step"] == 5
    again, again_losses = model_and_losses()
    train(again, draw, again_losses, replace(SCHEDULE, ema=0.0), tmp_path / "b", "m")
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )


def test_the_result_is_the_averaged_weights(tmp_path):
    model, losses = model_and_losses()
    trained = train(model, draw, losses, SCHEDULE, tmp_path, "m").state_dict()
    saved = torch.load(tmp_path / "m.ckpt", weights_only=True)
    assert all(torch.equal(trained[key], saved["average"][key]) for key in trained)
    assert any(not torch.equal(trained[key], saved["model"][key]) for key in trained)


def test_the_rate_warms_up_stays_and_falls_to_zero():
    schedule = Schedule(steps=100, warmup=10, decay=0.5)
    factors = [schedule.factor(step) for step in range(101)]
    assert factors[0] == 0.1 and factors[9] == factors[49] == 1.0
    assert factors[75] == pytest.approx(0.5) and factors[100] == 0.0
    assert factors[50:] == sorted(factors[50:], reverse=True)
    assert Schedule(steps=10, warmup=0).factor(0) == 1.0


def test_batches_depend_on_seed_step_and_rank_only():
    first = DrawnBatches(draw, 4, 0, 0, 10)
    later, other = DrawnBatches(draw, 4, 0, 6, 10), DrawnBatches(draw, 4, 1, 0, 10)
    assert len(first) == 10 and len(later) == 4
    assert torch.equal(first[7]["x"], later[1]["x"])
    assert not torch.equal(first[7]["x"], other[7]["x"])


@pytest.mark.parametrize("masked", [False, True])
def test_the_training_attention_equals_torchs(masked: bool) -> None:
    query, key, value = torch.randn(3, 2, 4, 9, 8).unbind()
    mask = torch.randn(2, 1, 9, 9) if masked else None
    attend = torch.nn.functional.scaled_dot_product_attention
    with attention_of(torch.device("cpu")):
        plain = torch.nn.functional.scaled_dot_product_attention
        assert plain is not attend
        found = plain(query, key, value, attn_mask=mask, dropout_p=0.0, is_causal=False)
    assert torch.allclose(found, attend(query, key, value, attn_mask=mask), atol=1e-5)
