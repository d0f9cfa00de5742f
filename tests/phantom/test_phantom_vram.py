"""Computed bytes compared with the CPU allocator, and the ladder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch.profiler import ProfilerActivity, profile

from procvid.errors import UnavailableError
from procvid.phantom import ladder as ladder_module
from procvid.phantom.autoencoding import decode_video
from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.device_errors import ran_out
from procvid.phantom.fast import FastModel, shortened
from procvid.phantom.guidance import Guidance
from procvid.phantom.ladder import (
    Ladder,
    Rung,
    choose_rung,
    describe_choice,
    describe_shortage,
    rungs,
)
from procvid.phantom.layout import CONFIGS, stored_dtype
from procvid.phantom.peak import peak_bytes
from procvid.phantom.placing import (
    FEWER_FRAMES,
    FP8_GROUP_OFFLOAD,
    FULL,
    GROUP_OFFLOAD,
    MODEL_OFFLOAD,
    TILED,
    held_bytes,
    place,
    take_off,
)
from procvid.phantom.step_cache import known_caches
from procvid.phantom.vram import ClipShape, Denoising, estimate
from procvid.settings import PHANTOM_1_3B
from procvid.types import Shortcuts, StepCache

# Wide enough that tensors outweigh the odd buffer.
TRANSFORMER = {
    "num_attention_heads": 4,
    "attention_head_dim": 24,
    "in_channels": 8,
    "out_channels": 8,
    "text_dim": 64,
    "freq_dim": 64,
    "ffn_dim": 512,
    "num_layers": 3,
    "rope_max_seq_len": 64,
}
TEXT_ENCODER = {
    "vocab_size": 500,
    "d_model": 64,
    "d_kv": 16,
    "d_ff": 128,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}
VAE = {
    "base_dim": 8,
    "z_dim": 8,
    "dim_mult": [1, 2, 2, 2],
    "num_res_blocks": 1,
    "attn_scales": [],
    "temperal_downsample": [False, True, True],
    "latents_mean": [0.0] * 8,
    "latents_std": [1.0] * 8,
}
CLIP = ClipShape(width=128, height=96, num_frames=17, num_references=2, text_length=32)


def estimated(dtype=torch.float32, clip=CLIP, **asked):
    return estimate(clip, TRANSFORMER, TEXT_ENCODER, VAE, dtype, **asked)


@torch.no_grad()
def measured_peak(run) -> int:
    """Return the peak bytes that the CPU allocator gave out during a call."""
    run()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    now = peak = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        now += change
        peak = max(peak, now)
    return peak


ASKED = {
    "exact": Denoising(),
    "precise": Denoising(precise=True),
    "batched": Denoising((2.0, 2.0), shortcuts=Shortcuts(batched=True)),
    "first block": Denoising(shortcuts=Shortcuts(cache=StepCache("first_block", 1e-9, 9))),
    "mag": Denoising(shortcuts=Shortcuts(cache=StepCache("mag", 0.3, 9))),
    "sea": Denoising(shortcuts=Shortcuts(cache=StepCache("sea", 0.3, 9))),
    "published fast": Denoising(shortcuts=PHANTOM_1_3B.shortcuts),
}


def really_denoise(model: WanTransformer3DModel, denoising: Denoising, dtype) -> None:
    """Run two steps on noise, or four that fill the caches, without a solver."""
    torch.manual_seed(0)
    guidance = Guidance(*denoising.guidance_scales, CLIP.num_references)
    references = torch.randn(1, 8, CLIP.num_references, 12, 16).to(dtype)
    shortcuts = denoising.shortcuts
    guided = GuidedModel(model, guidance, references, denoising.precise, shortcuts)
    fast, latents = FastModel(guided, shortcuts), torch.randn(1, 8, 5, 12, 16)
    text = {sees: torch.randn(1, CLIP.text_length, 64).to(dtype) for sees in (True, False)}
    with shortened(model, shortcuts, denoising.precise, 9, 5, [1.0] * 9):
        for index in range(4 if shortcuts.cache else 2):
            timestep, position = torch.tensor(900 - index), LoopPosition(index, 9, 0.9)
            latents = latents + 0.1 * fast.velocity(latents, timestep, text, position)


# The others are kinds of the same; scenarios of lab.fake_cuda compare them too.
ALWAYS = ("exact", "precise", "published fast")


@pytest.mark.parametrize(
    "asked", [n if n in ALWAYS else pytest.param(n, marks=pytest.mark.slow) for n in ASKED]
)
def test_the_activations_of_denoising_match_the_allocator(asked):
    denoising = ASKED[asked]
    dtype = torch.float32 if asked == "batched" else torch.bfloat16
    if denoising.shortcuts.cache and denoising.shortcuts.cache.kind not in known_caches():
        pytest.skip("the installed diffusers has no such cache")
    model = WanTransformer3DModel(**TRANSFORMER).eval()
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, dtype))
    measured = measured_peak(lambda: really_denoise(model, denoising, dtype))
    computed = estimated(dtype, denoising=denoising).transformer.activations
    assert 0.95 < computed / measured < 1.1, (computed, measured)


@torch.no_grad()
def test_the_autoencoders_activations_are_those_of_a_real_decoding():
    """Compare with a real run; the allocator also counts the CPU's convolution columns."""
    vae = AutoencoderKLWan(**VAE).eval()
    latents = torch.zeros(1, 8, 5, 6, 8)
    measured = peak_bytes(lambda: vae.decode(latents))
    computed = estimated(clip=replace(CLIP, width=64, height=48)).vae.activations
    assert computed == pytest.approx(measured, rel=0.05)


