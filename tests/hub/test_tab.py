"""The Hub page: preview, download, verify, and publish, each only for permitted visitors."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import gradio as gr
import pytest
from huggingface_hub import constants
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from starlette.requests import Request

from procvid.cli import main
from procvid.errors import InputError
from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.cache import default_cache
from procvid.hub.names import HubId, ReleaseTarget
from procvid.settings.environment import read_environment
from procvid.ui.app import build_app
from procvid.ui.pages.create.references_step import ReferenceLook
from procvid.ui.server import visitors
from procvid.ui.server.context import AppContext, new_run_id, open_context
from procvid.ui.server.visitors import is_at_this_machine, require_publisher, visitor_of
from tests.default_store import CROPS, NAMES
from tests.hub.artifacts import SMALL
from tests.hub.server import OWNER, READER, Blob, Hub
from tests.ui.events import Events, events_of
from tests.ui.running import create_page, finished

OPTIONS = BundleOptions(ReleaseTarget(HubId("cook/lora", "main", "model")))
EGG = "Egg\n1. Fry the egg in the frying pan."


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> AppContext:
    folder = tmp_path_factory.mktemp("app")
    return open_context(folder / "none", profile="tiny", runs_folder=folder / "runs")


@pytest.fixture(scope="module")
def app(context: AppContext) -> gr.Blocks:
    """The page; it reads Hub and cache from the environment at each event."""
    return build_app(context)


@pytest.fixture
def on(hub: Hub, app: gr.Blocks) -> Events:
    return events_of(app)


def asked(address: str = "127.0.0.1", **headers: str) -> gr.Request:
    sent = {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "client": (address, 5000),
        "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
    }
    return gr.Request(request=Request(scope))


def on_hub(hub: Hub, bundle: Path) -> str:
    """Put a LoRA on the Hub as if it had been published; return its commit."""
    return hub.repo("cook/lora").put(
        **{
            f.relative_to(bundle).as_posix(): Blob(f.read_bytes(), f.suffix == ".safetensors")
            for f in bundle.rglob("*")
            if f.is_file()
        }
    )


def test_look_pull_and_verify(hub: Hub, on: Events, lora_bundle: Path, tmp_path: Path) -> None:
    commit = on_hub(hub, lora_bundle)
    html, download = on["look_up"]("cook/lora", asked())
    assert download.interactive
    assert "Omelette LoRA" in html and "apache-2.0" in html and "rank 4, alpha 8, 56 layers" in html
    assert not any("safetensors" in line for line in hub.asked)
    *on_the_way, (html, choice, _) = on["pull_it"]("cook/lora", asked())
    assert "complete and verified" in html and len(on_the_way) > 3
    key = f"Style (LoRA): cook/lora@{commit[:12]}"
    assert choice.value == key
    integrity, box, card = on["show"](key, asked())
    assert "All 3 files match the manifest" in integrity and box.visible
    assert "Choose it in the Create tab under Options, LoRA." in integrity
    assert "# Omelette LoRA" in card and "library_name" not in card
    weights = next((tmp_path / "cache").rglob("pytorch_lora_weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    integrity, *_ = on["show"](key, asked())
    assert "1 of 3 files are damaged" in integrity and "differs" in integrity
    *_, (html, *_) = on["pull_it"]("cook/lora", asked())
    assert "was damaged and is pulled again" in html
    assert "All 3 files" in on["show"](key, asked())[0]
    _, _, here, none_yet = on["greet"](asked())
    assert key in [name for name, _ in here.choices] and here.visible and not none_yet.visible


@pytest.mark.slow
def test_the_example_needs_no_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, app: gr.Blocks
) -> None:
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    on = events_of(app)
    # Without the Hub the tab has nothing to offer, until something is downloaded.
    tab, publishing, _, none_yet = on["greet"](asked())
    assert not tab.visible and publishing.visible and none_yet.visible
    name, html, download = on["look_at_example"](asked())
    assert f"{CROPS} pictures of {NAMES} objects" in html and download.interactive
    *_, (html, choice, _) = on["pull_it"](name, asked())
    assert "complete and verified" in html and choice.value.startswith("Picture library: procvid/")
    assert "All 4 files match the manifest" in on["show"](choice.value, asked())[0]
    assert on["greet"](asked())[0].visible


def test_the_page_hides_what_a_visitor_may_not_do(hub: Hub, on: Events) -> None:
    tab, publishing, *_ = on["greet"](asked("10.0.0.7"))
    assert tab.visible and not publishing.visible
    tab, publishing, *_ = on["greet"](asked())
    assert tab.visible and publishing.visible


def test_a_store_is_shown_with_its_rights(hub: Hub, on: Events, store_folder: Path) -> None:
    store = str(store_folder)
    assert main(["hub", "publish", "memory", store, "--repo", "cook/crops", "--yes"]) == 0
    *_, (_, choice, _) = on["pull_it"]("cook/crops", asked())
    integrity, _, card = on["show"](choice.value, asked())
    assert f"{SMALL} pictures of" in integrity and "free to use under Apache-2.0" in integrity
    assert "box_xyxy" in card
    (pulled,) = default_cache().releases()
    (pulled.folder / "notes.txt").write_text("x")
    card_file = pulled.folder / "README.md"
    card_file.write_bytes(card_file.read_bytes() + b"?")
    integrity, *_ = on["show"](choice.value, asked())
    assert "<li>notes.txt</li>" in integrity and "1 of 4 files are damaged" in integrity


def test_a_pulled_store_is_a_memory_to_choose(
    hub: Hub, on: Events, context: AppContext, store_folder: Path
) -> None:
    publish = ["hub", "publish", "memory", str(store_folder), "--repo", "cook/crops", "--yes"]
    assert main(publish) == 0
    list(on["pull_it"]("cook/crops", asked()))
    name = f"cook/crops@{hub.repos['dataset', 'cook/crops'].head}"
    assert name in [value for _, value in on["list_memories"](asked()).choices]
    page, create_events, _ = create_page(context)
    draft = create_events["plan_recipe"](EGG)[page.state.draft]
    look = ReferenceLook()
    found = create_events["find_references"](draft, {}, look, name, 0, request=asked())
    shown = found[page.references.shown]
    assert "of the downloaded store" in shown and "<img" in shown
    made = create_events["make"](draft, {}, name, 0, 1, False, "", asked())
    run_id = made[page.state.run_id]
    while (state := on["run"](run_id))["state"] not in ("done", "failed"):
        time.sleep(0.1)
    assert state["state"] == "done", state
    assert context.job_of(run_id).options.memory == name
    # Only visitors who pulled it see and use it, and no endpoint accepts its name.
    stranger = asked("10.0.0.7")
    assert name not in [value for _, value in on["list_memories"](stranger).choices]
    for event, values in (
        ("find_references", (draft, {}, look, name, 0, "")),
        ("make", (draft, {}, name, 0, 1, False, "")),
    ):
        with pytest.raises(gr.Error, match="There is no memory 'cook/crops"):
            on[event](*values, stranger)
    with pytest.raises(gr.Error, match="There is no memory 'cook/crops"):
        on["retrieve"](EGG, name)
    # A damaged one is not used.
    crops = next(read_environment().cache_folder.rglob("crops.parquet"))
    crops.write_bytes(crops.read_bytes()[:-1] + b"!")
    with pytest.raises(gr.Error, match=r"damaged: crops\.parquet .*Pull it again"):
        on["find_references"](draft, {}, look, name, 0, request=asked())


@pytest.mark.parametrize("text", ["", "x", "../../etc", "cook/none", "<script>/x", "a" * 5000])
def test_what_is_wrong_is_one_sentence(on: Events, text: str) -> None:
    for event in ("look_up", "pull_it"):
        with pytest.raises(gr.Error) as caught:
            list(on[event](text, asked()))
        assert len(caught.value.message) < 400 and "Unexpected" not in str(caught.value.title)


def test_a_card_shows_words_and_fetches_nothing(hub: Hub, on: Events, lora_bundle: Path) -> None:
    on_hub(hub, lora_bundle)
    repo = hub.repos["model", "cook/lora"]
    hostile = b"# Hi\n<img src=https://x.test/a><script>1</script>![t](https://x.test/b.png)\n"
    repo.put(**{"README.md": Blob(hostile, False)})
    *_, (html, choice, _) = on["pull_it"]("cook/lora", asked())
    assert "The card was changed after the release was published" in html
    _, _, card = on["show"](choice.value, asked())
    assert "<img" not in card and "<script" not in card and "![" not in card


def test_publishing_is_planned_shown_and_then_done(
    hub: Hub, on: Events, lora_folder: Path, tmp_path: Path
) -> None:
    fields = ("lora", str(lora_folder), "cook/new", "v1", "", True, False)
    html, seen, button = on["plan_here"](*fields, asked())
    assert "new, private" in html and button.interactive and hub.repos == {}
    with pytest.raises(gr.Error, match="has changed since your preview"):
        list(on["send_here"](*fields, "something else", asked()))
    changed = ("lora", str(lora_folder), "cook/other", "v1", "", True, False)
    with pytest.raises(gr.Error, match="has changed since your preview"):
        list(on["send_here"](*changed, seen, asked()))
    assert hub.repos == {}
    *_, (html, _, _) = on["send_here"](*fields, seen, asked())
    repo = hub.repos["model", "cook/new"]
    assert "tag v1" in html and repo.private and repo.tags == {"v1": repo.head}
    html, _, button = on["plan_here"](*fields, asked())
    assert "holds this release already" in html and not button.interactive


def test_nobody_else_may_publish(hub: Hub, on: Events, lora_folder: Path) -> None:
    fields = ("lora", str(lora_folder), "cook/new", "", "", True, False)
    strangers = (
        asked("10.0.0.7"),
        asked(x_forwarded_for="10.0.0.7"),
        asked(host="my.gradio.live"),
        asked("10.0.0.7", host="localhost"),
    )
    for stranger in strangers:
        with pytest.raises(gr.Error, match="Nothing was published"):
            on["plan_here"](*fields, stranger)
        with pytest.raises(gr.Error, match="Nothing was published"):
            list(on["send_here"](*fields, "", stranger))
    assert hub.repos == {} and hub.asked == []


def test_a_stranger_sees_what_is_public_and_no_more(
    hub: Hub, on: Events, lora_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = on_hub(hub, lora_bundle)
    hub.repos["model", "cook/lora"].private = True
    list(on["pull_it"]("cook/lora", asked()))
    stranger = asked("10.0.0.7")
    with pytest.raises(gr.Error, match="or it is private"):
        on["look_up"]("cook/lora", stranger)
    with pytest.raises(gr.Error, match="is not downloaded"):
        on["show"](f"lora: cook/lora@{commit[:12]}", stranger)
    hub.repos["model", "cook/lora"].private = False
    monkeypatch.setattr(visitors, "LIMIT_BYTES", 100_000)
    with pytest.raises(gr.Error, match="this server accepts at most"):
        list(on["pull_it"]("cook/lora", stranger))


def test_on_a_space_only_its_owner_signed_in(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPACE_ID", "cook/procvid")
    # Without this Gradio signs in every visitor as the server's own user, so it is no Space to us.
    assert read_environment().space_owner == ""
    monkeypatch.setenv("SYSTEM", "spaces")
    assert read_environment().space_owner == "cook"
    for name in ("CLIENT_ID", "CLIENT_SECRET", "SCOPES"):
        monkeypatch.setattr(f"gradio.oauth.OAUTH_{name}", "x")
    monkeypatch.setattr("gradio.oauth.OPENID_PROVIDER_URL", hub.url)
    for user, token in (("", None), ("guest", READER), ("cook", None), ("guest", OWNER)):
        with pytest.raises(InputError, match="Only cook, who owns this Space"):
            require_publisher(visitor_of(asked(), user, token))
    owner = visitor_of(asked("10.0.0.7", x_forwarded_for="1.2.3.4"), "cook", OWNER)
    require_publisher(owner)
    assert owner.client.token == OWNER and not owner.may_name_folders
    assert visitor_of(asked(), "guest", READER).client.token is False
    context = open_context(tmp_path / "none", profile="tiny", runs_folder=tmp_path / "runs")
    app = build_app(context)
    events = events_of(app)
    assert any(isinstance(block, gr.LoginButton) for block in app.blocks.values())
    profile = gr.OAuthProfile(
        {"name": "Cook", "preferred_username": "cook", "profile": "", "picture": ""}
    )
    token = gr.OAuthToken(token=OWNER, scope="manage-repos", expires_at=2_000_000_000)
    fields = ("lora", str(tmp_path), "cook/new", "", "", True, False)
    with pytest.raises(gr.Error, match="A Space publishes runs only"):
        events["plan_on_space"](*fields, asked(), profile, token)
    run = ("run", new_run_id(), "cook/new", "", "", True, False)
    with pytest.raises(gr.Error, match="There is no run"):
        events["plan_on_space"](*run, asked(), profile, token)
    with pytest.raises(gr.Error, match="16 characters of 0-9 and a-f"):
        events["plan_on_space"]("run", "/etc", *run[2:], asked(), profile, token)
    with pytest.raises(gr.Error, match="Only cook"):
        events["plan_on_space"](*run, asked(), None, None)


@pytest.mark.parametrize(
    ("host", "headers", "here"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:7860"}, True),
        ("127.0.0.1", {"host": "localhost:7860"}, True),
        ("::1", {"host": "[::1]:7860"}, True),
        ("127.0.0.1", {"host": "procvid.example.org"}, False),
        ("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}, False),
        ("192.168.1.4", {"host": "192.168.1.2:7860"}, False),
        ("", {}, False),
    ],
)
def test_who_is_at_this_machine(host: str, headers: dict[str, str], here: bool) -> None:
    assert is_at_this_machine(host, headers) is here


def test_the_events_of_the_tab_are_private(app: gr.Blocks) -> None:
    events = {f.name: f for f in app.fns.values()}
    for name in (
        "look_up",
        "pull_it",
        "show",
        "greet",
        "look_at_example",
        "plan_here",
        "send_here",
    ):
        assert events[name].api_visibility == "private"


@pytest.mark.slow
def test_a_pulled_lora_makes_the_video_and_stands_in_its_record(
    hub: Hub,
    on: Events,
    context: AppContext,
    lora_folder: Path,
    lora_bundle: Path,
    tmp_path: Path,
) -> None:
    name = f"cook/lora@{on_hub(hub, lora_bundle)}"
    stranger = asked("8.8.8.8", host="a.hf.space")
    with pytest.raises(gr.Error, match="no LoRA"):
        make(context, name, asked())
    list(on["pull_it"]("cook/lora", asked()))
    assert name in [value for _, value in on["list_loras"](asked()).choices]
    assert name not in [value for _, value in on["list_loras"](stranger).choices]
    with pytest.raises(gr.Error, match="no LoRA"):
        make(context, name, stranger)

    bare, with_lora = make(context, "", asked()), make(context, name, asked())
    views = [finished(context, run_id) for run_id in (bare, with_lora)]
    assert [view.state for view in views] == ["done", "done"]
    assert views[0].clips[0].read_bytes() != views[1].clips[0].read_bytes()
    folder = context.existing_folder_of(with_lora)
    assert json.loads((folder / "run.json").read_text())["request"]["lora"] == [name]
    record = json.loads((folder / "steps" / "01" / "conditioning.json").read_text())
    assert record["lora"] == [name]
    assert "lora" in record["models"]["generator"].lower()
    assert context.job_of(with_lora).options.lora == name
    # The weights without it are loaded again and are unchanged.
    assert finished(context, make(context, "", asked())).clips[0].read_bytes() == (
        views[0].clips[0].read_bytes()
    )

    wrong = shutil.copytree(lora_folder, tmp_path / "wrong")
    file = wrong / "pytorch_lora_weights.safetensors"
    weights = load_file(file)
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    first = next(key for key in weights if key.endswith("lora_A.weight"))
    weights[first] = weights[first][:, :-1].clone()
    save_file(weights, file, metadata)
    bundle_lora(wrong, tmp_path / "again", OPTIONS, lambda: "0" * 16)
    other = f"cook/lora@{on_hub(hub, tmp_path / 'again')}"
    list(on["pull_it"](other, asked()))
    with pytest.raises(gr.Error, match=r"'cook/lora@.* does not fit this model: ") as caught:
        make(context, other, asked())
    assert str(tmp_path) not in str(caught.value)


def make(context: AppContext, lora: str, request: gr.Request) -> str:
    page, on, _ = create_page(context)
    draft = on["plan_recipe"](EGG, "", request)[page.state.draft]
    answer = on["make"](draft, {}, "default", 0, 1, False, "", request, lora)
    return str(answer[page.state.run_id])
