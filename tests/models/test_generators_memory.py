"""The clip generator with a memory ladder and with LoRAs, on the tiny model."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from procvid.cli import main
from procvid.errors import InputError, UnavailableError
from procvid.models import pipeline_host
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.pipeline_host import PipelineHost, Placement
from procvid.phantom import compiling
from procvid.phantom.ladder import Rung, rungs
from procvid.phantom.layout import original_names
from procvid.phantom.loading import read_config
from procvid.phantom.placing import place
from procvid.settings import TINY
from tests.models.test_generators import PLAIN, SAMPLING, clip_of, folder
from tests.phantom.published import write_gguf

pytestmark = pytest.mark.usefixtures("quick_models")
LONGER = replace(TINY, frame_counts=(), max_frames=17)


def careful(device_bytes: int, host_bytes: int = 10**12) -> PipelineHost:
    placement = Placement(free_bytes=lambda: (device_bytes, host_bytes))
    return PipelineHost(PhantomWan(LONGER, folder()), placement=placement)


def notes_and_clip(generator, sampling):
    """Return the notes of the progress, and the clip."""
    steps = generator.generate(PLAIN, sampling)
    notes = []
    while True:
        try:
            notes.append(next(steps).note)
        except StopIteration as end:
            return [note for note in notes if note], end.value


@pytest.fixture(scope="module")
def expected():
    return clip_of(PipelineHost(PhantomWan(TINY, folder())), PLAIN, SAMPLING)


def test_with_plenty_of_memory_it_is_the_same_clip_with_a_note(expected):
    generator = careful(10**12)
    (note,) = generator.notes(SAMPLING)
    assert note.startswith("tiny at 96x96, 17 frames needs about") and "stays on the GPU" in note
    clip = clip_of(generator, PLAIN, SAMPLING)
    assert clip.memory == "full" and np.array_equal(clip.frames, expected.frames)


def test_without_a_compiler_the_clip_is_the_same_and_a_note_says_so(
    expected, monkeypatch, tmp_path
):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiling, "cannot_compile", lambda _device: "no C++ compiler")
    placement = Placement(free_bytes=lambda: (10**12, 10**12), compiled_in=tmp_path)
    generator = PipelineHost(PhantomWan(TINY, folder()), placement=placement)
    assert generator.info.details == {"dtype": "float32", "device": "cpu", "compiled": "blocks"}
    # Rounding alone differs, so the model is the same.
    assert generator.info.revision == PipelineHost(PhantomWan(TINY, folder())).info.revision
    assert "compiles the transformer once" in generator.notes(SAMPLING)[1]
    notes, clip = notes_and_clip(generator, SAMPLING)
    assert notes == ["the transformer runs uncompiled: no C++ compiler"]
    assert np.array_equal(clip.frames, expected.frames)


def test_out_of_memory_steps_down_with_a_note_and_makes_the_same_clip(expected):
    generator = careful(10**12)
    calls = []

    def fail(*_) -> None:
        calls.append(1)
        if len(calls) == 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = generator.pipeline.transformer.register_forward_pre_hook(fail)
    notes, clip = notes_and_clip(generator, SAMPLING)
    handle.remove()
    assert len(notes) == 1 and "out of memory" in notes[0]
    assert clip.memory == "model_offload" and np.array_equal(clip.frames, expected.frames)
    assert generator.notes(SAMPLING)[0].startswith("continues as before")


def test_clips_of_another_length_have_a_ladder_of_their_own(expected, monkeypatch):
    """Shorten a clip when little memory is free, then make others when much is free."""
    free = [10]
    placement = Placement(free_bytes=lambda: (free[0], 10**12))
    generator = PipelineHost(PhantomWan(LONGER, folder()), placement=placement)
    monkeypatch.setattr(
        pipeline_host,
        "rungs",
        lambda clip, *_: [
            Rung("full", clip.num_frames, 100, 0),
            Rung("fewer_frames", 5, 10, 0, in_8_bits=True),
        ],
    )
    other = replace(SAMPLING, guidance_scale_text=3.0)
    notes, clip = notes_and_clip(generator, other)
    assert clip.memory == "fewer_frames" and len(clip.frames) == 5
    assert "stored in 8 bits, with fewer frames (5)" in notes[0]

    free[0] = 10**12
    (note,) = generator.notes(SAMPLING)
    assert "17 frames" in note and "stays on the GPU" in note
    notes, clip = notes_and_clip(generator, SAMPLING)
    # The weights in 8 bits are discarded and loaded again.
    assert notes == [] and clip.memory == "full" and np.array_equal(clip.frames, expected.frames)
    notes, clip = notes_and_clip(generator, replace(SAMPLING, num_frames=5))
    assert notes == [] and clip.memory == "full" and len(clip.frames) == 5
    # A rung that failed once is not tried again.
    notes, clip = notes_and_clip(generator, other)
    assert clip.memory == "fewer_frames" and "fewer frames (5)" in notes[0]


def test_at_the_bottom_it_is_an_error_that_says_what_to_do():
    generator = careful(10**12)

    def fail(*_) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    generator.pipeline.transformer.register_forward_pre_hook(fail)
    with pytest.raises(UnavailableError, match=r"not enough memory.*fewer --frames"):
        clip_of(generator, PLAIN, SAMPLING)
    # Every rung was tried.
    assert generator._ladder is not None and not generator._ladder.step_down()
    assert generator._ladder.rung.name != "full"


def test_a_clip_that_cannot_fit_is_refused_before_anything_is_loaded():
    with pytest.raises(UnavailableError, match=r"needs at least .* GB of GPU memory"):
        careful(1000).notes(SAMPLING)


@pytest.fixture(scope="module")
def gguf_model(tmp_path_factory):
    """The tiny model with its transformer in 8 bits of a GGUF."""
    copy = shutil.copytree(folder(), tmp_path_factory.mktemp("gguf") / "model")
    weights = next((copy / "transformer").glob("*.safetensors"))
    tensors, config = load_file(weights), read_config(copy / "transformer" / "config.json")
    named = {old: tensors[new].float() for old, new in original_names(config).items()}
    write_gguf(named, copy / "transformer" / "phantom-Q8_0.gguf")
    weights.unlink()
    return copy


def test_a_gguf_is_counted_to_the_byte_and_offloaded_like_any_model(gguf_model, monkeypatch):
    counted = []

    def keep(clip, bytes_of, unmapped):
        counted.append(bytes_of(clip))
        # The weights of a GGUF are copied when they are loaded.
        assert unmapped > 0
        return rungs(clip, bytes_of, unmapped)

    monkeypatch.setattr(pipeline_host, "rungs", keep)
    placement = Placement(free_bytes=lambda: (10**12, 10**12))
    generator = PipelineHost(PhantomWan(TINY, gguf_model), placement=placement)
    whole = clip_of(generator, PLAIN, SAMPLING)
    transformer = generator.pipeline.transformer
    loaded = sum(value.nbytes for value in (*transformer.parameters(), *transformer.buffers()))
    assert counted[0].transformer.weights == loaded and counted[0].transformer_fp8 is None
    place(generator.pipeline, "group_offload", torch.device("cpu"))
    assert np.array_equal(clip_of(generator, PLAIN, SAMPLING).frames, whole.frames)


def test_a_gguf_keeps_the_float32_layers_too(gguf_model):
    clips = []
    for dtype, precise in ((torch.float32, False), (torch.bfloat16, True)):
        generator = PipelineHost(
            PhantomWan(TINY, gguf_model), placement=Placement(dtype=dtype, precise=precise)
        )
        clips.append(clip_of(generator, PLAIN, SAMPLING).frames.astype(float))
    assert np.abs(clips[0] - clips[1]).mean() < 2


def test_a_lora_on_a_gguf_is_refused_before_anything_is_loaded(gguf_model, tmp_path):
    with pytest.raises(InputError, match=r"quantised weights, .* is phantom-Q8_0.gguf"):
        PipelineHost(PhantomWan(TINY, gguf_model), [(lora(tmp_path), 1.0)])


def lora(tmp_path, width: int = 0):
    """Write a LoRA for the generator, or for one of another width."""
    config = read_config(folder() / "transformer" / "config.json")
    width = width or config["num_attention_heads"] * config["attention_head_dim"]
    name = "diffusion_model.blocks.0.ffn.2"
    generator = torch.Generator().manual_seed(0)
    tensors = {
        f"{name}.lora_A.weight": torch.randn((4, config["ffn_dim"]), generator=generator),
        f"{name}.lora_B.weight": torch.randn((width, 4), generator=generator),
    }
    save_file(tensors, tmp_path / "style.safetensors")
    return tmp_path / "style.safetensors"


def test_a_lora_changes_the_clip_and_the_models_identity(expected, tmp_path):
    plain = PipelineHost(PhantomWan(TINY, folder()))
    with_lora = PipelineHost(PhantomWan(TINY, folder()), [(lora(tmp_path), 0.5)])
    assert with_lora.info.revision.startswith(f"{plain.info.revision} + style.safetensors x 0.5 ")
    assert not np.array_equal(clip_of(with_lora, PLAIN, SAMPLING).frames, expected.frames)
    without = PipelineHost(PhantomWan(TINY, folder()), [(lora(tmp_path), 0.0)])
    assert np.array_equal(clip_of(without, PLAIN, SAMPLING).frames, expected.frames)


def test_a_lora_that_does_not_fit_is_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="does not fit this model"):
        PipelineHost(PhantomWan(TINY, folder()), [(lora(tmp_path, width=1536), 1.0)])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--lora", "{}/style.safetensors=0.5x"], 2, "no weight that can be used"),
        (["--lora", "{}/none.safetensors"], 2, "There is no LoRA"),
        (
            ["--lora", "{}/style.safetensors", "--lora", "{}/recipe.txt"],
            2,
            "not a .safetensors file",
        ),
        (["--precise"], 2, "computes in float32"),
        (["--profile", "phantom-1.3b"], 1, "needs a CUDA GPU"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="the message differs with a GPU")
def test_generate_refuses_what_it_cannot_use(options, code, message, tmp_path, capsys):
    lora(tmp_path)
    (tmp_path / "recipe.txt").write_text("Egg\n1. Fry the egg in the frying pan.\n")
    arguments = [option.format(tmp_path) for option in options]
    out = tmp_path / "run"
    assert main(["generate", str(tmp_path / "recipe.txt"), "--out", str(out), *arguments]) == code
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_an_incomplete_model_is_an_error(tmp_path):
    copy = shutil.copytree(folder(), tmp_path / "model")
    from procvid.phantom.model_folder import write_manifest

    write_manifest(copy)
    before = PipelineHost(PhantomWan(TINY, copy)).info.revision
    assert before != PipelineHost(PhantomWan(TINY, folder())).info.revision
    weights = next((copy / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UnavailableError, match="is incomplete: vae/"):
        PipelineHost(PhantomWan(TINY, copy))
