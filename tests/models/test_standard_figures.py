"""CLIPScore, LPIPS, FID and FVD: the libraries' real classes, with random weights in the published files.

No published weights are available offline, so these tests prove the path and arithmetic, not the values
that the published networks would give.
"""

from __future__ import annotations

import pickle
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from procvid.cli import main
from procvid.errors import UnavailableError
from procvid.evaluate.evidence import INCEPTION, LPIPS
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.suite import evaluate
from procvid.media.video import write_clip
from procvid.models.frame_distances.lpips import BACKBONES, LpipsDistance
from procvid.models.set_distances.i3d import I3dDistance
from procvid.models.set_distances.inception import InceptionDistance
from procvid.models.torch_checkpoints import fetch_checkpoint, installed_version
from procvid.protocols import FrameDistance, SetDistance
from procvid.settings import TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Recipe
from procvid.wiring import evaluation as wiring_evaluation

NOWHERE = "http://127.0.0.1:9/weights-12345678.pth"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    """Torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def lpips(checkpoints) -> LpipsDistance:
    from torchvision.models import squeezenet1_1

    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = squeezenet1_1(weights=None).state_dict()
    torch.save(state, checkpoints / BACKBONES["squeeze"].url.rpartition("/")[2])
    return LpipsDistance("squeeze")


@pytest.fixture
def toy() -> RunInput:
    recipe = random_recipe(HELD_OUT + 1)
    clips = tuple(ClipInput(n, frames=recipe.render(n).frames, fps=6) for n in (1, 2))
    return RunInput("toy", clips, Recipe("Toy", tuple(s.text for s in recipe.steps[:2])))


def test_lpips_is_torchmetrics_own(lpips):
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    assert isinstance(lpips, FrameDistance)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    assert lpips.distance(a, a) == 0
    pixels = [torch.from_numpy(x).permute(2, 0, 1)[None] / 255 for x in (a, b)]
    theirs = learned_perceptual_image_patch_similarity(*pixels, net_type="squeeze", normalize=True)
    assert lpips.distance(a, b) == pytest.approx(float(theirs), abs=1e-6)
    assert lpips.distance(a, b[:60, :90]) > 0, "sizes may differ"


def test_lpips_in_the_suite(lpips, toy):
    from dataclasses import replace

    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    parts = replace(parts, frame_distance=lpips)
    *_, last = evaluate([toy], parts, ["lpips", "clip_score"])
    metric = last.scores["runs"][0]["metrics"]["lpips"]
    assert metric["value"] > 0 and metric["n"] == 1 and "squeeze" in metric["backbone"]
    assert LPIPS in last.scores["backbones"] and INCEPTION not in last.scores["backbones"]
    *_, alone = evaluate([replace(toy, clips=toy.clips[:1])], parts, ["lpips"])
    state = alone.scores["runs"][0]["metrics"]["lpips"]["state"]
    assert state.startswith("not applicable: there are no")


class Towers:
    """Test fixture: the scorer with the interface of transformers, which torchmetrics expects."""

    config = None

    def __init__(self, scorer) -> None:
        self.scorer, self.texts = scorer, []

    def to(self, device):
        return self

    def __call__(self, text=None, images=None, **_):
        if images is not None:
            return {"pixel_values": torch.stack(images)}
        self.texts = text
        ids = torch.arange(len(text))[:, None]
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def get_image_features(self, pixels):
        images = list(pixels.permute(0, 2, 3, 1).to(torch.uint8).numpy())
        return torch.from_numpy(self.scorer.embed_images(images))

    def get_text_features(self, ids, mask):
        return torch.from_numpy(self.scorer.embed_texts([self.texts[i] for i in ids[:, 0]]))


def test_clip_score_is_that_of_torchmetrics_times_the_weight(toy):
    from torchmetrics.functional.multimodal import clip_score

    parts = wiring_evaluation.build_evaluation(TINY)
    *_, last = evaluate([toy], parts, ["clip_score"])
    towers = Towers(parts.scorer)
    clip, text = toy.clips[0], toy.text(1)
    places = [round(x) for x in np.linspace(0, len(clip.frames) - 1, 8)]
    images = [torch.from_numpy(clip.frames[place]).permute(2, 0, 1) for place in places]
    theirs = [
        float(clip_score(i, text, model_name_or_path=lambda: (towers, towers))) for i in images
    ]
    ours = last.scores["runs"][0]["metrics"]["clip_score"]["items"][0]["value"]
    assert ours == pytest.approx(2.5 * np.mean(theirs) / 100, abs=1e-5)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """The distance of two Gaussians, from its definition."""
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).astype(complex)).real.sum()
    means = a.mean(0) - b.mean(0)
    return float(means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * roots)


def test_the_distance_of_two_sets_is_frechets(monkeypatch):
    monkeypatch.setattr("procvid.models.set_distances.inception.DIM", 6)
    monkeypatch.setattr("procvid.models.set_distances.inception._PassThrough.num_features", 6)
    rng = np.random.default_rng(1)
    a = rng.normal(size=(40, 6)).astype(np.float32)
    b = (rng.normal(size=(30, 6)) * 1.5 + 0.3).astype(np.float32)
    distance = InceptionDistance()
    assert isinstance(distance, SetDistance)
    assert distance.distance(a, b) == pytest.approx(frechet(a, b), abs=1e-4)
    assert distance.distance(a, a) == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
def test_fid_with_the_real_network_and_random_weights(checkpoints, toy, tmp_path, monkeypatch):
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Network

    empty = tmp_path / "empty.pth"
    torch.save({}, empty)
    with torch.random.fork_rng(), monkeypatch.context() as patched:
        torch.manual_seed(0)
        patched.setattr(Network, "load_state_dict", lambda self, state: None)
        network = Network("random", ["2048"], str(empty))
        for part in network.modules():
            if isinstance(part, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(part.weight)
        state = network.state_dict()
    torch.save(state, checkpoints / URL_INCEPTION_V3.rpartition("/")[2])
    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    other = random_recipe(HELD_OUT + 2)
    real = [ClipInput(n, frames=other.render(n).frames, fps=6) for n in (1, 2)]
    runs = [toy, RunInput("same", tuple(real), toy.recipe)]
    *_, last = evaluate(runs, parts, ["fid"], real=real)
    first, same = (run["metrics"]["fid"] for run in last.scores["runs"])
    assert first["value"] > 0 and first["n"] == 16
    assert same["value"] == pytest.approx(0, abs=1e-3 * first["value"] + 1e-3)
    pooled = last.scores["summary"]["fid"]
    assert pooled["n"] == 32 and same["value"] < pooled["value"] < first["value"]


def test_a_backbone_that_was_not_asked_for_is_unavailable(toy):
    parts = wiring_evaluation.build_evaluation(TINY)
    *_, last = evaluate([toy], parts, ["lpips", "fid", "clip_score"])
    metrics = last.scores["runs"][0]["metrics"]
    assert metrics["lpips"]["state"] == "unavailable: its backbone was not loaded"
    assert metrics["fid"]["state"].startswith("unavailable") and metrics["clip_score"]["value"]


def test_unavailable_figures_give_the_reason(checkpoints, toy):
    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    *_, last = evaluate([toy], parts, ["fid", "fvd"])
    states = {n: m["state"] for n, m in last.scores["runs"][0]["metrics"].items()}
    assert states["fid"] == "not applicable: no real clips were given to compare with (--real)"
    if "cd-fvd" not in {d.name for d in metadata.distributions()}:
        assert states["fvd"] == "unavailable: The package cd-fvd is not installed."
        with pytest.raises(UnavailableError, match="cd-fvd"):
            I3dDistance()
    with pytest.raises(UnavailableError, match="not installed"):
        installed_version("no-such-package-at-all", "pip install it")


def test_weights_that_are_not_here_are_unavailable(checkpoints, monkeypatch, toy):
    with pytest.raises(UnavailableError, match=r"weights-12345678\.pth are not on this machine"):
        fetch_checkpoint(NOWHERE)

    class Nowhere:
        url = NOWHERE

    monkeypatch.setitem(BACKBONES, "alex", Nowhere)
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", NOWHERE)
    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    *_, last = evaluate([toy], parts, ["lpips", "fid", "clip_score"], real=toy.clips)
    metrics = last.scores["runs"][0]["metrics"]
    assert metrics["lpips"]["state"].startswith("unavailable: The weights weights-12345678.pth")
    assert metrics["fid"]["state"].startswith("unavailable: The weights weights-12345678.pth")
    assert metrics["clip_score"]["state"] == "ok"


class Evil:
    """Test fixture: a pickle that would run code."""

    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickle_with_code_is_not_run(checkpoints, capsys):
    (checkpoints / "weights-12345678.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UnavailableError, match="damaged or not the published"):
        fetch_checkpoint(NOWHERE)
    assert "code ran" not in capsys.readouterr().out


def test_the_command_takes_real_clips(tmp_path, capsys, toy):
    for clip in toy.clips:
        write_clip(tmp_path / f"{clip.number}.mp4", clip.frames, 6)
    files = [str(tmp_path / "1.mp4"), str(tmp_path / "2.mp4")]
    command = ["evaluate", *files, "--out", str(tmp_path / "out"), "--metrics", "fvd,clip_score"]
    assert main([*command, "--real", files[0]]) == 2
    assert "1 real clips cannot be compared with" in capsys.readouterr().err
    assert main([*command, "--real", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main([*command, "--real", str(tmp_path)]) == 0
    assert "clip_score" in capsys.readouterr().out


def test_the_embedded_reader_describes_toy_clips(toy):
    from dataclasses import replace

    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    chosen = ["caption_alignment", "goal_faithfulness", "step_faithfulness", "alignment_kl"]
    real = [replace(clip, text=toy.text(clip.number)) for clip in toy.clips]
    *_, last = evaluate([toy], parts, chosen, real=real)
    metrics = last.scores["summary"]
    assert metrics["caption_alignment"]["value"] > 1.5
    assert metrics["step_faithfulness"]["n"] == 2
    assert metrics["goal_faithfulness"]["value"] > 0.5
    assert "2 scores against 2 of real clips" in metrics["alignment_kl"]["state"]
    assert "tiny_reader" in metrics["caption_alignment"]["backbone"]
    note = metrics["caption_alignment"]["items"][0]["note"]
    assert note == "Peel the whole potato on the cutting board."
