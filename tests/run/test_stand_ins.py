"""Things that the tiny model was not trained on are drawn as similar ones that it knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from procvid.plan.language.lexicon import lexicon, read_rows
from procvid.run.stand_ins import StandInDetector, StandInEmbedder, StandIns, stand_ins
from procvid.types import Detection, ModelInfo

KNOWN = ("frying pan", "pot", "bowl", "plate", "baking tray", "spoon", "carrot", "cutting board")
THINGS = StandIns({"wok": "frying pan", "tray": "plate", "sweet potato": "carrot"})


def unknown(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in KNOWN]


class Eyes:
    info = ModelInfo("eyes", "1")

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def detect(self, images, names):
        self.asked.append(tuple(names))
        seen = [Detection((0, 0, 4, 4), n, 0.9 - 0.2 * k) for k, n in enumerate(names)]
        return [seen for _ in images]


class Words:
    info, dim, logit_scale = ModelInfo("words", "1"), 2, 7.0

    def embed_texts(self, texts):
        self.texts = list(texts)
        return np.zeros((len(texts), 2), np.float32)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("wok", "frying pan"),
        ("slow cooker", "pot"),
        ("shaker", "bowl"),  # without a kin: the first vessel of the same use
        ("ladle", "spoon"),
        ("parsnip", "carrot"),
        ("salmon", None),
        ("quail egg", None),  # its kin, the egg, is not known here
        ("frying pan", None),
    ],
)
def test_each_unknown_thing_has_one_known_kin_or_none(name, known):
    assert stand_ins(unknown).names.get(name) == known


def test_every_kin_is_in_the_lexicon_and_has_the_same_role():
    entries = lexicon().entries
    for name, like in read_rows("kin.tsv"):
        assert entries[name].role == entries[like].role, name


def test_texts_name_what_the_model_knows():
    said = THINGS.in_text("Add the sweet potato to the Wok; keep the baking tray and the tray.")
    assert said == "Add the carrot to the frying pan; keep the baking plate and the plate."
    everything = stand_ins(unknown)
    assert (
        everything.in_text("a baking tray, a tray, a wokful") == "a baking tray, a plate, a wokful"
    )
    assert StandIns().in_text("a wok") == "a wok"


def test_the_models_read_stand_ins_and_answer_by_the_names_of_the_recipe():
    eyes, words = Eyes(), Words()
    (found,) = StandInDetector(eyes, THINGS).detect([None], ["wok", "frying pan", "onion"])
    assert eyes.asked == [("frying pan", "onion")]
    assert [(d.label, d.score) for d in found] == [
        ("wok", 0.9),
        ("frying pan", 0.9),
        ("onion", 0.7),
    ]
    embedder = StandInEmbedder(words, THINGS)
    embedder.embed_texts(["oily wok"])
    assert words.texts == ["oily frying pan"] and embedder.logit_scale == 7.0
