"""How clips fit a pretended card, and how long they take, before any weight is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from procvid.machine import generator_folder
from procvid.models.outlook import foresee
from procvid.phantom.ladder import FULL, GROUP_OFFLOAD, MODEL_OFFLOAD
from procvid.run.timings import ClipSample, ClipSetting
from procvid.settings import PHANTOM_1_3B, PHANTOM_14B, TINY
from procvid.settings.environment import read_environment
from procvid.wiring.readiness import GraphicsCard, MachineFacts, readiness

GB = 10**9


def machine(
    vram_gb: float, ram_gb: float, capability=(8, 9), tflops: float = 120.0
) -> MachineFacts:
    vram, ram = round(vram_gb * GB), round(ram_gb * GB)
    pretended = GraphicsCard("Pretended", vram, vram, capability, tflops)
    return MachineFacts(pretended, ram, ram, 8, Path("/models"), 200 * GB)


@pytest.fixture
def converted(tmp_path, monkeypatch) -> None:
    """The tiny model in place of the converted weights, so that nothing takes long."""
    monkeypatch.setenv("PROCVID_MODELS", str(tmp_path))
    (tmp_path / "phantom-1.3b").symlink_to(read_environment().assets_folder / "tiny_phantom")


def asked(facts: MachineFacts, samples=()):
    return readiness(PHANTOM_1_3B, TINY.sampling, facts, samples, "Pretended")


def test_a_converted_profile_on_a_card(converted):
    ready = asked(machine(8, 32))
    assert ready.runs and ready.rung == FULL and "everything stays on the GPU" in ready.placement
    assert all(not part.needed for part in ready.missing), "a run downloads CLIP and Grounding DINO"
    assert not ready.measured and "counted, not measured" in ready.time
    slower = asked(machine(8, 32, tflops=60.0))
    assert slower.clip_seconds == pytest.approx(2 * ready.clip_seconds)
    assert "Profile phantom-1.3b: can run" in next(ready.lines())


def test_a_measured_clip_counts_more(converted):
    setting = ClipSetting.of("phantom-1.3b", "Pretended", TINY.sampling, precise=True)
    ready = asked(machine(8, 32), [ClipSample(setting, False, 150.0, 1, 1.0)])
    assert (ready.clip_seconds, ready.measured) == (150.0, True)
    assert ready.time == "about 2 min a clip (measured on 1 clip made on this machine)"


def test_too_little_memory_is_named(converted):
    ready = asked(machine(0.001, 32))
    assert (
        not ready.runs
        and not ready.fits
        and "of GPU memory is needed, 0.0 GB is free" in ready.placement
    )
    folder = generator_folder(PHANTOM_1_3B)
    whole = foresee(PHANTOM_1_3B, folder, TINY.sampling, (GB, GB)).rung
    ram = asked(machine((whole.device_bytes - 1) / GB, 0.0))
    assert not ram.fits and "of RAM is needed, 0.0 GB is free" in ram.placement


def test_without_weights_the_commands_and_their_sizes(tmp_path, monkeypatch):
    monkeypatch.setenv("PROCVID_MODELS", str(tmp_path))
    facts = replace(machine(1, 1), card=None)
    ready = readiness(PHANTOM_14B, PHANTOM_14B.sampling, facts, (), "CPU")
    lines = list(ready.lines())
    assert "Missing: a CUDA GPU." in lines and "  -> procvid convert phantom-14b" in lines
    assert "Missing: the converted weights (downloads 80.4 GB, writes 40.5 GB)." in lines
    answer = ready.as_json()
    assert answer["runs"] is False and answer["missing"][1]["fetch_bytes"] == 80_385_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gb", "ram_gb", "rung"), [(80, 64, FULL), (24, 64, MODEL_OFFLOAD), (12, 64, GROUP_OFFLOAD)]
)
def test_the_published_size_on_cards_without_any_weights(gb, ram_gb, rung):
    free = gb * GB, ram_gb * GB
    folder = generator_folder(PHANTOM_1_3B)
    outlook = foresee(PHANTOM_1_3B, folder, PHANTOM_1_3B.sampling, free)
    assert outlook.rung is not None and outlook.rung.name == rung
    assert outlook.tflop == pytest.approx(57_000, rel=0.05)
