"""`python -m lab.pins` finds a pin that no longer holds; offline it names the reason."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi

from lab import pins
from procvid.settings import CONVERTIBLE
from procvid.storage.pins import CLIP_VIT_B_32, PINS, TRANSFORMERS, HubModel

WEIGHTS = "open_clip_model.safetensors"
ROOT = Path(__file__).resolve().parents[2]


class PretendedHub(HfApi):
    """Answers with the given files and commits."""

    def __init__(self, model: HubModel, commits: tuple[str, ...], sha256: str) -> None:
        super().__init__()
        sizes = {WEIGHTS: model.size_bytes - 1000, "open_clip_config.json": 1000}
        self._files = [
            SimpleNamespace(rfilename=n, size=s, lfs=SimpleNamespace(sha256=sha256))
            for n, s in sizes.items()
        ]
        self._commits = [SimpleNamespace(commit_id=c) for c in commits]

    def model_info(self, *_, **__):
        return SimpleNamespace(siblings=self._files)

    def list_repo_commits(self, *_, **__):
        return self._commits


GOOD = CLIP_VIT_B_32.sha256[WEIGHTS]


@pytest.mark.parametrize(
    ("changes", "commits", "sha256", "problem"),
    [
        ({}, (CLIP_VIT_B_32.revision,), GOOD, ""),
        ({}, ("0" * 40,), GOOD, "the commit is not on the main branch"),
        ({}, (CLIP_VIT_B_32.revision,), "0" * 64, f"{WEIGHTS} has another sha256"),
        ({"files": ("vae/*",)}, (CLIP_VIT_B_32.revision,), GOOD, r"it has no file vae/\*"),
    ],
)
def test_a_pin_is_compared_with_the_hub(changes, commits, sha256, problem):
    model = replace(CLIP_VIT_B_32, **changes)
    report = pins.examine(model, PretendedHub(CLIP_VIT_B_32, commits, sha256))
    assert report.state == ("changed" if problem else "ok")
    assert re.search(problem, "; ".join(report.problems))


def test_without_a_network_every_pin_is_unavailable(capsys):
    """The tests run offline."""
    assert pins.main([]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == len(PINS) and all(line.startswith("unavailable") for line in lines)
    assert f"{len(PINS)} of {len(PINS)} pins are not confirmed" in printed.err


def test_the_code_names_no_other_commit():
    """A revision is 40 hex digits. Every one in the code is in the list."""
    known = {model.revision for model in PINS}
    for folder in ("procvid", "lab"):
        for file in (ROOT / folder).rglob("*.py"):
            found = set(re.findall(r"\b[0-9a-f]{40}\b", file.read_text("utf-8")))
            assert found <= known, file
    assert set(TRANSFORMERS) == set(CONVERTIBLE)
    assert all(model in PINS for model in TRANSFORMERS.values())
