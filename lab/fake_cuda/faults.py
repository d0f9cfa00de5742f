"""Faults that a CPU does not show, planted one at a time; a scenario must find each."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest import mock

import torch

from lab.fake_cuda.full_size import Case
from lab.fake_cuda.scenarios import SCENARIOS, Scenario, run_scenario
from procvid.phantom import autoencoding, denoising, pipeline_phantom_wan, step_cache
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline

_SMALL = Scenario(Case(frames=5, steps=2))

_statistics = autoencoding._latent_statistics
_call = denoising.GuidedModel._call
_guided = denoising.GuidedModel


def _on_the_cpu(vae, _device):
    return _statistics(vae, torch.device("cpu"))


def _waiting(self, branches, latents, *rest):
    if latents.abs().max().item() == 0:
        raise ValueError
    return _call(self, branches, latents, *rest)


def _in_float32(transformer, guidance, references, *rest):
    return _guided(transformer, guidance, references.float(), *rest)


def _cpu_noise(_self, **arguments):
    return torch.randn(1, 16, 2, 60, 104, generator=arguments["generator"])


FAULTS: dict[str, tuple[Any, str, Any, Scenario]] = {
    "latent statistics left on the CPU": (
        autoencoding, "_latent_statistics", _on_the_cpu, _SMALL,
    ),
    "a number read in every model call": (denoising.GuidedModel, "_call", _waiting, _SMALL),
    "references not cast to bfloat16": (
        pipeline_phantom_wan, "GuidedModel", _in_float32, _SMALL,
    ),
    "noise drawn on the CPU": (PhantomWanPipeline, "prepare_latents", _cpu_noise, _SMALL),
    "the decoder's cache kept after a stop": (
        autoencoding, "forget_frames", lambda _vae: None, SCENARIOS["stopped in decoding"],
    ),
    "step cache under the trackers of offloading": (
        step_cache, "without_trackers", nullcontext,
        SCENARIOS["first_block, group offload"],
    ),
}  # fmt: skip
"""By name: the owner, the attribute, its faulty value, and the scenario that must find it."""


def problem_with(fault: str) -> str:
    """Plant a fault and return the first problem that its scenario finds, or ""."""
    owner, attribute, value, scenario = FAULTS[fault]
    with mock.patch.object(owner, attribute, value):
        _, problems = run_scenario(scenario)
    return (problems or [""])[0]
