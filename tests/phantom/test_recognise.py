"""A file of another model is refused in one sentence that names the model and the remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

import pytest
import torch
from safetensors.torch import save_file

from procvid.errors import InputError, UnavailableError
from procvid.phantom import model_folder
from procvid.phantom.checkpoint import open_checkpoint
from procvid.phantom.convert import match_keys
from procvid.phantom.layout import CONFIGS, original_names, parameter_shapes
from procvid.phantom.loading import load_transformer
from procvid.phantom.recognise import PHANTOM_REMEDY, refusal
from procvid.settings.environment import read_environment
from tests.phantom.published import TINY_CONFIG, published_weights, write_gguf, write_shards

TINY = read_environment({}).assets_folder / "tiny_phantom"
Weights = Mapping[str, torch.Tensor]


def more(*keys: str) -> Callable[[Weights], Weights]:
    """Add keys to Phantom's, as a model does that is built on the same transformer."""
    return lambda weights: {**weights, **{key: torch.zeros(4) for key in keys}}


def only(*keys: str) -> Callable[[Weights], Weights]:
    """Replace all keys."""
    return lambda _: {key: torch.zeros(4) for key in keys}


def of(**changes: int) -> Callable[[Weights], Weights]:
    """Make the weights of another config."""
    return lambda _: published_weights({**TINY_CONFIG, **changes})


KINDS = {
    "VACE": (more("vace_blocks.0.self_attn.q.weight"), "Wan VACE, not of Phantom"),
    "I2V": (more("img_emb.proj.0.bias"), "Wan2.1 I2V, not"),
    "I2V, keys of images": (more("blocks.0.cross_attn.k_img.weight"), "Wan2.1 I2V, not"),
    "FLF2V": (more("img_emb.emb_pos", "img_emb.proj.0.bias"), "Wan2.1 FLF2V"),
    "Animate": (more("face_adapter.fuser_blocks.0.k_norm.weight"), "Wan2.2 Animate"),
    "S2V": (more("casual_audio_encoder.weights"), "Wan2.2 S2V"),
    "TI2V 5B": (
        of(in_channels=48, out_channels=48),
        "Wan2.2 TI2V 5B, not .*48 input channels, not 8",
    ),
    "I2V A14B": (of(in_channels=36), "Wan2.2 I2V A14B or"),
    "another size": (of(num_layers=2), "of 2 blocks and width 24, not of 3 and 24"),
    "LoRA": (only("diffusion_model.blocks.0.ffn.0.lora_A.weight"), "a LoRA, not of .*--lora FILE"),
    "text encoder": (only("token_embedding.weight", "blocks.0.attn.q.weight"), "T5 text encoder"),
    "autoencoder": (only("encoder.conv1.weight", "decoder.conv1.weight"), "a VAE, not"),
    "HunyuanVideo": (only("double_blocks.0.img_attn_qkv.weight"), "Flux or HunyuanVideo"),
    "SDXL": (only("model.diffusion_model.input_blocks.0.0.weight"), "Stable Diffusion, not"),
    "LTX": (only("transformer_blocks.0.attn1.to_q.weight"), "LTX-Video"),
    "language model": (only("model.layers.0.mlp.up_proj.weight"), "a language model"),
}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return published_weights()


@pytest.mark.parametrize("kind", KINDS)
def test_another_model_is_named(kind, weights, tmp_path):
    make, message = KINDS[kind]
    save_file(dict(make(weights)), tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=message) as raised:
        load_transformer(tmp_path / "a.safetensors", TINY_CONFIG)
    assert raised.value.message.count(". ") == 0 and raised.value.hint


@pytest.mark.parametrize("kind", ["VACE", "I2V A14B", "HunyuanVideo", "another size"])
def test_a_gguf_of_another_model_is_named(kind, weights, tmp_path):
    make, message = KINDS[kind]
    file = write_gguf(make(weights), tmp_path / "a.gguf")
    with pytest.raises(InputError, match=message):
        load_transformer(file, TINY_CONFIG)


@pytest.mark.parametrize(
    "profiles", [("phantom-14b", "phantom-1.3b"), ("phantom-1.3b", "phantom-14b")]
)
def test_the_other_published_size_is_named(profiles):
    have, need = profiles
    names, shapes = original_names(CONFIGS[have]), parameter_shapes(CONFIGS[have])
    held, remedy = refusal({old: shapes[new] for old, new in names.items()}, CONFIGS[need])
    assert have.rpartition("-")[2].upper() in held and f"procvid convert {have}" in remedy


def test_plain_wan_has_the_same_names_and_shapes(weights, tmp_path):
    """It is loaded: only the hash of the published file shows the difference."""
    save_file(dict(weights), tmp_path / "wan2.1_t2v_1.3B.safetensors")
    with open_checkpoint(tmp_path / "wan2.1_t2v_1.3B.safetensors") as checkpoint:
        assert match_keys(checkpoint, TINY_CONFIG).fits


@pytest.mark.parametrize("name", ["wan2.2_t2v_high_noise_14B.safetensors", "low_noise_model"])
def test_an_expert_of_wan22_is_known_by_its_name(name, weights, tmp_path):
    source = tmp_path / name
    if source.suffix:
        save_file(dict(weights), source)
    else:
        write_shards(weights, source)
    with pytest.raises(InputError, match=r"Wan2\.2 A14B, not of Phantom") as raised:
        load_transformer(source, TINY_CONFIG)
    assert raised.value.hint == PHANTOM_REMEDY


def test_a_transformer_beside_a_second_one_is_an_expert(weights, tmp_path):
    write_shards(weights, tmp_path / "transformer")
    (tmp_path / "transformer_2").mkdir()
    with pytest.raises(InputError, match=r"Wan2\.2 A14B"):
        list(model_folder.write_model(tmp_path / "transformer", TINY_CONFIG, TINY, tmp_path / "x"))


def test_a_cut_pickle_is_refused(weights, tmp_path):
    torch.save(dict(weights), tmp_path / "a.pth")
    content = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(content[:-1000])
    with pytest.raises(InputError, match=r"not the expected file.*Download it again"):
        load_transformer(tmp_path / "a.pth", TINY_CONFIG, sha256="0" * 64)


def test_a_text_encoder_without_its_vocabulary_is_refused(tmp_path, monkeypatch):
    """As transformers 5.0 to 5.2 load it: two parameters, one of them zero."""
    load = model_folder.PhantomWanPipeline.from_pretrained

    def loads_wrongly(*given, **named):
        pipeline = load(*given, **named)
        table = pipeline.text_encoder.encoder.embed_tokens
        pipeline.text_encoder.encoder.embed_tokens = torch.nn.Embedding(*table.weight.shape)
        return pipeline

    monkeypatch.setattr(model_folder.PhantomWanPipeline, "from_pretrained", loads_wrongly)
    with pytest.raises(UnavailableError, match=r"without its vocabulary.*transformers>=5.3"):
        model_folder.load_pipeline(shutil.copytree(TINY, tmp_path / "tiny"), torch.float32)
