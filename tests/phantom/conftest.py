"""The real classes at tiny sizes with seeded random weights; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

TEXT_LENGTH = 64


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Use one thread: tiny models are faster, and sums keep their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build_tokenizer() -> PreTrainedTokenizerFast:
    words = ["<pad>", "</s>", "<unk>", "a", "hand", "stirs", "the", "red", "pan", "slowly"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def build_text_encoder() -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=16, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0
    )
    return UMT5EncoderModel(config).eval()


def build_vae() -> AutoencoderKLWan:
    """The shape of the shipped tiny autoencoder (z_dim 8, patches of 2), narrower."""
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=8,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[True, True],
        is_residual=True,
        patch_size=2,
        in_channels=12,
        out_channels=12,
        latents_mean=[0.1 * i for i in range(8)],
        latents_std=[1.0 + 0.1 * i for i in range(8)],
        scale_factor_temporal=4,
        scale_factor_spatial=8,
    ).eval()


def build_transformer() -> WanTransformer3DModel:
    transformer = WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=8,
        out_channels=8,
        text_dim=16,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
    ).eval()
    with torch.no_grad():
        # Fresh biases and output weights are near zero; then guidance would change little.
        for weights in transformer.parameters():
            weights.add_(0.2 * torch.randn(weights.shape))
    return transformer


def build_scheduler(flow_shift: float = 5.0) -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=flow_shift
    )


@pytest.fixture(scope="session")
def parts() -> dict[str, object]:
    """The components of the tiny pipeline; tests must not change them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            "tokenizer": build_tokenizer(),
            "text_encoder": build_text_encoder(),
            "vae": build_vae(),
            "transformer": build_transformer(),
        }


@pytest.fixture
def make_pipeline(parts) -> Callable[..., PhantomWanPipeline]:
    """Build a pipeline of the tiny parts, with any of them replaced."""

    def make(flow_shift: float = 5.0, **replaced) -> PhantomWanPipeline:
        settings = {"scheduler": build_scheduler(flow_shift), "max_sequence_length": TEXT_LENGTH}
        pipeline = PhantomWanPipeline(**{**parts, **settings, **replaced})
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return make


@pytest.fixture
def pipeline(make_pipeline) -> PhantomWanPipeline:
    return make_pipeline()


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Four images of different sizes and colours."""
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (20, 50), (64, 64), (90, 31)]
    return [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in sizes
    ]


@pytest.fixture
def clip(pictures) -> dict[str, object]:
    """Arguments of a small clip with two references; the generator is fresh each time."""
    return {
        "prompt": "a hand stirs the red pan",
        "images": pictures[:2],
        "height": 32,
        "width": 48,
        "num_frames": 9,
        "num_inference_steps": 3,
        "generator": torch.Generator().manual_seed(7),
    }


@pytest.fixture
def calls(parts):
    """Keyword arguments of every call of the transformer, in order."""
    recorded: list[dict] = []
    handle = parts["transformer"].register_forward_pre_hook(
        lambda _module, _args, kwargs: recorded.append(kwargs), with_kwargs=True
    )
    yield recorded
    handle.remove()
