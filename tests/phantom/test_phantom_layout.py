"""Names and shapes of the published files, at both full sizes; nothing of that size is allocated."""

from __future__ import annotations

import pytest
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

from procvid.phantom.layout import (
    CONFIGS,
    diffusers_name,
    kept_in_fp32,
    original_names,
    parameter_shapes,
)

PUBLISHED = {
    "phantom-1.3b": (825, 1_418_996_800),
    "phantom-14b": (1095, 14_288_491_584),
    # Counted: tests/phantom/test_vace_cost.py derives them from the text model.
    "vace-1.3b": (1264, 2_153_972_032),
    "vace-14b": (1331, 17_337_592_896),
}


@pytest.fixture(scope="module", params=list(CONFIGS))
def size(request) -> str:
    return request.param


def test_a_published_file_has_all_keys_and_weights(size):
    names, shapes = original_names(CONFIGS[size]), parameter_shapes(CONFIGS[size])
    num_weights = 0
    for shape in shapes.values():
        count = 1
        for length in shape:
            count *= length
        num_weights += count
    assert (len(names), num_weights) == PUBLISHED[size]
    assert sorted(names.values()) == sorted(shapes)


def test_every_key_is_renamed_as_diffusers_does(size):
    names = original_names(CONFIGS[size])
    for prefix in ("", "model.diffusion_model."):
        theirs = convert_wan_transformer_to_diffusers({prefix + key: key for key in names})
        assert {original: new for new, original in theirs.items()} == names
        assert all(diffusers_name(prefix + key) == name for key, name in names.items())


def test_shapes_of_the_published_1_3b():
    expected = {
        "patch_embedding.weight": (1536, 16, 1, 2, 2),
        "text_embedding.0.weight": (1536, 4096),
        "time_embedding.0.weight": (1536, 256),
        "time_projection.1.weight": (9216, 1536),
        "head.head.weight": (64, 1536),
        "head.modulation": (1, 2, 1536),
        "blocks.29.modulation": (1, 6, 1536),
        "blocks.29.ffn.0.weight": (8960, 1536),
        "blocks.0.norm3.bias": (1536,),
        "blocks.0.cross_attn.norm_k.weight": (1536,),
    }
    config = CONFIGS["phantom-1.3b"]
    names, shapes = original_names(config), parameter_shapes(config)
    assert {key: shapes[names[key]] for key in expected} == expected


@pytest.mark.parametrize(
    "key",
    ["blocks.0.self_attn.q", "blocks.0.norm1.weight", "blocks.0.cross_attn.k_img.weight", "x", ""],
)
def test_an_unknown_key_has_no_name(key):
    assert diffusers_name(key) is None


def test_the_modules_that_stay_float32():
    assert kept_in_fp32("scale_shift_table") and kept_in_fp32("blocks.3.norm2.weight")
    assert kept_in_fp32("condition_embedder.time_embedder.linear_1.bias")
    assert not kept_in_fp32("blocks.3.attn1.norm_q.weight")
    assert not kept_in_fp32("condition_embedder.time_proj.weight")
