"""The tiny clip generator."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, UnavailableError
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.pipeline_host import PipelineHost, weights_sha256
from procvid.protocols import ClipGenerator
from procvid.settings import TINY
from procvid.settings.environment import read_environment
from procvid.types import Clip, Conditioning, Slot
from procvid.wiring import run as wiring

pytestmark = pytest.mark.usefixtures("quick_models")
SAMPLING = replace(TINY.sampling, num_inference_steps=2, seed=1)
RED = np.full((40, 30, 3), (200, 20, 20), np.uint8)
BOX = (0.0, 0.0, 30.0, 40.0)
PAN = Slot(1, "frying pan", "frying pan", RED, "c", "s", "clean", BOX, 1.0, "upload")
PLAIN = Conditioning(1, "Close view: frying the egg (whole, then fried) in the frying pan.", (), ())


@pytest.fixture(scope="module")
def generator() -> PipelineHost:
    made = wiring.build_generator(TINY)
    assert isinstance(made, PipelineHost)
    return made


def folder() -> Path:
    return read_environment().assets_folder / TINY.models["generator"]


def clip_of(generator, conditioning, sampling) -> Clip:
    steps = generator.generate(conditioning, sampling)
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            assert [t.step for t in events] == list(range(1, sampling.num_inference_steps + 1))
            return end.value


def test_it_is_a_clip_generator_and_says_what_it_is(generator):
    assert isinstance(generator, ClipGenerator)
    assert generator.info.revision == f"sha256:{weights_sha256(folder())}"
    assert generator.default_sampling == TINY.sampling


def test_a_clip_has_the_size_and_length_that_was_asked_for(generator):
    clip = clip_of(generator, PLAIN, SAMPLING)
    assert clip.frames.shape == (17, 96, 96, 3) and clip.frames.dtype == np.uint8
    assert clip.fps == TINY.sampling.fps
    assert clip.frames.std() > 1


def test_the_same_input_gives_the_same_clip_and_another_seed_another(generator):
    first, again = (clip_of(generator, PLAIN, SAMPLING) for _ in range(2))
    other = clip_of(generator, PLAIN, replace(SAMPLING, seed=2))
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)


def test_references_and_prompt_change_the_clip(generator):
    plain = clip_of(generator, PLAIN, SAMPLING)
    shown = clip_of(generator, replace(PLAIN, slots=(PAN,)), SAMPLING)
    other = clip_of(generator, replace(PLAIN, prompt="Close view: slicing the carrot."), SAMPLING)
    assert not np.array_equal(plain.frames, shown.frames)
    assert not np.array_equal(plain.frames, other.frames)


def test_a_closed_generator_can_be_used_again(generator):
    expected = clip_of(generator, PLAIN, SAMPLING)
    with closing(generator.generate(PLAIN, SAMPLING)) as steps:
        next(steps)
    assert np.array_equal(clip_of(generator, PLAIN, SAMPLING).frames, expected.frames)


def test_another_size_is_refused_before_anything_is_done(generator):
    with pytest.raises(InputError, match="81 frames"):
        next(generator.generate(PLAIN, replace(SAMPLING, num_frames=81)))


def test_it_knows_what_it_was_never_taught(generator):
    words = ["carrot", "salmon", "frying pan", "basil", "salmon"]
    assert generator.undrawable(words) == ("salmon", "basil")


def test_without_a_vocabulary_it_cannot_say(tmp_path):
    copy = shutil.copytree(folder(), tmp_path / "model")
    (copy / "vocabulary.json").unlink()
    assert PipelineHost(PhantomWan(TINY, copy)).undrawable(["salmon"]) == ()


def test_a_missing_model_is_an_error(tmp_path):
    with pytest.raises(UnavailableError, match=r"tiny model is missing.*Install procvid again"):
        PhantomWan(TINY, tmp_path)


@pytest.mark.parametrize("damage", ["transformer", "vocabulary"])
def test_a_damaged_model_is_an_error(tmp_path, damage):
    copy = shutil.copytree(folder(), tmp_path / "model")
    with pytest.raises(UnavailableError, match="damaged"):
        if damage == "vocabulary":
            (copy / "vocabulary.json").write_text("[1")
            PhantomWan(TINY, copy)
        else:
            weights = next((copy / "transformer").glob("*.safetensors"))
            weights.write_bytes(weights.read_bytes()[:1000])
            next(PipelineHost(PhantomWan(TINY, copy)).generate(PLAIN, SAMPLING))


def test_other_weights_are_another_model(tmp_path):
    copy = shutil.copytree(folder(), tmp_path / "model")
    weights = next((copy / "vae").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert weights_sha256(copy) != weights_sha256(folder())
