"""Gradients of a step do not depend on the batch size, and broken examples are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from procvid.phantom.model_folder import load_pipeline
from procvid.train.lora.draws import Draw
from procvid.train.lora.folder import Example
from procvid.train.lora.gradients import MAX_NORM, LoraModel
from procvid.train.lora.settings import LoraSettings
from procvid.train.lora.weights import add_lora
from tests.train.lora.conftest import ASSETS


class RandomLatents:
    """The part of `LatentCache` that gradients read, with random tensors by example."""

    def __init__(self) -> None:
        self.scale: dict[str, float] = {}

    def video(self, example: Example) -> torch.Tensor:
        generator = torch.Generator().manual_seed(len(example.key))
        return torch.randn(16, 1, 4, 4, generator=generator) * self.scale.get(example.key, 1.0)

    def crop(self, file: Path) -> torch.Tensor:
        generator = torch.Generator().manual_seed(9)
        return torch.randn(16, 1, 4, 4, generator=generator)

    def text(self, text: str, length: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(len(text))
        return torch.randn(length, 96, generator=generator)


EXAMPLES = [Example("x" * n, Path("a.png"), "t" * n, "") for n in (1, 2, 3)]
CROP = Path("crop.png")
DRAWS = [Draw(example, 0.3 + 0.2 * k, k, True, (CROP,), True) for k, example in enumerate(EXAMPLES)]


@pytest.fixture(scope="module")
def transformer():
    return load_pipeline(ASSETS / "tiny_phantom", torch.float32).transformer


@pytest.fixture(scope="module")
def parameters(transformer):
    by_name = add_lora(transformer, 2, 2.0, 0, "attention")
    with torch.no_grad():
        for k, parameter in enumerate(by_name.values()):
            generator = torch.Generator().manual_seed(k)
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return by_name


def step(transformer, parameters, latents, size):
    for parameter in parameters.values():
        parameter.grad = None
    settings = LoraSettings(
        width=32, height=32, num_frames=1, fps=8, shift=2.0, batch_size=size, reference_noise=0.5
    )
    model = LoraModel(transformer, parameters, latents, 8, Accelerator(cpu=True), settings)
    result = model.gradients(DRAWS)
    return result, {name: p.grad.clone() for name, p in parameters.items()}


def test_any_batch_size_gives_the_same_gradients(transformer, parameters):
    (loss, norm, broken), one = step(transformer, parameters, RandomLatents(), 1)
    (other_loss, other_norm, _), three = step(transformer, parameters, RandomLatents(), 3)
    assert not broken and loss == pytest.approx(other_loss, rel=1e-4)
    assert norm == pytest.approx(other_norm, rel=1e-3)
    assert all(torch.allclose(one[name], three[name], atol=1e-5) for name in one)
    clipped = torch.cat([grad.flatten() for grad in one.values()]).norm()
    assert float(clipped) == pytest.approx(min(norm, MAX_NORM), rel=1e-3)


def test_examples_without_a_finite_loss_are_named(transformer, parameters):
    latents = RandomLatents()
    latents.scale["xx"] = float("nan")
    (loss, _, broken), _ = step(transformer, parameters, latents, 1)
    assert broken == ["xx"] and loss != loss
