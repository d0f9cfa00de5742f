"""Shortcuts: exact if they claim to be, otherwise close to the exact clip, and removed afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import hooks

from procvid.errors import UnavailableError
from procvid.phantom.benchmark import random_tensors, run_plain_loop
from procvid.phantom.clip import ClipArguments
from procvid.phantom.step_cache import _CONFIGS
from procvid.settings import PHANTOM_1_3B, PROFILES
from procvid.types import EXACT, Shortcuts, StepCache

BATCHED = Shortcuts(batched=True)
CACHES = {
    "first_block": StepCache("first_block", 1.0),
    "mag": StepCache("mag", 0.3, 2),
    "sea": StepCache("sea", 0.6, 2),
    "taylor": StepCache("taylor", 3, 3),
}
MAG_RATIOS = [1.0] * 12


def make(pipeline, shortcuts: Shortcuts, *, steps: int = 4, references: int = 2, scales=(3.0, 2.0)):
    """Final latents with the same noise and embeddings each time."""
    pipeline.shortcuts = shortcuts
    *_, last = pipeline.denoise(**vars(arguments(pipeline, steps, references, scales)))
    return last.latents


def arguments(pipeline, steps: int, references: int, scales) -> ClipArguments:
    tensors = random_tensors(pipeline, 32, 48, 9, references)
    tensors["reference_latents"] = tensors["reference_latents"][:, :, :references]
    return ClipArguments(
        height=32,
        width=48,
        num_frames=9,
        num_inference_steps=steps,
        guidance_scale_text=scales[0],
        guidance_scale_image=scales[1],
        **tensors,
    )


def error(made: torch.Tensor, exact: torch.Tensor) -> float:
    return ((made - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("references", [0, 1, 4])
@pytest.mark.parametrize("scales", [(7.5, 5.0), (3.0, 3.0), (1.0, 1.0)])
def test_batched_branches_are_the_branches_one_by_one(pipeline, calls, references, scales):
    looped = make(pipeline, EXACT, references=references, scales=scales)
    branches = len(calls) // 4
    calls.clear()
    batched = make(pipeline, BATCHED, references=references, scales=scales)
    assert [len(call["hidden_states"]) for call in calls] == [branches] * 4
    assert error(batched, looped) < 1e-4


@pytest.mark.parametrize("shortcuts", [EXACT, BATCHED])
def test_equal_scales_need_two_branches_of_upstreams_three(pipeline, calls, shortcuts):
    two = make(pipeline, shortcuts, scales=(3.0, 3.0))
    assert sum(len(call["hidden_states"]) for call in calls) == 2 * 4
    calls.clear()
    three = run_plain_loop(pipeline, arguments(pipeline, 4, 2, (3.0, 3.0)))
    assert len(calls) == 3 * 4
    assert error(two, three) < 1e-4


def test_a_share_of_the_steps_is_a_number_of_guided_steps():
    for steps in range(1, 201):
        for guided in range(steps + 1):
            assert Shortcuts(guided_share=guided / steps).num_guided(steps) == guided
    thirds = Shortcuts(guided_share=1 / 3)
    assert [thirds.num_guided(steps) for steps in (1, 4, 6, 8, 12)] == [1, 2, 2, 3, 4]


def test_dropped_zero_references_shorten_the_call_that_sees_none(pipeline, calls):
    exact = make(pipeline, EXACT)
    calls.clear()
    dropped = make(pipeline, Shortcuts(drop_zero_references=True))
    # Three video frames, and two references in the calls that see them.
    assert [call["hidden_states"].shape[2] for call in calls] == [3, 5, 5] * 4
    assert 1e-4 < error(dropped, exact) < 0.5
    calls.clear()
    batched = make(pipeline, Shortcuts(batched=True, drop_zero_references=True))
    assert [call["hidden_states"].shape[0] for call in calls] == [1, 2] * 4
    assert error(batched, dropped) < 1e-4


def test_without_references_there_is_no_zero_reference_to_drop(pipeline):
    exact = make(pipeline, EXACT, references=0)
    assert torch.equal(make(pipeline, Shortcuts(drop_zero_references=True), references=0), exact)


def test_steps_without_guidance_make_one_call(pipeline, calls):
    make(pipeline, Shortcuts(guided_share=0.5), steps=6)
    assert len(calls) == 3 * 3 + 3
    unguided = make(pipeline, EXACT, scales=(1.0, 1.0))
    assert torch.equal(make(pipeline, Shortcuts(guided_share=0.0)), unguided)


def test_a_reused_guidance_term_saves_calls_and_is_closer_than_none(pipeline, calls):
    exact = make(pipeline, EXACT, steps=8)
    calls.clear()
    kept = make(pipeline, Shortcuts(guided_every=2), steps=8)
    assert len(calls) == 4 * 3 + 4
    dropped = make(pipeline, Shortcuts(guided_share=0.5), steps=8)
    assert 0 < error(kept, exact) < error(dropped, exact)


@pytest.fixture
def blocks_run(parts):
    """Rows that reach the last block in spite of a cache."""
    rows: list[int] = []
    attention = parts["transformer"].blocks[-1].attn1
    handle = attention.register_forward_pre_hook(lambda _m, inputs: rows.append(len(inputs[0])))
    yield rows
    handle.remove()


@pytest.mark.parametrize("kind", CACHES)
@pytest.mark.parametrize("batched", [False, True])
def test_a_cached_run_skips_blocks_stays_close_and_leaves_nothing(
    pipeline, blocks_run, kind, batched
):
    pipeline.mag_ratios = MAG_RATIOS
    shortcuts = Shortcuts(batched=batched, cache=CACHES[kind])
    exact = make(pipeline, EXACT, steps=12)
    blocks_run.clear()
    cached = make(pipeline, shortcuts, steps=12)
    assert sum(blocks_run) < 0.8 * 3 * 12
    assert 0 < error(cached, exact) < 0.3
    assert torch.equal(make(pipeline, shortcuts, steps=12), cached)
    assert torch.equal(make(pipeline, EXACT, steps=12), exact)


def test_branches_have_a_cache_each(pipeline):
    """Extrapolation is linear, so three caches must give the result of one cache of the batch."""
    cache = StepCache("taylor", 3, 3)
    apart = make(pipeline, Shortcuts(cache=cache), steps=12)
    together = make(pipeline, Shortcuts(batched=True, cache=cache), steps=12)
    assert error(together, apart) < 1e-3


def test_an_abandoned_run_removes_its_cache(pipeline):
    exact = make(pipeline, EXACT)
    pipeline.shortcuts = Shortcuts(cache=CACHES["taylor"])
    steps = pipeline.denoise(**vars(arguments(pipeline, 12, 2, (3.0, 2.0))))
    for _ in range(5):
        next(steps)
    steps.close()
    assert not pipeline.transformer.is_cache_enabled
    assert torch.equal(make(pipeline, EXACT), exact)


def test_out_of_memory_in_a_cached_run_only_costs_computed_steps(pipeline, parts):
    exact = make(pipeline, EXACT, steps=12)
    failures = iter([False] * 20 + [True] + [False] * 1000)

    def fail_once(*_) -> None:
        if next(failures):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    handle = parts["transformer"].register_forward_pre_hook(fail_once)
    pipeline.make_room = lambda: True
    try:
        made = make(pipeline, Shortcuts(cache=CACHES["taylor"]), steps=12)
    finally:
        handle.remove()
    assert 0 < error(made, exact) < 0.3


@pytest.mark.parametrize(
    ("shortcuts", "message"),
    [
        (Shortcuts(guided_share=1.5), "guided_share"),
        (Shortcuts(guided_every=0), "guided_every"),
        (Shortcuts(cache=StepCache("taylor", 1)), "whole number from 2"),
        (Shortcuts(cache=StepCache("taylor", 2.5)), "whole number from 2"),
        (Shortcuts(cache=StepCache("sea", -1)), "above 0"),
        (Shortcuts(cache=StepCache("first_block", float("nan"))), "above 0"),
        (Shortcuts(cache=StepCache("sea", 0.3, 0)), "full_steps"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_shortcut_is_an_error(pipeline, calls, shortcuts, message):
    with pytest.raises(ValueError, match=message):
        make(pipeline, shortcuts)
    assert not calls


def test_a_cache_that_diffusers_lacks_is_unavailable(pipeline, monkeypatch):
    monkeypatch.delattr(hooks, "SeaCacheConfig")
    with pytest.raises(UnavailableError, match="no sea cache"):
        make(pipeline, Shortcuts(cache=CACHES["sea"]))


def test_the_installed_diffusers_has_every_cache():
    assert all(hasattr(hooks, name) for name in _CONFIGS.values())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_fast_changes_the_shortcuts_alone(profile):
    fast = profile.fast_sampling
    assert bool(fast.shortcuts.summary) == profile.has_fast == (fast.shortcuts != EXACT)
    assert replace(fast, shortcuts=EXACT) == profile.sampling


def test_the_published_profiles_fast_saves_three_of_five_predictions(pipeline, blocks_run):
    fast = PHANTOM_1_3B.fast_sampling
    steps = fast.num_inference_steps
    exact = make(pipeline, EXACT, steps=steps)
    assert sum(blocks_run) == 3 * steps
    blocks_run.clear()
    made = make(pipeline, fast.shortcuts, steps=steps)
    # 2.5 times the plain loop, where blocks are nearly all the time.
    assert sum(blocks_run) < 3 * steps / 2.5
    assert 0 < error(made, exact) < 0.3