def test_weights_are_counted_to_the_byte():
    model = WanTransformer3DModel(**TRANSFORMER)
    size = sum(v.numel() * v.element_size() for v in (*model.parameters(), *model.buffers()))
    part = estimated().transformer
    assert part.weights == size
    blocks = [sum(p.numel() * 4 for p in block.parameters()) for block in model.blocks]
    assert part.block == blocks[0] and part.outside == size - sum(blocks)
    half = estimated(torch.bfloat16)
    assert half.transformer.weights < 0.6 * size
    assert half.transformer_fp8.weights < 0.7 * half.transformer.weights


def test_a_longer_clip_needs_more_for_activations_only():
    short, long = estimated(), estimated(clip=replace(CLIP, num_frames=33))
    assert long.transformer.activations > 1.3 * short.transformer.activations
    assert long.vae.activations > short.vae.activations
    assert long.transformer.weights == short.transformer.weights


def made_rungs() -> list[Rung]:
    return rungs(CLIP, lambda clip: estimated(torch.bfloat16, clip))


def test_rungs_go_down_and_only_the_last_ones_are_shorter():
    all_rungs = made_rungs()
    sizes = [rung.device_bytes for rung in all_rungs]
    assert sizes == sorted(sizes, reverse=True)
    needs = [(rung.device_bytes, rung.step_bytes, rung.host_bytes) for rung in all_rungs]
    assert len(set(needs)) == len(needs)
    assert all_rungs[0].name == FULL and all_rungs[0].host_bytes == 0
    order = [FULL, MODEL_OFFLOAD, GROUP_OFFLOAD, TILED, FP8_GROUP_OFFLOAD, FEWER_FRAMES]
    places = [order.index(rung.name) for rung in all_rungs]
    assert places == sorted(places)
    assert all((r.name == FEWER_FRAMES) == (r.num_frames < CLIP.num_frames) for r in all_rungs)
    assert all(rung.num_frames % 4 == 1 for rung in all_rungs)


def test_a_gguf_is_never_offered_in_8_bits():
    all_rungs = rungs(
        CLIP, lambda clip: replace(estimated(torch.bfloat16, clip), transformer_fp8=None)
    )
    assert [rung.name for rung in all_rungs if rung.in_8_bits or "8 bits" in rung.summary] == []
    assert all_rungs[-1].name == FEWER_FRAMES and "with fewer frames (5)" in all_rungs[-1].summary


def test_the_first_rung_that_fits_is_taken():
    all_rungs = made_rungs()
    plenty = 10**15
    assert choose_rung(all_rungs, plenty, plenty) == 0
    sizes = [rung.device_bytes for rung in all_rungs]
    for size in sizes:
        assert choose_rung(all_rungs, size, plenty) == sizes.index(size)
    assert choose_rung(all_rungs, all_rungs[-1].device_bytes - 1, plenty) is None
    # Offloading needs a place to offload to.
    assert choose_rung(all_rungs, all_rungs[0].device_bytes - 1, 0) is None


def test_without_ram_for_a_page_locked_copy_the_weights_are_read_from_their_files():
    all_rungs = made_rungs()
    pinned, from_files, *_ = (rung for rung in all_rungs if rung.in_groups)
    assert pinned.pinned and not from_files.pinned
    assert pinned.device_bytes == from_files.device_bytes
    assert from_files.summary == f"{pinned.summary}, read from the files because RAM is short"
    chosen = choose_rung(all_rungs, pinned.device_bytes, pinned.host_bytes - 1)
    assert chosen is not None and all_rungs[chosen] == from_files


def test_weights_that_are_not_mapped_take_ram_on_every_rung():
    plain = made_rungs()
    copied = rungs(CLIP, lambda clip: estimated(torch.bfloat16, clip), unmapped=1000)
    assert [b.host_bytes - a.host_bytes for a, b in zip(plain, copied, strict=True)] == [
        1000
    ] * len(plain)


