"""A run of the real tiny models, made once for all tests that only read or copy it."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.events import Event
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.wiring import run as wiring
from tests.run.making import REQUEST


@pytest.fixture(scope="session")
def real_parts() -> Parts:
    return wiring.build()


@pytest.fixture(scope="session")
def real_run(
    real_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Event]]:
    """An uninterrupted run; tests must not change it."""
    folder = tmp_path_factory.mktemp("real_run") / "run"
    return folder, list(make_video(REQUEST, real_parts, folder))
