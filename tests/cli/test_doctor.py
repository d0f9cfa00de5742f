"""`procvid doctor` finds beforehand what would stop a run: one finding each, with its remedy."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.cli import doctor
from procvid.errors import ServiceError, UnavailableError
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.wiring import run as wiring
from procvid.wiring.readiness import GraphicsCard, MachineFacts, MissingPart, Readiness

Usage = namedtuple("Usage", "total used free")


def found(findings) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in findings}


def test_the_published_models_that_are_not_here_and_cannot_be_fetched():
    """The tests run offline and with an empty cache."""
    findings = found(doctor._downloads())
    for repo in ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "IDEA-Research/grounding-dino-tiny"):
        finding = findings[repo]
        assert finding.verdict == "note" and "the Hub cannot be reached" in finding.detail
        assert finding.remedy.startswith("Connect this machine and run: hf download")


def test_gated_models_and_a_disk_that_is_too_full(monkeypatch):
    gated = UnavailableError("The model x/y is gated.", "Accept its terms.")
    answers = [("x/y", 2_000_000_000, gated), ("x/z", 0, None), ("x/w", 3_000_000_000, None)]
    monkeypatch.setattr(doctor, "check_downloads", lambda: iter(answers))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 4_900_000_000))
    findings = found(doctor._downloads())
    assert findings["x/y"].remedy == "Accept its terms." and findings["x/z"].verdict == "ok"
    assert "not downloaded yet, 3.0 GB" in findings["x/w"].detail
    full = findings["disk for models"]
    assert (
        "4.9 GB free" in full.detail
        and "5.0 GB to download" in full.detail
        and "HF_HOME" in full.remedy
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    monkeypatch.setattr(doctor, "check_downloads", lambda: iter(answers))
    assert "disk for models" not in found(doctor._downloads())


@pytest.mark.parametrize("error", [None, ServiceError("No quota left (429).", "Add credit.")])
def test_the_language_model(monkeypatch, error):
    def tried():
        if error:
            raise error
        return "m at localhost"

    monkeypatch.setattr(wiring, "try_openai", tried)
    finding = doctor._model_service()
    if error:
        assert (finding.verdict, finding.remedy) == ("note", "Add credit.")
    else:
        assert finding.verdict == "ok" and "m at localhost answers" in finding.detail


def test_without_a_key_no_service_is_asked():
    assert "OPENAI_API_KEY is not set" in doctor._model_service().detail


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    assert "cache of the Hub" not in found(doctor._caches())
    (tmp_path / "file").touch()
    monkeypatch.setattr(doctor, "hub_cache", lambda: tmp_path / "file" / "hub")
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "later" / "cache"))
    findings = found(doctor._caches())
    assert "cannot be written (Not a directory)" in findings["cache of the Hub"].detail
    assert "HF_HOME" in findings["cache of the Hub"].remedy
    assert "cache of procvid" not in findings and not (tmp_path / "later").exists()


def test_a_disk_that_is_almost_full(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 10**8))
    assert doctor._disk().verdict == "note" and "free some space" in doctor._disk().remedy


def test_what_fast_does():
    finding = found(doctor._fast())["--fast"]
    assert finding.verdict == "ok"
    assert PHANTOM_1_3B.shortcuts.summary in finding.detail and "taylor" in finding.detail


GB = 10**9


def machine(
    card: GraphicsCard | None = None, ram_gb: int = 64, apple: bool = False
) -> MachineFacts:
    return MachineFacts(card, ram_gb * GB, ram_gb * GB, 8, Path("/models"), 200 * GB, apple)


def card(name: str = "RTX 4090", gb: int = 24, capability=(8, 9), amd: bool = False):
    return GraphicsCard(name, gb * GB, gb * GB, capability, 120.0, amd)


def test_a_machine_without_a_gpu():
    findings = found(doctor._gpu(machine()))
    assert "no CUDA device" in findings["gpu"].detail
    assert "200.0 GB free in /models" in findings["disk for converted models"].detail


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (machine(card()), "RTX 4090, 24.0 GB, 24.0 GB free, compute capability 8.9, .*bfloat16"),
        (machine(card("T4", 15, (7, 5))), "capability 7.5, computes in float16"),
        (machine(card("Radeon", amd=True)), r"ROCm\) are untried"),
        (machine(apple=True), r"MPS\) is untried"),
    ],
)
def test_a_card_and_what_is_untried(facts, words):
    assert any(re.search(words, finding.detail) for finding in doctor._gpu(facts))


CONVERT = MissingPart("the converted weights", "procvid convert phantom-1.3b", 29 * GB, 15 * GB)
TINY_RUNS = Readiness("tiny")
FITS = Readiness(
    "phantom-1.3b", rung="full", fits=True, placement="everything on the GPU", clip_seconds=480.0
)


@pytest.mark.parametrize(
    ("converted", "gb", "readinesses", "last"),
    [
        (
            (),
            24,
            [replace(FITS, missing=(CONVERT,))],
            r"tiny profile.*\n.*procvid convert phantom-1",
        ),
        (
            ("phantom-1.3b",),
            24,
            [FITS],
            r"runs the phantom-1.3b profile.*\nWith .* also runs tiny\.",
        ),
        (("phantom-1.3b",), 24, [replace(FITS, fits=False)], "chooses the phantom-1.3b .* tiny$"),
        (
            ("phantom-1.3b", "phantom-14b"),
            24,
            [FITS, replace(FITS, profile="phantom-14b")],
            "phantom-1.3b profile.*\nWith .* tiny, phantom-14b",
        ),
    ],
)
def test_the_last_line_is_what_generate_does(converted, gb, readinesses, last, monkeypatch):
    monkeypatch.setattr(doctor, "converted_profiles", lambda: converted)
    ready = {one.profile: one for one in (TINY_RUNS, *readinesses)}
    assert re.search(last, doctor._last_line(machine(card(gb=gb)), ready), re.S)


def test_a_profile_says_what_it_lacks_and_how_long_a_clip_takes():
    finding = doctor._profile_finding(replace(FITS, missing=(CONVERT,)))
    assert finding.verdict == "note" and finding.remedy == "procvid convert phantom-1.3b"
    assert "downloads 29.0 GB, writes 15.0 GB" in finding.detail and "about 8 min" in finding.detail
    small = doctor._profile_finding(replace(FITS, missing=(CONVERT,), fits=False))
    assert small.remedy == "", "on a card that is too small the weights do not help"
    without = doctor._profile_finding(Readiness("phantom-1.3b", missing=(CONVERT,)))
    assert without.remedy == "", "nor do they without a card"


def test_an_old_library_is_one_sentence(monkeypatch):
    version = importlib.metadata.version
    old = {"torch": "2.7.1+cu126"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: old.get(name) or version(name))
    finding = next(doctor._libraries())
    assert (finding.verdict, finding.detail) == (
        "missing",
        "torch 2.7.1+cu126 is too old; procvid needs 2.8 or newer.",
    )
    assert finding.remedy == "Run `pip install --upgrade 'torch>=2.8'`."
    with pytest.raises(UnavailableError, match=r"torch 2\.7\.1.*too old"):
        wiring.build_generator(TINY)


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080/")
    finding = found(doctor._network())["network"]
    assert finding.verdict == "note" and "kind 'socks'" in finding.detail
    assert "unset ALL_PROXY" in finding.remedy


def test_a_token_that_was_cut_short(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abc\u2026")
    finding = found(doctor._downloads())["IDEA-Research/grounding-dino-tiny"]
    assert "characters that no token has" in finding.detail and "HF_TOKEN" in finding.remedy