@pytest.mark.parametrize(
    ("free", "words"),
    [((10**3, 10**15), "GB of GPU memory; 0.0 GB are free"), ((10**15, -1), "GB of free RAM")],
    ids=["GPU", "machine"],
)
def test_a_clip_that_fits_nowhere_names_the_memory_that_is_short(free, words):
    error = describe_shortage("phantom-14b", CLIP, made_rungs()[1:], *free)
    assert words in error.message and "--profile tiny" in error.hint
    assert ("--size" in error.hint) == ("GPU" in words)


def test_the_note_has_the_needed_and_the_free_vram():
    sizes = {FULL: 46e9, MODEL_OFFLOAD: 34e9, GROUP_OFFLOAD: 9.4e9}
    all_rungs = [Rung(name, 81, int(size), 0, pinned=True) for name, size in sizes.items()]
    clip = ClipShape(832, 480, 81, 4)
    note = describe_choice("phantom-14b", clip, all_rungs, 2, int(24e9))
    assert note == (
        "phantom-14b at 832x480, 81 frames needs about 46.0 GB of GPU memory, 24.0 GB are free: the "
        "transformer goes through the GPU block by block, about 9.4 GB"
    )
    assert "everything stays on the GPU" in describe_choice("x", clip, all_rungs, 0, int(80e9))


@torch.no_grad()
def test_decoding_in_tiles_needs_less_vram():
    torch.manual_seed(0)
    vae = AutoencoderKLWan(**VAE).eval()
    vae.tile_sample_min_height = vae.tile_sample_min_width = 32
    vae.tile_sample_stride_height = vae.tile_sample_stride_width = 24
    latents, cpu = torch.randn(1, 8, 2, 6, 8), torch.device("cpu")
    whole, tiled = (decode_video(vae, latents, cpu, in_tiles=t) for t in (False, True))
    assert whole.shape == tiled.shape and not vae.use_tiling
    # Random weights look far beyond these small tiles; still it is the same image.
    assert 0 < (whole - tiled).abs().mean() < whole.std()
    peaks = [
        peak_bytes(lambda t=t: decode_video(vae, latents, cpu, in_tiles=t)) for t in (False, True)
    ]
    assert peaks[1] < 0.7 * peaks[0], peaks


@pytest.mark.slow
def test_the_published_sizes():
    """Check weights to the published byte, and activations at the full size."""
    clip = ClipShape(832, 480, 81, 4)
    small, large = (estimate(clip, CONFIGS[name]) for name in ("phantom-1.3b", "phantom-14b"))
    assert 1_418_996_800 * 2 < small.transformer.weights < 1.03 * 1_418_996_800 * 2
    assert 14_288_491_584 * 2 < large.transformer.weights < 1.03 * 14_288_491_584 * 2
    assert 10.5e9 < large.text_encoder.weights < 11.5e9
    assert 0.4e9 < large.vae.weights < 0.6e9
    # Three tensors of the feed-forward's width live at once at least.
    assert small.transformer.activations > 2 * 39_000 * 8960 * 2


# The placement of a pipeline does not change its result


def latents_of(pipeline, clip) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    *_, last = pipeline.denoise(**{**clip, "generator": generator})
    return last.latents


@pytest.fixture
def own_pipeline(make_pipeline, parts):
    """A pipeline for one test: hooks and 8 bits change a model permanently."""
    import copy

    return make_pipeline(
        transformer=copy.deepcopy(parts["transformer"]),
        text_encoder=copy.deepcopy(parts["text_encoder"]),
    )


def test_exact_rungs_give_the_same_clip_and_8_bits_nearly(own_pipeline, clip):
    cpu = torch.device("cpu")
    expected = latents_of(own_pipeline, clip)
    for name in (GROUP_OFFLOAD, FULL, TILED, MODEL_OFFLOAD):
        place(own_pipeline, name, cpu)
        assert torch.equal(latents_of(own_pipeline, clip), expected), name
    place(own_pipeline, FP8_GROUP_OFFLOAD, cpu)
    stored = {value.dtype for value in own_pipeline.transformer.parameters()}
    assert torch.float8_e4m3fn in stored
    error = (latents_of(own_pipeline, clip) - expected).norm() / expected.norm()
    assert 0 < error < 0.2


