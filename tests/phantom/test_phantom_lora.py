"""LoRA files of every layout, compared with the definition and with diffusers if it reads them."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from diffusers import UniPCMultistepScheduler, WanTransformer3DModel
from safetensors.torch import save_file

from procvid.errors import InputError
from procvid.hub.resolve import parse_lora
from procvid.phantom.layout import original_names, parameter_shapes
from procvid.phantom.lora import find_lora, merge_loras, read_lora
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from tests.phantom.published import TINY_CONFIG

RANK, ALPHA = 4, 2.0
SHAPES = parameter_shapes(TINY_CONFIG)
NUM_LAYERS = TINY_CONFIG["num_layers"]
IN_BLOCKS = ("self_attn", "cross_attn", "ffn")
LAYOUTS = ("diffusion-pipe", "comfy", "musubi", "musubi without alpha", "bare", "diffusers")


@pytest.fixture
def transformer() -> WanTransformer3DModel:
    torch.manual_seed(0)
    return WanTransformer3DModel(**TINY_CONFIG).requires_grad_(False).eval()


@cache
def lora_modules() -> dict[str, str]:
    """The Linears of all blocks: what diffusion-pipe and musubi train."""
    return {
        old.removesuffix(".weight"): new.removesuffix(".weight")
        for old, new in original_names(TINY_CONFIG).items()
        if old.endswith(".weight") and any(part in old for part in IN_BLOCKS) and "norm" not in old
    }


@cache
def matrices(seed: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Down [rank, in] and up [out, rank] by original module."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for old, new in lora_modules().items():
        out, into = SHAPES[f"{new}.weight"]
        made[old] = tuple(
            0.1 * torch.randn(shape, generator=generator) for shape in ((RANK, into), (out, RANK))
        )
    return made


def lora_file(layout: str, tmp_path, seed: int = 1):
    """Write a file in a layout; return it with its scale."""
    tensors, metadata, scale = {}, {}, 1.0
    for module, (down, up) in matrices(seed).items():
        match layout:
            case "diffusion-pipe" | "bare":
                prefix = "diffusion_model." if layout == "diffusion-pipe" else ""
                tensors[f"{prefix}{module}.lora_A.weight"] = down
                tensors[f"{prefix}{module}.lora_B.weight"] = up
            case "comfy":
                tensors[f"diffusion_model.{module}.lora_down.weight"] = down
                tensors[f"diffusion_model.{module}.lora_up.weight"] = up
                tensors[f"diffusion_model.{module}.alpha"] = torch.tensor(ALPHA)
            case "diffusers":
                name = lora_modules()[module]
                tensors[f"transformer.{name}.lora_A.weight"] = down
                tensors[f"transformer.{name}.lora_B.weight"] = up
            case _:
                flat = "lora_unet_" + module.replace(".", "_")
                tensors[f"{flat}.lora_down.weight"] = down
                tensors[f"{flat}.lora_up.weight"] = up
                if layout == "musubi":
                    tensors[f"{flat}.alpha"] = torch.tensor(ALPHA)
    if layout in ("comfy", "musubi"):
        scale = ALPHA / RANK
    if layout == "diffusers":
        adapter = {"transformer.r": RANK, "transformer.lora_alpha": ALPHA}
        metadata, scale = {"lora_adapter_metadata": json.dumps(adapter)}, ALPHA / RANK
    file = tmp_path / f"{layout} {seed}.safetensors"
    save_file(tensors, file, metadata=metadata)
    return file, scale


def read(file, weight: float = 1.0):
    return read_lora(file, SHAPES, NUM_LAYERS, weight)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_adds_the_defined_change(layout, transformer, tmp_path):
    before = {name: value.clone() for name, value in transformer.state_dict().items()}
    file, scale = lora_file(layout, tmp_path)
    merge_loras(transformer, [read(file, weight=0.5)])
    after = transformer.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {f"{name}.weight" for name in lora_modules().values()}
    for old, (down, up) in matrices(1).items():
        name = f"{lora_modules()[old]}.weight"
        expected = before[name] + 0.5 * scale * up @ down
        torch.testing.assert_close(after[name], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layout", ["diffusion-pipe", "comfy", "musubi"])
def test_diffusers_loader_agrees_where_it_reads_the_layout(layout, transformer, tmp_path):
    file, _ = lora_file(layout, tmp_path)
    inputs = torch.randn(1, 8, 3, 4, 6), torch.tensor([500]), torch.randn(1, 7, 32)
    with torch.no_grad():
        plain = transformer(*inputs, return_dict=False)[0]
    theirs = WanTransformer3DModel(**TINY_CONFIG).eval()
    theirs.load_state_dict(transformer.state_dict())
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    pipeline = PhantomWanPipeline(None, None, None, scheduler, theirs)
    pipeline.load_lora_weights(str(file), adapter_name="one")
    pipeline.set_adapters(["one"], [0.7])
    merge_loras(transformer, [read(file, weight=0.7)])
    with torch.no_grad():
        ours, expected = (m(*inputs, return_dict=False)[0] for m in (transformer, theirs))
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    assert (ours - plain).abs().max() > 0.01


@pytest.mark.parametrize(
    "names",
    [
        "model.diffusion_model.{}.lora_{}.weight",
        "base_model.model.{}.lora_{}.weight",
        "diffusion_model.{}.lora_{}.default.weight",
    ],
)
def test_other_prefixes_are_read_alike(names, tmp_path):
    tensors = {
        names.format(module, side): value
        for module, pair in matrices(1).items()
        for side, value in zip("AB", pair, strict=True)
    }
    save_file(tensors, tmp_path / "other.safetensors")
    file, _ = lora_file("diffusion-pipe", tmp_path)
    found, wanted = read(tmp_path / "other.safetensors"), read(file)
    assert len(found.keys) == len(wanted.keys) == len(matrices(1))


def test_several_at_once_add_up_and_are_rounded_once(transformer, tmp_path):
    transformer.to(torch.bfloat16)
    before = {name: value.float() for name, value in transformer.state_dict().items()}
    files = [lora_file(layout, tmp_path, seed) for seed, layout in enumerate(("comfy", "bare"))]
    merge_loras(transformer, [read(file, w) for (file, _), w in zip(files, (0.3, -1), strict=True)])
    for old, new in lora_modules().items():
        (down_0, up_0), (down_1, up_1) = matrices(0)[old], matrices(1)[old]
        change = 0.3 * ALPHA / RANK * up_0 @ down_0 - up_1 @ down_1
        expected = (before[f"{new}.weight"] + change).to(torch.bfloat16)
        torch.testing.assert_close(
            transformer.get_parameter(f"{new}.weight"), expected, atol=0, rtol=0.01
        )


def test_full_differences_of_lightx2v_are_not_dropped(transformer, tmp_path):
    changes = {
        "blocks.0.self_attn.q.diff_b": "blocks.0.attn1.to_q.bias",
        "blocks.1.norm3.diff": "blocks.1.norm2.weight",
        "blocks.1.norm3.diff_b": "blocks.1.norm2.bias",
        "blocks.2.self_attn.norm_q.diff": "blocks.2.attn1.norm_q.weight",
        "blocks.2.modulation.diff": "blocks.2.scale_shift_table",
        "head.modulation.diff": "scale_shift_table",
        "patch_embedding.diff": "patch_embedding.weight",
        "time_projection.1.diff_b": "condition_embedder.time_proj.bias",
    }
    before = {name: value.clone() for name, value in transformer.state_dict().items()}
    tensors = {f"diffusion_model.{k}": torch.randn(SHAPES[name]) for k, name in changes.items()}
    save_file(tensors, tmp_path / "lightx2v.safetensors")
    merge_loras(transformer, [read(tmp_path / "lightx2v.safetensors", weight=0.5)])
    for key, name in changes.items():
        expected = before[name] + 0.5 * tensors[f"diffusion_model.{key}"]
        torch.testing.assert_close(transformer.get_parameter(name), expected)


def refuse(tmp_path, tensors) -> str:
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "wrong.safetensors")
    return str(caught.value)


def test_unmatched_keys_are_an_error_that_names_them(tmp_path):
    message = refuse(tmp_path, {"lora_te1_encoder.lora_up.weight": torch.zeros(2, 2)})
    assert "1 of the 1 keys" in message and "lora_te1_encoder.lora_up.weight" in message
    # One unmatched key is enough: a LoRA of another base shares most names.
    file, _ = lora_file("diffusion-pipe", tmp_path)
    from safetensors.torch import load_file

    extra = {"diffusion_model.blocks.0.cross_attn.k_img.lora_A.weight": torch.zeros(4, 24)}
    message = refuse(tmp_path, {**load_file(file), **extra})
    assert "1 of the" in message and "k_img" in message
    assert "dora_scale" in refuse(tmp_path, {"diffusion_model.x.dora_scale": torch.zeros(1)})
    assert "0 of the 0 keys" in refuse(tmp_path, {})


@pytest.mark.parametrize(
    "key",
    [
        "diffusion_model.blocks.0.self_attn.q.lora_A",
        "diffusion_model.blocks.0.self_attn.q_lora.down.weight",
        "lora_unet__blocks_0_self_attn_q.lora_down.weight",
        "lycoris_blocks_0_self_attn_q.lora_down.weight",
        "lora_transformer_blocks_0_self_attn_q.lora_down.weight",
        "base_model.model.diffusion_model.blocks.0.self_attn.q.lora_A.weight",
        "lora_unet_blocks_0_self_attn_q.lokr_w1",
        "diffusion_model.vace_blocks.0.self_attn.q.lora_A.weight",
    ],
)
def test_a_layout_that_is_not_known_is_refused(key, tmp_path):
    message = refuse(tmp_path, {key: torch.zeros(4, 24)})
    assert "match no module of this model" in message and key in message


def test_a_lora_of_another_size_is_refused(tmp_path):
    name = "diffusion_model.blocks.0.self_attn.q"
    pair = {
        f"{name}.lora_A.weight": torch.zeros(4, 48),
        f"{name}.lora_B.weight": torch.zeros(48, 4),
    }
    assert "[48, 4] by [4, 48] where the model has [24, 24]" in refuse(tmp_path, pair)
    pair[f"{name}.lora_A.weight"] = torch.zeros(3, 24)
    assert "does not fit" in refuse(tmp_path, pair)
    assert "match no module" in refuse(tmp_path, {"blocks.30.ffn.0.diff_b": torch.zeros(64)})


def test_half_a_pair_is_refused(tmp_path):
    name = "diffusion_model.blocks.0.ffn.2"
    half = {f"{name}.lora_A.weight": torch.zeros(4, 64)}
    assert "only one of its two matrices" in refuse(tmp_path, half)
    assert "no matrices" in refuse(tmp_path, {f"{name}.alpha": torch.tensor(1.0)})


def test_numbers_that_are_not_finite_are_refused(transformer, tmp_path):
    save_file({"blocks.0.ffn.2.diff_b": torch.full((24,), torch.nan)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="not finite"):
        merge_loras(transformer, [read(tmp_path / "a.safetensors")])


def test_a_damaged_file_is_refused(tmp_path):
    file, _ = lora_file("comfy", tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated or damaged"):
        read(file)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.safetensors", ("a.safetensors", 1.0)),
        ("d/a=0.8", ("d/a", 0.8)),
        ("a=b=-1", ("a=b", -1.0)),
    ],
)
def test_a_weight_follows_the_name(text, expected):
    assert parse_lora(text) == expected


def test_a_file_may_have_an_equals_sign_in_its_name(tmp_path):
    file = tmp_path / "style=2.safetensors"
    file.touch()
    assert parse_lora(str(file)) == (str(file), 1.0)
    assert parse_lora(f"{file}=0.5") == (str(file), 0.5)


@pytest.mark.parametrize(
    ("down", "up"), [((0, 160), (160, 0)), ((4, 160), ()), ((), (160, 4))], ids=str
)
def test_invalid_matrices_are_refused(down, up, tmp_path):
    name = "diffusion_model.blocks.0.self_attn.q"
    save_file(
        {f"{name}.lora_A.weight": torch.zeros(down), f"{name}.lora_B.weight": torch.zeros(up)},
        tmp_path / "lora.safetensors",
    )
    with pytest.raises(InputError, match="does not fit this model"):
        read_lora(tmp_path / "lora.safetensors", SHAPES, NUM_LAYERS, 1.0)


@pytest.mark.parametrize("text", ["a=", "a=x", "a=nan", "a=40", "=0.5", "a=inf"])
def test_an_invalid_weight_is_refused(text):
    with pytest.raises(InputError, match="no weight"):
        parse_lora(text)


def test_a_path_gives_one_file(tmp_path):
    with pytest.raises(InputError, match="has 0 LoRA files"):
        find_lora(tmp_path)
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="has 2 LoRA files"):
        find_lora(tmp_path)
    (tmp_path / "pytorch_lora_weights.safetensors").touch()
    assert find_lora(tmp_path).name == "pytorch_lora_weights.safetensors"
    (tmp_path / "a.pt").touch()
    with pytest.raises(InputError, match=r"not a .safetensors file"):
        find_lora(tmp_path / "a.pt")
    with pytest.raises(InputError, match="does not exist"):
        find_lora(tmp_path / "c.safetensors")
