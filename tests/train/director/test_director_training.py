"""Training a model of visual states: what it sees, its loss, exact resume, folders, bad input."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lab.command import ASSETS
from procvid.cli import main
from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.media.encode import write_clip
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.state_predictors.causal import (
    MAX_STEPS,
    WEIGHTS,
    NetworkConfig,
    StateNetwork,
    clip_states,
    goal_of,
    load_network,
)
from procvid.train.director.measure import measure
from procvid.train.director.settings import DirectorSettings
from procvid.train.director.stories import (
    Story,
    StorySource,
    embedded,
    read_stories,
    toy_stories,
)
from procvid.train.director.training import (
    DirectorFinished,
    DirectorTraining,
    batch_of,
    regression_losses,
)
from procvid.train.loop import StepLogged

SMALL = DirectorSettings(
    steps=60, batch_size=8, width=32, layers=1, save_every=5, context=2, muon=0.05
)
NETWORK = NetworkConfig(dim=6, embedder="e 1", context=2, width=8, layers=3)


@pytest.fixture(scope="module")
def embedder() -> OpenClipEmbedder:
    return OpenClipEmbedder(ASSETS / "tiny_step_clip")


@pytest.fixture(scope="module")
def trained(embedder, tmp_path_factory) -> DirectorTraining:
    out = tmp_path_factory.mktemp("director")
    made = DirectorTraining(toy_stories(0, 12), toy_stories(90, 14), embedder, SMALL, out / "whole")
    *_, made_last = made.run()
    assert isinstance(made_last, DirectorFinished)
    return made


def random_story(steps: int, seed: int, dim: int = 6) -> Story:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(steps, dim)).astype(np.float32) for _ in range(3)]
    rows = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in rows]
    return Story(rows[0][0], *rows)


def test_a_prediction_depends_on_what_is_before_it_within_the_context():
    torch.manual_seed(0)
    network = StateNetwork(NETWORK).eval()
    batch = batch_of([random_story(9, 1)], NETWORK.texts)

    def predicted(**changed: torch.Tensor) -> torch.Tensor:
        given = {**batch, **changed}
        with torch.no_grad():
            return network(given["goal"], given["texts"], given["clips"])[0]

    before = predicted()
    for kind, first in (("texts", 2), ("clips", 3)):
        other = batch[kind].clone()
        other[0, 2] += 1
        differs = (predicted(**{kind: other}) - before).abs().sum(1) > 1e-6
        # Two earlier steps, however many layers could pass on what they saw.
        assert differs.tolist() == [first <= step <= 4 for step in range(9)]
    assert (predicted(goal=batch["goal"] + 1) != before).any(1).all()


def test_own_predictions_stand_in_for_clips_that_are_not_there():
    torch.manual_seed(0)
    network, story = StateNetwork(NETWORK), random_story(4, 2)
    texts = story.texts(NETWORK.texts)
    alone = network.unroll(story.goal, texts, {})
    assert alone.shape == (4, 6) and np.allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    assert np.allclose(network.unroll(story.goal, texts, dict(enumerate(alone))), alone)
    seen = network.unroll(story.goal, texts, {0: story.clips[0]})
    assert np.array_equal(seen[0], alone[0]) and not np.allclose(seen[1:], alone[1:])
    long = np.repeat(texts[:1], MAX_STEPS + 3, 0)
    assert np.isfinite(network.unroll(story.goal, long, {})).all()


def test_the_loss_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    square = ((a - b) ** 2).sum(1)
    found = regression_losses(torch.from_numpy(a), torch.from_numpy(b), 0.5, 2.0)
    assert float(found["cosine"]) == pytest.approx(0.5 * (1 - cosine).mean())
    assert float(found["square"]) == pytest.approx(2.0 * square.mean())


def test_figures_are_those_of_rows_that_are_known():
    stories = [random_story(3, seed) for seed in range(60)]
    perfect = measure(stories, [story.clips for story in stories])
    assert np.allclose(perfect["cosine"], 1) and np.allclose(perfect["l2"], 0, atol=1e-6)
    assert np.mean(perfect["recall@1"]) == np.mean(perfect["recall@5"]) == 1
    assert len(perfect["cosine"]) == 60
    chance = measure(stories, [random_story(3, seed + 999).clips for seed in range(60)])
    assert abs(np.mean(chance["cosine"])) < 0.2
    assert np.mean(chance["recall@1"]) < 0.12 and np.mean(chance["recall@5"]) < 0.3
    assert "recall@1" not in measure(stories[:3], [story.clips for story in stories[:3]])


def test_predictions_without_content_find_nothing():
    stories = [random_story(3, seed) for seed in range(60)]
    for value in (0.0, float("nan")):
        found = measure(stories, [np.full((3, 6), value, np.float32)] * 60)
        assert np.mean(found["recall@5"]) == 0


def test_it_learns_and_its_record_has_the_held_out_figures(trained, embedder):
    folder = trained.out / "model"
    record = json.loads((folder / "training.json").read_text())
    assert record["stories"] == 12 and record["held_out_stories"] == 14
    assert record["settings"]["steps"] == 60 and record["embedder"].startswith("procvid/tiny")
    held_out: list[Story] = []
    list(embedded(trained.held_out, embedder, trained.out / "stories", held_out))
    torch.manual_seed(0)
    config = load_network(folder).config
    new = StateNetwork(config)
    before = measure(held_out, [new.unroll(s.goal, s.texts(config.texts), {}) for s in held_out])
    assert record["held_out"]["cosine"] > np.mean(before["cosine"]) + 0.3
    assert set(record["held_out"]) == {"cosine", "l2", "recall@1", "recall@5"}


def test_stopped_and_resumed_gives_the_same_bytes(trained, tmp_path):
    cut = replace(trained, out=tmp_path / "cut")
    shutil.copytree(trained.out / "stories", cut.out / "stories")
    for event in cut.run():
        if isinstance(event, StepLogged) and event.step >= 40:
            break
    assert not (cut.out / "model").exists()
    list(cut.run())
    files = [each.out / "model" / WEIGHTS for each in (trained, cut)]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = replace(cut, settings=replace(SMALL, alpha=2.0))
    with pytest.raises(InputError, match=r"begun with alpha 1\.0, not 2\.0"):
        list(other.run())
    with pytest.raises(InputError, match="begun with data"):
        list(replace(cut, train=toy_stories(1, 12)).run())


def test_embeddings_are_made_once_and_a_damaged_block_again(embedder, tmp_path):
    calls: list[int] = []
    real = toy_stories(0, 1).embed[0]

    def embed(by):
        calls.append(1)
        return real(by)

    source = StorySource("two", (embed, embed))
    first, again = list[Story](), list[Story]()
    list(embedded(source, embedder, tmp_path, first))
    list(embedded(source, embedder, tmp_path, again))
    assert len(calls) == 2 and np.array_equal(first[1].clips, again[1].clips)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    list(embedded(source, embedder, tmp_path, list[Story]()))
    assert len(calls) == 4


def write_rows(folder: Path, *rows: dict) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def rows(tmp_path: Path) -> list[dict]:
    """Two stories, one of pictures and one of parts of a video, and a row of its own."""
    for k in range(2):
        Image.new("RGB", (40, 40), (90 * k, 90, 90)).save(tmp_path / f"{k}.png")
    frames = np.zeros((24, 32, 32, 3), np.uint8)
    frames[12:] = 200
    write_clip(tmp_path / "v.mp4", frames, 8)
    parts = [
        {"file_name": "v.mp4", "start_s": start, "end_s": start + 1.5, "text": f"At {start}."}
        for start in (1.5, 0.0)
    ]
    return [
        {"file_name": "0.png", "text": "Slice it.", "source_id": "a", "title": "Soup"},
        {"file_name": "1.png", "text": "Boil it.", "source_id": "a", "action": "boil"},
        *({**part, "source_id": "b"} for part in parts),
        {"file_name": "1.png", "start_s": 9, "text": "Alone.", "source_id": "c"},
    ]


def test_a_training_folder_gives_stories_in_the_order_of_their_times(rows, tmp_path, embedder):
    write_rows(tmp_path, *rows)
    train, held_out = read_stories(tmp_path, 5)
    assert (len(train.embed), len(held_out.embed)) == (1, 1)
    first, second = train.embed[0](embedder), held_out.embed[0](embedder)
    assert np.array_equal(first.goal, embedder.embed_texts([goal_of("Soup")])[0])
    assert np.allclose(first.action[1], embedder.embed_texts(["boil"])[0], atol=1e-6)
    assert np.allclose(second.caption, embedder.embed_texts(["At 0.0.", "At 1.5."]), atol=1e-6)
    dark, light = (np.full((1, 32, 32, 3), value, np.uint8) for value in (0, 200))
    near = second.clips @ clip_states(embedder, [dark, light]).T
    assert near[0, 0] > near[0, 1] and near[1, 1] > near[1, 0]

    write_rows(tmp_path, *rows[:2], *({**row, "split": "test"} for row in rows[2:]))
    train, held_out = read_stories(tmp_path, 5)
    assert (len(train.embed), len(held_out.embed)) == (1, 1)


def test_a_clip_list_of_curate_gives_the_same_stories(rows, tmp_path, embedder):
    (tmp_path / "w.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    again = [{**row, "file_name": "w.mp4", "source_id": "z"} for row in rows[2:4]]
    write_rows(tmp_path, *rows[2:4], *again)
    of_folder, _ = read_stories(tmp_path, 1)
    lines = [
        {"file": row["file_name"], **{k: row[k] for k in ("start_s", "end_s", "text", "source_id")}}
        for row in rows[2:4]
    ]
    file = tmp_path / "clips.jsonl"
    second = [{**line, "file": "w.mp4", "source_id": "z", "title": "Soup"} for line in lines]
    file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, *second]))
    listed, held_out = read_stories(file, 1)
    one, other = of_folder.embed[0](embedder), listed.embed[0](embedder)
    assert all(
        np.array_equal(getattr(one, k), getattr(other, k)) for k in ("goal", "clips", "caption")
    )
    named = held_out.embed[0](embedder)
    assert np.array_equal(named.goal, embedder.embed_texts([goal_of("Soup")])[0])
    (tmp_path / "w.mp4").unlink()
    with pytest.raises(InputError, match=r"1 clip is missing, such as w\.mp4"):
        read_stories(file, 1)


def test_folders_without_stories_are_one_sentence(rows, tmp_path):
    write_rows(tmp_path, rows[0], rows[4])
    with pytest.raises(InputError, match="No source_id has two rows"):
        read_stories(tmp_path, 1)
    write_rows(tmp_path, *({**row, "split": "test"} for row in rows))
    with pytest.raises(InputError, match="All stories are held out"):
        read_stories(tmp_path, 1)
    (tmp_path / "0.png").unlink()
    write_rows(tmp_path, *rows)
    with pytest.raises(InputError, match=r"1 clip is missing.*0\.png"):
        read_stories(tmp_path, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "steps is 0"),
        (["--alpha", "0", "--beta", "0"], "there is no loss"),
        (["--width", "400000"], "width is 400000"),
        (["--validation", "1000000000000"], "validation is 1000000000000"),
        (["--stories", "1000000000000"], "stories is 1000000000000"),
        (["--beta", "nan"], "beta is nan"),
        (["--width", "30"], "width is 30"),
        (["--context", "65"], "context is 65"),
        (["--inputs", "sound"], "sound"),
        (["--learning-rate", "0"], "learning rate is 0"),
        (["--stories", "0"], "stories is 0"),
    ],
)
def test_wrong_settings_are_one_sentence(options, message, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "director", "toykitchen", "--out", str(out), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not out.exists()


def test_the_command_trains_and_says_how_well(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["train", "director", "toykitchen", "--out", str(out), "--stories", "3"]
    small = ["--steps", "3", "--validation", "2", "--width", "16", "--layers", "1"]
    assert main([*command, *small, "--inputs", "caption"]) == 0
    printed = capsys.readouterr().out
    assert "Held-out cosine: " in printed and f"Done: {out / 'model'}" in printed
    assert load_network(out / "model").config.texts == ("caption",)
    assert main([*command, *small, "--inputs", "caption", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "DirectorFinished" and last["folder"] == str(out / "model")


def test_a_training_that_diverges_stops_and_saves_nothing(trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained.out / "stories", out / "stories")
    wild = replace(SMALL, beta=1e38, learning_rate=1.0, muon=1.0)
    with pytest.raises(ProcvidError, match=r"The loss '.*' is (nan|inf) at step"):
        list(replace(trained, out=out, settings=wild).run())
    assert not (out / "model").exists() and not (out / "director.ckpt").exists()


def test_a_damaged_state_and_rows_of_two_splits_are_one_sentence(trained, rows, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "director.ckpt").write_bytes((trained.out / "director.ckpt").read_bytes()[:900])
    with pytest.raises(InputError, match=r"director\.ckpt is damaged"):
        list(replace(trained, out=out).run())
    assert not (out / "stories").exists(), "it is found before the embedding"
    rows[1]["split"] = "test"
    write_rows(tmp_path, *rows)
    with pytest.raises(InputError, match="'a' has rows of the splits test and train"):
        read_stories(tmp_path, 1)


@pytest.mark.parametrize("damage", ["config", "schema", "weights", "gone"])
def test_a_damaged_model_is_one_sentence(trained, tmp_path, damage):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (trained.out / "model").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = folder / "config.json"
    if damage == "config":
        config.write_text("[]")
    elif damage == "schema":
        config.write_text(config.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    elif damage == "weights":
        (folder / WEIGHTS).write_bytes(b"x" * 40)
    else:
        (folder / WEIGHTS).unlink()
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        load_network(folder)