def test_out_of_memory_retries_the_same_step(own_pipeline, clip):
    """Let the third call of the second step fail as on a full device."""
    expected = latents_of(own_pipeline, clip)
    all_rungs = [Rung(FULL, 9, 3, 0), Rung(GROUP_OFFLOAD, 9, 2, 0), Rung(FEWER_FRAMES, 5, 1, 0)]
    ladder = Ladder(own_pipeline, torch.device("cpu"), all_rungs, 0)
    own_pipeline.make_room = ladder.make_room
    calls = []

    def fail(*_) -> None:
        calls.append(1)
        if len(calls) == 6:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = own_pipeline.transformer.register_forward_pre_hook(fail)
    assert torch.equal(latents_of(own_pipeline, clip), expected)
    handle.remove()
    # Nine calls, of which the three of the second step were begun twice.
    assert len(calls) == 9 + 3
    assert ladder.rung.name == GROUP_OFFLOAD
    assert "out of memory" in ladder.take_note() and ladder.take_note() == ""
    # The next rung would change the clip's length during the run.
    assert not ladder.make_room() and ladder.rung.name == GROUP_OFFLOAD


def test_weights_return_to_where_they_were_loaded_and_leave_no_copies(own_pipeline):
    before = {id(p): p.data_ptr() for p in own_pipeline.transformer.parameters()}
    for name in (GROUP_OFFLOAD, FULL, TILED):
        place(own_pipeline, name, torch.device("cpu"))
    for parameter in own_pipeline.transformer.parameters():
        # As offloading leaves it: a copy.
        parameter.data = parameter.data.clone()
    assert held_bytes(own_pipeline)[1] > 0
    take_off(own_pipeline)
    after = {id(p): p.data_ptr() for p in own_pipeline.transformer.parameters()}
    assert after == before and held_bytes(own_pipeline) == (0, 0)


def test_a_step_down_asks_both_memories_and_takes_the_next_rung_that_fits(own_pipeline):
    all_rungs = [
        Rung(FULL, 9, 40, 0),
        Rung(MODEL_OFFLOAD, 9, 30, 50),
        Rung(GROUP_OFFLOAD, 9, 20, 40, pinned=True),
        Rung(GROUP_OFFLOAD, 9, 20, 10),
        Rung(TILED, 9, 10, 40, pinned=True),
        Rung(TILED, 9, 10, 10),
    ]
    free = [100, 15]
    ladder = Ladder(own_pipeline, torch.device("cpu"), all_rungs, 0, free_bytes=lambda: tuple(free))
    assert ladder.step_down() and ladder.index == 3
    free[0] = 5
    assert not ladder.step_down() and ladder.index == 3
    free[0] = 10
    assert ladder.step_down() and ladder.index == 5


def test_without_page_locked_memory_the_next_variant_is_placed(own_pipeline, monkeypatch):
    locked = []

    def place_unpinned(pipeline, name, device, *, pinned):
        locked.append(pinned)
        if pinned:
            raise torch.AcceleratorError("CUDA error: out of memory", 2)
        place(pipeline, name, device, pinned=pinned)

    monkeypatch.setattr(ladder_module, "place", place_unpinned)
    all_rungs = [Rung(GROUP_OFFLOAD, 9, 2, 9, pinned=True), Rung(GROUP_OFFLOAD, 9, 2, 1)]
    ladder = Ladder(own_pipeline, torch.device("cpu"), all_rungs, 0)
    assert locked == [True, False] and ladder.index == 1 and ladder.is_placed
    assert ladder.take_note().startswith("out of RAM (")
    with pytest.raises(UnavailableError, match="not enough RAM to place the weights"):
        Ladder(own_pipeline, torch.device("cpu"), all_rungs[:1], 0)


def test_vram_that_another_program_took_meanwhile_is_a_step_down(own_pipeline, monkeypatch):
    """The device runs out of memory while the weights are moved to it."""

    def place_small(pipeline, name, device, *, pinned):
        if name == FULL:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        place(pipeline, name, device, pinned=pinned)

    monkeypatch.setattr(ladder_module, "place", place_small)
    all_rungs = [Rung(FULL, 9, 3, 0), Rung(GROUP_OFFLOAD, 9, 2, 5, pinned=True)]
    ladder = Ladder(own_pipeline, torch.device("cpu"), all_rungs, 0)
    assert ladder.rung.name == GROUP_OFFLOAD and ladder.is_placed
    assert ladder.take_note().startswith("out of memory (everything stays on the GPU)")
    with pytest.raises(UnavailableError, match="not enough GPU memory to place the weights"):
        Ladder(own_pipeline, torch.device("cpu"), all_rungs[:1], 0)


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (torch.AcceleratorError("CUDA error: out of memory", 2), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `x`"), True),
        (torch.AcceleratorError("CUDA error: device-side assert triggered", 710), False),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_only_a_lack_of_memory_steps_down(error, out):
    assert ran_out(error) == out


def test_without_a_ladder_out_of_memory_is_raised(own_pipeline, clip):
    def fail(*_) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    own_pipeline.transformer.register_forward_pre_hook(fail)
    with pytest.raises(torch.OutOfMemoryError):
        latents_of(own_pipeline, clip)
