"""The counted forward passes of a clip, compared with those that were computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from procvid.phantom.flops import clip_tflop, num_forwards
from procvid.phantom.layout import CONFIGS
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.types import EXACT, Conditioning, Shortcuts, StepCache
from procvid.wiring import run as wiring
from tests.models.test_generators import PAN, PLAIN

pytestmark = pytest.mark.usefixtures("quick_models")
SAMPLING = replace(TINY.sampling, num_inference_steps=7, guidance_scale_text=3.0)


@pytest.fixture(scope="module")
def generator(quick_models):
    """The quick generator, loaded once."""
    return wiring.build_generator(TINY)


@pytest.mark.parametrize("slots", [(), (PAN,)], ids=["bare", "shown"])
@pytest.mark.parametrize(
    "shortcuts",
    [
        EXACT,
        Shortcuts(guided_share=0.5),
        Shortcuts(guided_every=2),
        Shortcuts(guided_every=2, cache=StepCache("taylor", strength=3, full_steps=2)),
        Shortcuts(cache=StepCache("taylor", strength=2, full_steps=2)),
        Shortcuts(cache=StepCache("taylor", strength=5, full_steps=7)),
        Shortcuts(batched=True, drop_zero_references=True),
        Shortcuts(True, guided_every=2, cache=StepCache("taylor", 3, 2), drop_zero_references=True),
    ],
    ids=lambda shortcuts: shortcuts.summary or "exact",
)
def test_the_counted_forwards_are_those_computed(shortcuts, slots, generator):
    made = []
    block = generator.pipeline.transformer.blocks[-1].attn1.to_q
    # A batch counts once for each of its branches.
    handle = block.register_forward_hook(lambda _m, _i, output: made.extend(output))
    sampling = replace(SAMPLING, shortcuts=shortcuts)
    asked: Conditioning = replace(PLAIN, slots=slots)
    for _ in generator.generate(asked, sampling):
        pass
    handle.remove()
    assert len(made) == num_forwards(sampling, len(slots))


def test_a_published_clip_needs_the_documented_petaflops():
    whole = clip_tflop(CONFIGS["phantom-1.3b"], PHANTOM_1_3B.sampling, 4)
    assert whole == pytest.approx(57_300, rel=0.01)
    assert clip_tflop(CONFIGS["phantom-1.3b"], PHANTOM_1_3B.fast_sampling, 4) < 0.4 * whole
