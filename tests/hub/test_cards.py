"""Cards are valid and render, their code runs, and their numbers come from the scores."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from procvid.cli import main
from procvid.errors import InputError
from procvid.evaluate.inputs import run_input
from procvid.evaluate.scores import SCHEMA_VERSION
from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.memory import bundle_memory
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.bundle.run import bundle_run
from procvid.hub.cards import NOT_MEASURED
from procvid.hub.licences import licence_metadata
from procvid.hub.names import HubId, ReleaseTarget
from procvid.media.video import stream_frames, write_clip
from procvid.memory.store_folder import load_store, save_store
from procvid.storage.files import sha256_of
from tests.hub.artifacts import SMALL, tiny_lora
from tests.hub.server import Hub

LORA = ReleaseTarget(HubId("cook/lora", "main", "model"), "v1")
CROPS = ReleaseTarget(HubId("cook/crops", "main", "dataset"), "v1")
RUN = ReleaseTarget(HubId("cook/run", "main", "dataset"))


@pytest.fixture(scope="module")
def run_folder(lora_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with the LoRA."""
    folder = tmp_path_factory.mktemp("run")
    recipe = folder / "recipe.txt"
    recipe.write_text(
        "Fried egg\n1. Fry the egg in the frying pan.\n2. Fry the carrot in the frying pan.\n"
    )
    lora = ["--lora", f"{lora_folder}=0.5"]
    assert main(["generate", str(recipe), "--out", str(folder / "egg"), "--steps", "1", *lora]) == 0
    return folder / "egg"


def scores(folder: Path, generator: str, value: float | None = 0.125, num_runs: int = 2) -> Path:
    """A `scores.json` as `procvid evaluate` writes it, with one metric measured and one not."""
    metric = {"std": None, "n": 7, "null_share": 0.0, "chance": 0.5, "parts": {}, "items": []}
    summary = {
        "joint_ratio": {**metric, "metric": "joint_ratio", "direction": "lower", "value": value,
                        "state": "ok", "backbone": "clip-tower 80bb5e36"},
        "object_fidelity": {**metric, "metric": "object_fidelity", "direction": "higher", "value": None,
                            "state": "unavailable: no detector", "backbone": "", "n": 0},
    }  # fmt: skip
    run = {
        "name": "egg",
        "settings": {"generator": generator, "seed": 0},
        "clips": [{}, {}],
        "metrics": {},
    }
    content = {
        "schema_version": SCHEMA_VERSION,
        "profile": "tiny",
        "runs": [run] * num_runs,
        "summary": summary,
    }
    (folder / "scores.json").write_text(json.dumps(content))
    return folder / "scores.json"


def card_of(bundle: Path) -> str:
    return (bundle / "README.md").read_text("utf-8")


def rendered(card: str) -> str:
    """The body as HTML; every fence is closed and every table is one."""
    body = card.split("---\n", 2)[2]
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    html = str(parser.render(body))
    assert "$" not in re.sub(r"<pre>.*?</pre>", "", html.replace("$metadata", ""), flags=re.S)
    for block in re.findall(r"(?:^\|.*\n)+", body, flags=re.M):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    assert html.count("<table>") == len(re.findall(r"(?:^\|.*\n)+", body, flags=re.M))
    assert body.count("```") % 2 == 0
    return html


def code_of(card: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", card, flags=re.S | re.M)


def run_code(code: str, more: str = "") -> str:
    """Run a snippet unchanged, then a few more lines; return its output."""
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(code + more, "card", "exec"), {})
    return said.getvalue()


