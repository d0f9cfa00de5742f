from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

from procvid.ui.app import launch_settings
from procvid.ui.document import CARD, FILES, with_own_head
from procvid.ui.pages.create.recipe_step import demo_notice
from procvid.ui.server.context import AppContext


def test_the_page_answers(address: str) -> None:
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
        assert b"procvid" in answer.read()


def test_building_the_app_loads_no_torch() -> None:
    code = (
        "import sys, pathlib, tempfile; import procvid.ui.app as a, procvid.ui.server.context as c;"
        "d = pathlib.Path(tempfile.mkdtemp()); a.build_app(c.open_context(d, runs_folder=d));"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'open_clip')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_notice_says_what_clips_to_expect(context: AppContext) -> None:
    line, _, folded = demo_notice(context).partition("</summary>")
    assert "small cartoons" in line and "More" in line
    assert "Demo mode" in folded and "Phantom-Wan" in folded
    other = replace(context, profile=replace(context.profile, demo=False))
    assert demo_notice(other) == ""


def test_the_document_has_its_own_card_and_files(address: str) -> None:
    with urllib.request.urlopen(address) as answer:
        document = answer.read().decode()
        assert int(answer.headers.get("content-length", len(document.encode()))) > 0
    before_script = document.partition("<script")[0]
    assert re.findall("<title>(.*?)</title>", document) == ["procvid: recipes become videos"]
    assert "Gradio" not in before_script and "http://" + CARD not in document
    (image,) = re.findall('property="og:image" content="(.*?)"', document)
    assert image == f"{address}page-files/{CARD}"
    with urllib.request.urlopen(image) as answer:
        assert answer.read() == (FILES / CARD).read_bytes()
    assert status(f"{address}page-files/../tiny_phantom/vocabulary.json") == 404
    with urllib.request.urlopen(f"{address}favicon.ico") as answer:
        assert answer.read().startswith(b"<svg")


def test_a_host_name_cannot_write_into_the_document() -> None:
    shown = with_own_head("<head><title>Gradio</title></head>", 'http://"><script>x</script>')
    assert "<script>x" not in shown and "Gradio" not in shown


def test_heavy_events_share_one_queue(app: Any) -> None:
    lines = {f.name: (f.concurrency_id, f.concurrency_limit) for f in app.fns.values()}
    heavy = {name for name, line in lines.items() if line == ("gpu", 1)}
    # The worker makes the clips; the search for references does not wait for it.
    memory = {"look", "drop", "rename", "retag", "ban", "remove", "same", "undo", "add"}
    assert heavy == {"evaluate", "score"} | memory
    assert lines["make"][0] != "gpu" and lines["retrieve"] != lines["generate"]


def test_files_outside_of_the_runs_are_not_served(address: str, context: AppContext) -> None:
    secret = context.runs_folder.parent / "secret.txt"
    secret.write_text("secret")
    assert status(f"{address}gradio_api/file={secret}") in (403, 404)
    assert status(f"{address}gradio_api/file={context.runs_folder}/../secret.txt") in (403, 404)


def test_neither_queue_nor_memories_are_served_and_runs_are(
    address: str, context: AppContext
) -> None:
    for folder, served in (("queue", False), ("memories", False), ("f" * 16, True)):
        (context.runs_folder / folder).mkdir(exist_ok=True)
        (context.runs_folder / folder / "x.json").write_text("{}")
        code = status(f"{address}gradio_api/file={context.runs_folder}/{folder}/x.json")
        assert (code == 200) is served


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_nothing_is_recorded_and_no_internals_are_shown(context: AppContext) -> None:
    settings = launch_settings(context)
    assert (settings["show_error"], settings["run_history"]) == (False, False)
    finished = str(context.examples_folder.resolve() / "finished")
    assert settings["allowed_paths"] == [str(context.runs_folder), finished]


def test_the_style_sheet_loads_nothing_from_outside(context: AppContext) -> None:
    assert not re.search(r"https?:|@import|url\(", launch_settings(context)["css"])
