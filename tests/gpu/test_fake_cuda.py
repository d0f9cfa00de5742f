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


RUNGS = {
    "phantom-1.3b": {
        (6, 16): ("tiled", True),
        (12, 32): ("model_offload", False),
        (24, 16): ("full", False),
    },
    "phantom-14b": {
        (6, 16): ("", False),
        (12, 64): ("group_offload", False),
        (16, 32): ("group_offload", True),
        (80, 64): ("full", False),
    },
}
"""By profile, card and machine: the rung, and whether weights are read from their files."""


@pytest.mark.parametrize(
    "profile", ["phantom-1.3b", pytest.param("phantom-14b", marks=pytest.mark.slow)]
)
def test_the_rung_on_common_cards(profile):
    for (card, host), (rung, from_files) in RUNGS[profile].items():
        ready = on_card(profile, card, host)
        assert (ready.rung, ready.fits) == (rung, bool(rung)), ready.placement
        assert ("read from the files" in ready.placement) == from_files
        assert ("GB of RAM is needed" in ready.placement) == (not rung)
