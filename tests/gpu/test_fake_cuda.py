"""The GPU path at full width on a pretended device, and on a real one where there is one."""

from __future__ import annotations

import pytest
import torch

from lab.fake_cuda.cards import on_card
from lab.fake_cuda.faults import FAULTS, problem_with
from lab.fake_cuda.real import real_cuda
from lab.fake_cuda.scenarios import SCENARIOS, run_scenario

ALWAYS = [name for name, scenario in SCENARIOS.items() if scenario.always]
OTHERS = [name for name in SCENARIOS if name not in ALWAYS]


def check(name: str) -> None:
    _, problems = run_scenario(SCENARIOS[name])
    assert not problems, problems


@pytest.mark.parametrize("name", ALWAYS)
def test_a_scenario(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_longer_scenario(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    assert problem_with(fault)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_on_a_real_card(name):
    _, problems = run_scenario(SCENARIOS[name], real_cuda)
    assert not problems, problems


@pytest.mark.parametrize(
    ("profile", "card", "host", "rung", "from_files"),
    [
        ("phantom-1.3b", 6, 16, "tiled", True),
        ("phantom-1.3b", 12, 32, "model_offload", False),
        ("phantom-1.3b", 24, 16, "full", False),
        ("phantom-14b", 12, 64, "group_offload", False),
        ("phantom-14b", 16, 32, "group_offload", True),
        ("phantom-14b", 80, 64, "full", False),
    ],
)
def test_the_rung_on_a_common_card(profile, card, host, rung, from_files):
    ready = on_card(profile, card, host)
    assert ready.rung == rung and ready.fits, ready.placement
    assert ("read from the files" in ready.placement) == from_files


def test_a_clip_that_fits_nowhere_is_refused_with_the_memory_that_is_short():
    refused = on_card("phantom-14b", 6, 16)
    assert refused.fits is False and "GB of RAM is needed" in refused.placement
