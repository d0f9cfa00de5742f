"""The saved state: exact round trip, damage, and configs that differ."""

from __future__ import annotations

import json

import pytest
import torch

from procvid.errors import InputError
from procvid.train.lora.optimiser import Optimiser
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.state import CONFIG, STATE, check_config

SETTINGS = LoraSettings(
    width=64, height=64, num_frames=9, fps=6, shift=2.0, warmup=2, schedule="linear"
)


def parameters() -> dict[str, torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"a": (3, 4), "b": (5,)}
    return {n: torch.nn.Parameter(torch.randn(s, generator=generator)) for n, s in shapes.items()}


def step(optimiser: Optimiser, by_name: dict[str, torch.nn.Parameter]) -> float:
    for parameter in by_name.values():
        parameter.grad = parameter.detach() * 0.1 + 1
    return optimiser.step()


def test_a_restored_state_goes_on_exactly(tmp_path):
    one = parameters()
    optimiser = Optimiser(one, SETTINGS, 8)
    rates = [step(optimiser, one) for _ in range(4)]
    optimiser.save(tmp_path, 4, 12.5)
    drawn = torch.rand(3)
    rates += [step(optimiser, one) for _ in range(4)]
    assert rates[0] == 0 and rates[2] == SETTINGS.learning_rate and rates[7] < rates[3]

    other = parameters()
    resumed = Optimiser(other, SETTINGS, 8)
    assert resumed.load(tmp_path) == (4, 12.5)
    assert torch.equal(torch.rand(3), drawn), "the random state is restored"
    assert [step(resumed, other) for _ in range(4)] == rates[4:]
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_state_before_the_first_step(tmp_path):
    Optimiser(parameters(), SETTINGS, 8).save(tmp_path, 0, 0.0)
    assert Optimiser(parameters(), SETTINGS, 8).load(tmp_path) == (0, 0.0)


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_a_damaged_state_is_named(tmp_path, damage):
    by_name = parameters()
    Optimiser(by_name, SETTINGS, 8).save(tmp_path, 0, 0.0)
    file = tmp_path / STATE
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "text":
        file.write_text("no tensors")
    else:
        by_name["c"] = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(InputError, match=r"state\.safetensors.* is damaged .*Delete it"):
        Optimiser(by_name, SETTINGS, 8).load(tmp_path)


def test_the_config_decides_whether_a_folder_resumes(tmp_path):
    wanted = {"rank": 4, "seed": 0}
    assert not check_config(tmp_path / "new", wanted)
    assert json.loads((tmp_path / "new" / CONFIG).read_text()) == wanted
    assert not check_config(tmp_path / "new", wanted), "no state is saved yet"
    (tmp_path / "new" / STATE).touch()
    assert check_config(tmp_path / "new", wanted)
    with pytest.raises(InputError, match=r"its rank is 4, not 8, and 1 more differ"):
        check_config(tmp_path / "new", {"rank": 8, "seed": 1})
    (tmp_path / "new" / CONFIG).write_text("[")
    with pytest.raises(InputError, match="cannot be read"):
        check_config(tmp_path / "new", wanted)
    (tmp_path / "new" / CONFIG).unlink()
    with pytest.raises(InputError, match=r"has state\.safetensors but no config\.json"):
        check_config(tmp_path / "new", wanted)
