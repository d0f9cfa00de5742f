"""What every generator must do, over tiny models of each kind, driven by the pipeline host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from procvid.errors import InputError, UnavailableError
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.generators.vace import WanVace
from procvid.models.pipeline_host import ON_CPU, PipelineHost, Placement
from procvid.models.wan_model import WanModel
from procvid.phantom.loading import read_config
from procvid.protocols import ClipGenerator
from procvid.settings import TINY, VACE_1_3B, Profile
from procvid.stopping import Stopped, stoppable
from procvid.types import Clip, Denoised
from tests.models.test_generators import PAN, PLAIN, folder
from tests.phantom.vace import TINY_VACE, write_vace

pytestmark = pytest.mark.usefixtures("quick_models")
SHOWN = replace(PLAIN, slots=(PAN,))
PLENTY = Placement(free_bytes=lambda: (10**12, 10**12))


@dataclass(frozen=True)
class Kind:
    """A generator with a tiny model: how it is built, its profile and its files."""

    build: Callable[[Profile, Path], WanModel]
    profile: Profile
    folder: Path

    @property
    def sampling(self):
        return replace(self.profile.sampling, num_inference_steps=2, seed=1)

    def host(self, loras=(), placement=ON_CPU, previews=False) -> PipelineHost:
        return PipelineHost(self.build(self.profile, self.folder), loras, placement, previews)


@pytest.fixture(scope="module", params=["phantom", "vace"])
def kind(request, quick_models, tmp_path_factory) -> Kind:
    if request.param == "phantom":
        return Kind(PhantomWan, TINY, folder())
    return Kind(WanVace, TINY_VACE, write_vace(tmp_path_factory.mktemp("vace") / "model"))


@pytest.fixture(scope="module")
def generator(kind) -> PipelineHost:
    return kind.host()


@pytest.fixture(scope="module")
def expected(kind, generator) -> Clip:
    return events_of(generator, kind.sampling)[1]


def events_of(generator, sampling, conditioning=SHOWN) -> tuple[list[Denoised], Clip]:
    steps, events = generator.generate(conditioning, sampling), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def test_it_reports_every_step_and_returns_a_clip(kind, generator):
    assert isinstance(generator, ClipGenerator)
    events, clip = events_of(generator, kind.sampling)
    assert [(event.step, event.total) for event in events] == [(1, 2), (2, 2)]
    assert clip.frames.shape == (17, 96, 96, 3) and clip.frames.dtype == np.uint8
    assert clip.fps == kind.profile.sampling.fps and clip.frames.std() > 1


def test_the_same_seed_gives_the_same_clip(kind, generator, expected):
    again = events_of(generator, kind.sampling)[1]
    other = events_of(generator, replace(kind.sampling, seed=2))[1]
    assert np.array_equal(again.frames, expected.frames)
    assert not np.array_equal(other.frames, expected.frames)


def test_prompt_and_references_change_the_clip(kind, generator, expected):
    bare = events_of(generator, kind.sampling, PLAIN)[1]
    said = events_of(generator, kind.sampling, replace(SHOWN, prompt="a red pan slowly"))[1]
    assert not np.array_equal(bare.frames, expected.frames)
    assert not np.array_equal(said.frames, expected.frames)


def test_a_cancelled_clip_leaves_nothing_behind(kind, generator, expected):
    with closing(generator.generate(SHOWN, kind.sampling)) as steps:
        next(steps)
    asked = []

    def third_question() -> bool:
        asked.append(1)
        return len(asked) == 3

    with stoppable(third_question), pytest.raises(Stopped):
        events_of(generator, kind.sampling)
    assert all(kept is None for kept in getattr(generator.pipeline.vae, "_enc_feat_map", ()))
    assert np.array_equal(events_of(generator, kind.sampling)[1].frames, expected.frames)
    generator.release()
    assert "pipeline" not in vars(generator)
    assert np.array_equal(events_of(generator, kind.sampling)[1].frames, expected.frames)


@pytest.mark.parametrize("placement", [Placement(), PLENTY], ids=["decoded", "latent colours"])
def test_previews_show_the_clip_and_do_not_change_it(kind, generator, placement):
    sampling = replace(kind.sampling, num_inference_steps=4)
    plain = events_of(generator, sampling)[1]
    events, clip = events_of(kind.host(placement=placement, previews=True), sampling)
    assert events[2].preview is not None and events[2].preview.dtype == np.uint8
    assert events[2].preview.shape[0] == events[2].preview.shape[1]
    assert np.array_equal(clip.frames, plain.frames)


def test_out_of_memory_repeats_only_the_step_one_rung_down(kind, expected):
    generator = kind.host(placement=PLENTY)
    (note,) = generator.notes(kind.sampling)
    assert "stays on the GPU" in note
    calls = []

    def fail(*_) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = generator.pipeline.transformer.register_forward_pre_hook(fail)
    events, clip = events_of(generator, kind.sampling)
    handle.remove()
    assert [event.step for event in events] == [1, 2] and "out of memory" in events[0].note
    assert clip.memory == "model_offload" and np.array_equal(clip.frames, expected.frames)


def test_out_of_memory_before_the_first_step_makes_the_clip_again(kind, expected):
    generator = kind.host(placement=PLENTY)
    calls = []

    def fail(*_) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = generator.pipeline.vae.encoder.register_forward_pre_hook(fail)
    _, clip = events_of(generator, kind.sampling)
    handle.remove()
    assert clip.memory == "model_offload" and np.array_equal(clip.frames, expected.frames)


def lora(kind, target: Path, rows: int = 0) -> Path:
    """Write a LoRA of Wan T2V for the model, or for one with that many rows."""
    config = read_config(kind.folder / "transformer" / "config.json")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    name = "diffusion_model.blocks.0.ffn.2"
    draw = torch.Generator().manual_seed(0)
    down = torch.randn((4, config["ffn_dim"]), generator=draw)
    up = torch.randn((rows or width, 4), generator=draw)
    tensors = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save_file(tensors, target / "style.safetensors")
    return target / "style.safetensors"


def test_a_lora_of_wan_is_merged(kind, expected, tmp_path):
    file = lora(kind, tmp_path)
    with_lora = kind.host([(file, 0.5)])
    assert "style.safetensors x 0.5" in with_lora.info.revision
    changed = events_of(with_lora, kind.sampling)[1]
    assert not np.array_equal(changed.frames, expected.frames)
    without = events_of(kind.host([(file, 0.0)]), kind.sampling)[1]
    assert np.array_equal(without.frames, expected.frames)


def test_a_wrong_lora_is_refused_before_anything_is_loaded(kind, tmp_path):
    with pytest.raises(InputError, match="does not fit this model"):
        kind.host([(lora(kind, tmp_path, rows=7), 1.0)])
    save_file({"unet.mid.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="match no module of this model"):
        kind.host([(tmp_path / "other.safetensors", 1.0)])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 90}, "size 90x96"),
        ({"num_frames": 18}, "18 frames"),
        ({"num_inference_steps": 0}, "denoising steps 0"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_a_clip_that_it_cannot_make_is_refused(kind, generator, wrong, message):
    with pytest.raises(InputError, match=message):
        next(generator.generate(PLAIN, replace(kind.sampling, **wrong)))


def test_five_references_are_refused(kind, generator):
    with pytest.raises(ValueError, match="at most 4 reference images, but 5"):
        next(generator.generate(replace(PLAIN, slots=(PAN,) * 5), kind.sampling))


def test_a_missing_file_is_an_error_with_the_command(kind, tmp_path):
    with pytest.raises(UnavailableError, match="model is missing") as raised:
        kind.build(kind.profile, tmp_path)
    assert f"procvid convert {VACE_1_3B.name}" in raised.value.hint or kind.profile.bundled
    copy = shutil.copytree(kind.folder, tmp_path / "model")
    shutil.rmtree(copy / "transformer")
    with pytest.raises((UnavailableError, InputError), match=r"transformer|config"):
        events_of(PipelineHost(kind.build(kind.profile, copy)), kind.sampling)


def test_a_model_of_another_kind_is_named(kind, tmp_path):
    copy = shutil.copytree(kind.folder, tmp_path / "model")
    other = PhantomWan if kind.build is WanVace else WanVace
    found = json.loads((copy / "model_index.json").read_text())["_class_name"]
    with pytest.raises(UnavailableError, match=f"needs a {other.pipeline_class}.* holds a {found}"):
        other(kind.profile, copy)
    (copy / "model_index.json").write_text("{}")
    with pytest.raises(UnavailableError, match="holds a model without a known class"):
        kind.build(kind.profile, copy)
    (copy / "model_index.json").write_text("[1")
    with pytest.raises(UnavailableError, match="damaged"):
        kind.build(kind.profile, copy)


def test_half_precision_with_float32_layers_is_nearer_to_float32(kind, expected):
    errors = []
    for precise in (False, True):
        placement = Placement(dtype=torch.bfloat16, precise=precise)
        frames = events_of(kind.host(placement=placement), kind.sampling)[1].frames
        errors.append(np.abs(frames.astype(float) - expected.frames).mean())
    assert errors[1] < errors[0]
