"""Previews without the decoder, on the tiny model's real autoencoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from procvid.machine import asset_folder
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.pipeline_host import PipelineHost, Placement
from procvid.phantom.latent_colours import LatentColours, colour_chart
from procvid.settings import TINY
from tests.models.test_generators import PLAIN, clip_of

PLENTY = Placement(free_bytes=lambda: (10**12, 10**12))
"""On the CPU, but with a ladder as on a GPU."""
SAMPLING = replace(TINY.sampling, num_inference_steps=6, seed=1)


def generator(previews: bool) -> PipelineHost:
    folder = asset_folder(TINY, "generator")
    return PipelineHost(PhantomWan(TINY, folder), placement=PLENTY, previews=previews)


@pytest.fixture(scope="module")
def plain() -> PipelineHost:
    """A generator without previews, loaded once."""
    return generator(previews=False)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two images, uint8 (H, W, 3), at 8x8."""
    small = [
        F.adaptive_avg_pool2d(torch.from_numpy(p).permute(2, 0, 1)[None].float(), (8, 8)).flatten()
        for p in (one, other)
    ]
    return float(np.corrcoef(small[0], small[1])[0, 1])


@pytest.mark.slow
def test_previews_show_the_coming_clip_and_change_nothing(plain):
    previewing = generator(previews=True)
    steps, steps_seen = previewing.generate(PLAIN, SAMPLING), []
    while True:
        try:
            steps_seen.append(next(steps))
        except StopIteration as end:
            clip = end.value
            break
    assert [t.preview is not None for t in steps_seen] == [False, False, True, True, True, False]
    shown = [t.preview for t in steps_seen if t.preview is not None]
    assert {p.shape for p in shown} == {(320, 320, 3)} and shown[0].dtype == np.uint8
    # The final latents of four clips of the tiny model gave at least .83; these are forecasts.
    assert likeness(shown[-1], clip.frames[0]) > 0.6
    fewer = replace(SAMPLING, num_inference_steps=2)
    other = clip_of(plain, replace(PLAIN, prompt="A white plate."), fewer)
    assert likeness(shown[-1], clip.frames[0]) > likeness(shown[-1], other.frames[0])
    assert np.array_equal(clip_of(plain, PLAIN, SAMPLING).frames, clip.frames)


def test_the_fit_is_deterministic_and_reproduces_its_chart(plain):
    pipeline = plain.pipeline
    first, again = LatentColours.fit(pipeline), LatentColours.fit(pipeline)
    assert torch.equal(first.weights, again.weights)
    chart = colour_chart()
    latents = pipeline.prepare_reference_latents([chart], *chart.shape[:2])
    assert likeness(first.picture(latents), chart) == pytest.approx(1, abs=0.1)


def test_a_wide_clip_has_a_wide_preview():
    colours = LatentColours(torch.zeros(17, 3))
    assert colours.picture(torch.zeros(1, 16, 3, 60, 104)).shape == (185, 320, 3)
