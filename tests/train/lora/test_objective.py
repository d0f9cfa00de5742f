"""Where the loss counts more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from procvid.train.lora.folder import Example
from procvid.train.lora.objective import loss_weight
from procvid.train.lora.state import read_curve

EXAMPLE = Example("a.mp4", Path("a.mp4"), "text", "")


def test_cells_count_by_the_share_that_lies_in_the_box():
    example = replace(EXAMPLE, focus_xyxy=(0.25, 0.0, 0.625, 0.5))
    weight = loss_weight(example, (2, 4), 3.0)[0, 0]
    assert weight.mean() == pytest.approx(1)
    expected = torch.tensor([[1.0, 4.0, 2.5, 1.0], [1.0, 1.0, 1.0, 1.0]])
    assert torch.allclose(weight / weight[0, 0], expected)


@pytest.mark.parametrize("example", [EXAMPLE, replace(EXAMPLE, focus_xyxy=(0.0, 0.0, 1.0, 1.0))])
def test_no_box_and_a_box_of_everything_are_the_plain_loss(example):
    assert torch.equal(loss_weight(example, (3, 5), 3.0), torch.ones(1, 1, 3, 5))


def test_a_training_takes_it_from_the_data(training, tmp_path):
    """Every toy clip names the box of its food, where the noise is as hard as elsewhere or harder."""
    curves = []
    for weight in (0.0, 3.0):
        out = tmp_path / str(weight)
        list(training(out, focus_weight=weight).run())
        curves.append([row["loss"] for row in read_curve(out)])
    assert all(more > plain for plain, more in zip(*curves, strict=True))


def test_the_prior_is_what_the_base_says(training, toy_data, tmp_path):
    """Nothing is to be learnt where all is prior; the state is that of a training that did nothing."""
    data = tmp_path / "data"
    data.mkdir()
    for part in ("clips", "crops"):
        (data / part).symlink_to(toy_data / part)
    rows = [json.loads(line) for line in (toy_data / "metadata.jsonl").read_text().splitlines()]
    told = "".join(json.dumps({**row, "prior": True}) + "\n" for row in rows)
    (data / "metadata.jsonl").write_text(told)
    list(training(tmp_path / "out", data=data, targets="all").run())
    assert [row["loss"] for row in read_curve(tmp_path / "out")] == pytest.approx([0.0] * 3)
    tensors = load_file(tmp_path / "out" / "lora" / "pytorch_lora_weights.safetensors")
    assert not any(value.any() for key, value in tensors.items() if ".lora_B." in key)
