"""The attention kernel of each card, and what happens when it fails."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

from procvid.errors import InputError, UnavailableError
from procvid.phantom.attention import (
    _BACKENDS,
    attention_kinds,
    compute_capability,
    installed_kernels,
    set_attention,
)
from procvid.settings.environment import read_environment
from procvid.types import Shortcuts
from tests.phantom.conftest import build_transformer
from tests.phantom.test_phantom_fast import make

CPU = torch.device("cpu")
BUILT = frozenset({"flash_attn_interface"})


@pytest.fixture(scope="module")
def transformer():
    """A transformer of this module alone, because its attention changes."""
    return build_transformer()


def backends_of(transformer) -> set[str | None]:
    blocks = transformer.blocks
    return {a.processor._attention_backend for b in blocks for a in (b.attn1, b.attn2)}


@pytest.mark.parametrize(
    ("capability", "installed", "best"),
    [
        (None, (), "native"),
        ((7, 0), (), "efficient"),
        ((7, 5), (), "efficient"),
        ((8, 0), (), "flash"),
        ((8, 6), BUILT, "flash"),
        ((8, 9), (), "flash"),
        ((9, 0), (), "cudnn"),
        ((9, 0), BUILT, "flash3"),
        ((10, 0), BUILT, "cudnn"),
        ((12, 0), (), "flash"),
    ],
)
def test_each_card_has_a_kernel_and_ends_in_torchs_own_choice(capability, installed, best):
    kinds = attention_kinds(capability, installed)
    assert kinds[0] == best
    assert kinds[-1] == "native"


def test_precise_mode_leaves_flash_attention_3_out():
    assert attention_kinds((9, 0), BUILT, precise=True) == attention_kinds((9, 0))


def test_a_users_choice_comes_first_and_needs_a_gpu():
    assert attention_kinds((9, 0), (), "efficient") == ("efficient", "native")
    assert attention_kinds((9, 0), (), "native") == ("native",)
    assert attention_kinds(None, (), "cudnn") == ("native",)
    assert read_environment({}).attention == "auto"
    assert read_environment({"PROCVID_ATTENTION": "CuDNN"}).attention == "cudnn"
    with pytest.raises(InputError, match="PROCVID_ATTENTION is 'sage'") as caught:
        read_environment({"PROCVID_ATTENTION": "sage"})
    assert "efficient" in caught.value.hint


def test_every_kernel_is_one_of_diffusers():
    assert set(_BACKENDS.values()) <= {name.value for name in AttentionBackendName}


def test_the_cpu_has_no_capability():
    assert compute_capability(CPU) is None
    assert "flash_attn" not in installed_kernels()


def test_a_failing_kernel_is_replaced_with_a_note(transformer):
    kind, note = set_attention(transformer, CPU, ("cudnn", "flash3_hub", "flash", "native"))
    # Flash attention runs on a CPU too.
    assert kind == "flash"
    assert note.startswith("attention uses flash, because cudnn (No viable backend")
    assert "flash3_hub" in note
    assert backends_of(transformer) == {"_native_flash"}
    # The default of other models stays.
    assert _AttentionBackendRegistry.get_active_backend()[0] == "native"
    assert set_attention(transformer, CPU, ("native",)) == ("native", "")


def test_without_any_kernel_the_remedy_is_the_variable(transformer):
    with pytest.raises(UnavailableError, match="No attention kernel works: cudnn") as caught:
        set_attention(transformer, CPU, ("cudnn",))
    assert "PROCVID_ATTENTION=native" in caught.value.hint


def test_attention_in_8_bits_needs_its_package(make_pipeline, transformer):
    pipeline = make_pipeline(transformer=transformer)
    with pytest.raises(UnavailableError, match="8-bit attention cannot run here") as caught:
        make(pipeline, Shortcuts(attention_in_8_bits=True))
    assert "sageattention 2.1.1" in caught.value.hint
    pipeline.precise = True
    with pytest.raises(ValueError, match="precise mode exclude each other"):
        make(pipeline, Shortcuts(attention_in_8_bits=True))
