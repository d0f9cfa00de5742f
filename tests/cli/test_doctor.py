"""`procvid doctor` finds beforehand what would stop a run: one finding each, with its remedy."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from procvid.cli import doctor
from procvid.errors import ServiceError, UnavailableError
from procvid.settings import TINY
from procvid.wiring import run as wiring

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
    assert TINY.shortcuts.summary in finding.detail and "taylor" in finding.detail


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(doctor, "gpu_facts", lambda: (None, 0.0))
    assert "no CUDA device" in found(doctor._gpu())["gpu"].detail


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080/")
    finding = found(doctor._network())["network"]
    assert finding.verdict == "note" and "kind 'socks'" in finding.detail
    assert "unset ALL_PROXY" in finding.remedy


def test_a_token_that_was_cut_short(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abc\u2026")
    finding = found(doctor._downloads())["IDEA-Research/grounding-dino-tiny"]
    assert "characters that no token has" in finding.detail and "HF_TOKEN" in finding.remedy
