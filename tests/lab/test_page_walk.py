"""The walk through the page: its arguments, and the words that it counts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from lab.page_walk.__main__ import main, parser
from procvid.cli.arguments import UsageError

PAGE = """<!DOCTYPE html><title>Not counted</title>
<p>Two words</p> <p style="display: none">hidden</p> <p style="opacity: 0">faint</p>
<p aria-hidden="true">decoration</p> <script>const code = 1;</script>
<p style="position: absolute; clip-path: inset(50%)">unseen</p>
<p style="position: absolute; top: 5000px">below</p>"""


def test_an_address_and_a_folder_are_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = parser().parse_args(["http://127.0.0.1:7860/", "--out", "walk"])
    assert (args.out, args.axe, args.example) == (Path("walk"), None, "Carrot omelette")
    with pytest.raises(UsageError, match="--out"):
        parser().parse_args(["http://127.0.0.1:7860/"])
    monkeypatch.setattr("lab.page_walk.__main__.find_spec", lambda name: None)
    assert main(["http://127.0.0.1:7860/", "--out", "walk"]) == 1
    assert "pip install selenium" in capsys.readouterr().err


@pytest.mark.slow
def test_only_visible_words_are_counted() -> None:
    pytest.importorskip("selenium")
    from lab.page_walk.browser import BROWSER, DRIVER, visitor

    if not (Path(BROWSER).exists() and Path(DRIVER).exists()):
        pytest.skip("Chromium is not installed")
    with visitor("data:text/html," + quote(PAGE), (1280, 900)) as person:
        person.driver.get(person.address)
        assert person.words() == ["Two", "words"]
