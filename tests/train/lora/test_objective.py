"""Loss weights: focus boxes and prior examples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from procvid.train.curve import read_curve
from procvid.train.lora.folder import Example
from procvid.train.lora.objective import loss_weight
from tests.train.lora.conftest import ASSETS

EXAMPLE = Example("a.mp4", Path("a.mp4"), "text", "")


def test_cells_count_by_their_share_inside_the_box():
    example = replace(EXAMPLE, focus_xyxy=(0.25, 0.0, 0.625, 0.5))
    weight = loss_weight(example, (2, 4), 3.0)[0, 0]
    assert weight.mean() == pytest.approx(1)
    expected = torch.tensor([[1.0, 4.0, 2.5, 1.0], [1.0, 1.0, 1.0, 1.0]])
    assert torch.allclose(weight / weight[0, 0], expected)


@pytest.mark.parametrize("example", [EXAMPLE, replace(EXAMPLE, focus_xyxy=(0.0, 0.0, 1.0, 1.0))])
def test_no_box_and_a_full_box_give_the_plain_loss(example):
    assert torch.equal(loss_weight(example, (3, 5), 3.0), torch.ones(1, 1, 3, 5))


def test_a_training_uses_the_focus_boxes_of_its_data(training, tmp_path):
    """Toy clips have the box of their food, where the loss of the shipped model is higher."""
    curves = []
    for weight in (0.0, 3.0):
        out = tmp_path / str(weight)
        list(training(out, assets=ASSETS, focus_weight=weight).run())
        curves.append([row["loss"] for row in read_curve(out / "loss.csv")])
    assert all(more > plain for plain, more in zip(*curves, strict=True))


def test_prior_examples_are_compared_with_the_base(training, toy_data, tmp_path):
    """With prior examples only, the loss is zero and the LoRA stays zero."""
    data = tmp_path / "data"
    data.mkdir()
    for part in ("clips", "crops"):
        (data / part).symlink_to(toy_data / part)
    rows = [json.loads(line) for line in (toy_data / "metadata.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**row, "prior": True}) + "\n" for row in rows)
    (data / "metadata.jsonl").write_text(text)
    list(training(tmp_path / "out", data=data, targets="all").run())
    assert [row["loss"] for row in read_curve(tmp_path / "out" / "loss.csv")] == pytest.approx(
        [0.0] * 3
    )
    tensors = load_file(tmp_path / "out" / "lora" / "pytorch_lora_weights.safetensors")
    assert not any(value.any() for key, value in tensors.items() if ".lora_B." in key)