def test_the_card_of_a_lora(hub: Hub, lora_folder: Path, tmp_path: Path) -> None:
    bundle_lora(lora_folder, tmp_path / "bundle", BundleOptions(LORA), lambda: "8a" * 8)
    card = ModelCard(card_of(tmp_path / "bundle"))
    card.validate()
    data = card.data.to_dict()
    assert data["license"] == "apache-2.0" and data["library_name"] == "diffusers"
    assert data["pipeline_tag"] == "image-to-video" and data["instance_prompt"] == ""
    assert {"lora", "diffusers", "template:diffusion-lora", "text-to-video", "subject-to-video",
            "phantom"} == set(data["tags"])  # fmt: skip
    assert "base_model" not in data and "tiny\\_phantom at `8a8a8a8a8a8a8a8a`" in card.text
    assert NOT_MEASURED in card.text and "model-index" not in data
    assert "never published" in card.text and "text-to-video" in card.text
    assert "Its weights are random" in card.text
    html = rendered(card.content)
    assert "<td>4, 8</td>" in html and "attn1.to" in html
    # The release has no clips, so the widget has only texts.
    assert [set(each) for each in data["widget"]] == [{"text"}, {"text"}]
    assert "This release holds no clips" in card.text and "Gallery" not in card.text
    for kind in ("phantom-1.3b", "phantom-14b", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers@abc"):
        bundle_lora(
            lora_folder,
            tmp_path / kind.replace("/", "-"),
            BundleOptions(LORA, base=kind),
            lambda: "0",
        )
        data = ModelCard(card_of(tmp_path / kind.replace("/", "-"))).data.to_dict()
        assert data["base_model_relation"] == "adapter" and "/" in data["base_model"]
    # Its commit is not pinned, so a release must name one.
    with pytest.raises(InputError, match=r"unknown \('vace-1.3b'\)") as raised:
        bundle_lora(lora_folder, tmp_path / "x", BundleOptions(LORA, base="vace-1.3b"), lambda: "0")
    assert "phantom-14b or OWNER/NAME@REVISION" in raised.value.hint


def test_the_card_of_a_reinforced_lora(hub: Hub, lora_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(lora_folder, tmp_path / "lora")
    file = folder / "training.json"
    training = json.loads(file.read_text())
    training |= {
        "algorithm": "nft",
        "rewards": {"text": {"weight": 0.5, "measures": "The right step | of six."}, "bad": 3},
        "held_out_judges": {"crop_state": ["clip 1"]},
        "reward_curve": [0.61, 0.64],
        "held_out": [{"iteration": 0.0, "reward": 0.61}, {"iteration": 2.0, "reward": 0.66}, 7],
    }
    file.write_text(json.dumps(training))
    bundle_lora(folder, tmp_path / "bundle", BundleOptions(LORA), lambda: "8a" * 8)
    card = ModelCard(card_of(tmp_path / "bundle"))
    card.validate()
    assert "reinforced" in card.text and "never published" not in card.text
    html = rendered(card.content)
    assert (
        "<td>The right step | of six.</td>" in html
        and "Mean reward by iteration: 0.61, 0.64" in html
    )
    assert "<td>2.0</td>" in html and "<td>0.66</td>" in html and "crop_state" in html
    del training["reward_curve"]
    file.write_text(json.dumps(training | {"algorithm": "dpo", "loss_curve": [0.69, 0.61]}))
    bundle_lora(folder, tmp_path / "pairs", BundleOptions(LORA), lambda: "8a" * 8)
    text = ModelCard(card_of(tmp_path / "pairs")).text
    assert "Loss by iteration: 0.69, 0.61." in text and "Diffusion-DPO" in text


def test_the_examples_of_a_lora_are_its_widget(
    hub: Hub, lora_folder: Path, run_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(lora_folder, tmp_path / "lora")
    (folder / "examples").mkdir()
    clip = run_folder / "steps" / "01" / "clip.mp4"
    shutil.copyfile(clip, folder / "examples" / "egg.mp4")
    write_clip(folder / "examples" / "unknown.mp4", np.zeros((4, 64, 64, 3), np.uint8), 4, {})
    release = bundle_lora(folder, tmp_path / "bundle", BundleOptions(LORA), lambda: "0")
    assert {"examples/01.mp4", "examples/02.mp4"} <= set(release.files)
    card = ModelCard(card_of(tmp_path / "bundle"))
    card.validate()
    prompt = json.loads((clip.parent / "conditioning.json").read_text())["prompt"]
    assert "egg" in prompt
    assert card.data.to_dict()["widget"] == [
        {"text": prompt, "output": {"url": "examples/01.mp4"}},
        {"text": "-", "output": {"url": "examples/02.mp4"}},
    ]
    assert "<Gallery />" in card.text
    assert '<a href="examples/01.mp4">' in rendered(card.content)
    tiny_lora(folder, seed=5)
    with pytest.raises(InputError, match=r"The example egg\.mp4 was made without this LoRA"):
        bundle_lora(folder, tmp_path / "other", BundleOptions(LORA), lambda: "0")


def test_numbers_come_from_scores_and_from_nowhere_else(
    hub: Hub, lora_folder: Path, tmp_path: Path
) -> None:
    folder = tiny_lora(tmp_path / "lora")
    sha256 = sha256_of(folder / "pytorch_lora_weights.safetensors")
    scores(folder, f"procvid/tiny_phantom 1 + lora x 1 sha256:{sha256[:16]}")
    release = bundle_lora(folder, tmp_path / "bundle", BundleOptions(LORA), lambda: "0")
    assert "scores.json" in release.files
    card = ModelCard(card_of(tmp_path / "bundle"))
    card.validate()
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("joint_ratio", 0.125)
    arguments = {"n": 7, "backbone": "clip-tower 80bb5e36", "better": "lower", "chance": 0.5}
    assert result.metric_args == arguments and "2 runs" in result.dataset_name
    html = rendered(card.content)
    assert "0.125" in html and "unavailable: no detector" in html and "<td" in html
    scores(folder, "procvid/tiny_phantom 1")
    with pytest.raises(InputError, match="does not measure this LoRA: 2 of 2 runs"):
        bundle_lora(folder, tmp_path / "other", BundleOptions(LORA), lambda: "0")
    (folder / "scores.json").write_text("{}")
    with pytest.raises(InputError, match="contains no scores"):
        bundle_lora(folder, tmp_path / "none", BundleOptions(LORA), lambda: "0")


def test_the_cards_of_stores_and_runs(
    hub: Hub, run_folder: Path, store_folder: Path, tmp_path: Path
) -> None:
    bundle_memory(store_folder, tmp_path / "crops", BundleOptions(CROPS))
    card = DatasetCard(card_of(tmp_path / "crops"))
    card.validate()
    data = card.data.to_dict()
    assert data["configs"][0]["data_files"] == [{"split": "train", "path": "data/crops-*.parquet"}]
    assert data["license"] == "apache-2.0" and data["size_categories"] == "n<1K"
    html = rendered(card.content)
    assert f"<td>{SMALL}</td>" in html and "toykitchen/" in html and "box_xyxy" in html

    bundle_memory(store_folder, tmp_path / "bare", BundleOptions(CROPS, no_pixels=True))
    assert "This release has no images" in card_of(tmp_path / "bare")

    release = bundle_run(run_folder, tmp_path / "run", BundleOptions(RUN))
    card = DatasetCard(card_of(tmp_path / "run"))
    card.validate()
    assert "<strong>AI-generated.</strong>" in rendered(card.content)
    assert release.facts["counts"]["clips"] == 2 and release.facts["counts"]["references"] > 0
    assert "| their licences | Apache-2.0 (" in card_of(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["request"]["lora"] == ["omelette-lora=0.5"]
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or str(run_folder.parent).encode() not in file.read_bytes()


def test_only_references_without_a_licence_ask_for_one(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    record = json.loads((folder / "run.json").read_text())
    record["request"]["memory"] = "elsewhere"
    (folder / "run.json").write_text(json.dumps(record))
    release = bundle_run(folder, tmp_path / "recorded", BundleOptions(RUN))
    assert "Apache-2.0" in release.facts["reference_licences"]
    conditioning = folder / "steps" / "01" / "conditioning.json"
    step = json.loads(conditioning.read_text())
    assert {one["licence"] for one in step["references"]} == {"Apache-2.0"}
    count = len(step["references"])
    for one in step["references"]:
        # As in releases without recorded licences.
        del one["licence"], one["url"]
    conditioning.write_text(json.dumps(step))
    with pytest.raises(InputError, match=f"{count} reference images of the run have no licence"):
        bundle_run(folder, tmp_path / "bare", BundleOptions(RUN))
    release = bundle_run(folder, tmp_path / "said", BundleOptions(RUN, licence="CC0-1.0"))
    assert release.facts["reference_licences"]["CC0-1.0"] == count


def test_hostile_words_mean_nothing_in_a_card(hub: Hub, store_folder: Path, tmp_path: Path) -> None:
    words = (
        "</td><script>alert(1)</script> | [x](javascript:alert(1)) `$metadata` \n---\n# Big\n```"
    )
    store = dataclasses.replace(load_store(store_folder), name=words, rights=words, licence=words)
    save_store(store, tmp_path / "store")
    bundle_memory(tmp_path / "store", tmp_path / "bundle", BundleOptions(CROPS))
    card = DatasetCard(card_of(tmp_path / "bundle"))
    card.validate()
    html = rendered(card.content)
    assert "<script" not in html and "href" not in html and html.count("<h1>") == 1
    assert card.data.to_dict()["license"] == "other" and card.data.pretty_name == words


@pytest.mark.parametrize(
    ("written", "metadata"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY 4.0", {"license": "cc-by-4.0"}),
        ("", {}),
        ("Ask me (Joe)", {"license": "other", "license_name": "ask-me-joe"}),
        ("???", {"license": "other", "license_name": "other"}),
    ],
)
def test_licences_as_the_hub_names_them(written: str, metadata: dict[str, str]) -> None:
    assert licence_metadata(written) == metadata


def test_the_code_of_the_cards_runs_as_printed(
    hub: Hub,
    lora_folder: Path,
    run_folder: Path,
    store_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    publish = ["hub", "publish"]
    licence = ["--licence", "cc-by-4.0", "--yes"]
    tag = ["--tag", "v1"]
    assert main([*publish, "lora", str(lora_folder), "--repo", "cook/lora", "--yes", *tag]) == 0
    assert main([*publish, "memory", str(store_folder), "--repo", "cook/crops", "--yes", *tag]) == 0
    assert main([*publish, "run", str(run_folder), "--repo", "cook/run", *licence]) == 0
    cards = {
        name: hub.repos[kind, f"cook/{name}"].files["README.md"].data.decode()
        for kind, name in (("model", "lora"), ("dataset", "crops"), ("dataset", "run"))
    }
    lora, verify_lora = code_of(cards["lora"])
    loaded = """
import torch
adapted = [m for m in pipeline.transformer.modules() if hasattr(m, "lora_A")]
assert len(adapted) == 56, len(adapted)
frames = pipeline(prompt="Fry the egg.", height=96, width=96, num_frames=9, num_inference_steps=1,
                  output_type="np", generator=torch.Generator().manual_seed(0)).frames
print(frames.shape)
"""
    assert "(1, 9, 96, 96, 3)" in run_code(lora, loaded)
    assert "all 3 files are as published" in run_code(verify_lora)
    datasets, faiss, rebuild, verify = code_of(cards["crops"])
    said = run_code(datasets)
    assert said.startswith("cutting board in use") and "PngImageFile" in said
    assert run_code(faiss).split()[:2] == ["[", "0"]
    assert "all" in run_code(verify)
    run, _ = code_of(cards["run"])
    assert "Fried egg" in run_code(run)

    # The cut of a box, from a copy of the source.
    scope: dict = {}
    exec(compile(rebuild, "card", "exec"), scope)
    clip = run_folder / "steps" / "01" / "clip.mp4"
    times = [time_s for time_s, _ in stream_frames(clip)]
    picture = scope["cut"]({"time_s": times[1], "box_xyxy": [10.2, 20.0, 90.0, 70.0]}, str(clip))
    frame = [frame for _, frame in stream_frames(clip)][1]
    assert picture.size == (80, 50)
    assert np.abs(np.asarray(picture).astype(int) - frame[20:70, 10:90]).max() <= 8


def test_a_pulled_run_is_a_run(
    hub: Hub, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["hub", "publish", "run", str(run_folder), "--repo", "cook/run", "--yes"]
    assert main(command) == 0
    assert main(["hub", "pull", "datasets/cook/run", "--to", str(tmp_path / "run")]) == 0
    assert main(["hub", "verify", str(tmp_path / "run")]) == 0
    assert len(run_input(tmp_path / "run").clips) == 2, "`procvid evaluate` can read it"
    (run_folder / "steps" / "01" / "clip.mp4").rename(run_folder / "steps" / "01" / "away")
    try:
        assert main(command) == 2
        assert "The run is not finished" in capsys.readouterr().err
    finally:
        (run_folder / "steps" / "01" / "away").rename(run_folder / "steps" / "01" / "clip.mp4")
