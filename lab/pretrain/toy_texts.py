"""Write the training texts of the tiny models: scenes as enhanced prompts or as recipe steps.

Enhanced prompts come from `procvid.plan.writing.toy_prompt`, as in the product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lab.pretrain.toy_crops import look_of
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.plan.writing.toy_prompt import scene_sentence, toy_prompt, with_toy_looks
from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.identity import ToyKitchen, random_kitchen
from procvid.toykitchen.scene import STATES, TOOL_OF, Scene
from procvid.toykitchen.words import OTHER_FOODS, food_name, step_text
from procvid.types import PlannedObject

VOCABULARY = 1024
MAX_TOKENS = 96
LOOKS_SHARE = 0.15
EXTRAS_SHARE = 0.15
OTHER_STATES = (*STATES, "grated", "chopped", "melted", "raw", "cooked")


def objects_of(rng: np.random.Generator, scene: Scene, food: str | None) -> list[PlannedObject]:
    """Return a scene's objects as the rules planner names them, sometimes with undrawn foods."""
    found = [
        PlannedObject(
            scene.vessel, "vessel", scene.vessel, "in use", "in use", "highly_likely", 0.9
        )
    ]
    if food is not None:
        found.append(
            PlannedObject(food, "food", food, scene.state_before, scene.state_after, "likely", 0.8)
        )
        for other in scene.others:
            found.append(
                PlannedObject(
                    other.name, "food", other.name, other.state, other.state, "likely", 0.6
                )
            )
        if rng.random() < EXTRAS_SHARE:
            for name in rng.choice(OTHER_FOODS, int(rng.integers(1, 4)), replace=False):
                state = str(rng.choice(OTHER_STATES))
                found.append(
                    PlannedObject(str(name), "food", str(name), state, state, "unlikely", 0.3)
                )
    tool = TOOL_OF.get(scene.action)
    if tool is not None and rng.random() < 0.9:
        found.append(PlannedObject(tool, "tool", tool, "", "", "likely", 0.5))
    return found


def prompt_of(rng: np.random.Generator, scene: Scene, kitchen: ToyKitchen) -> str:
    """Return a text of a scene: enhanced (55 %), the scene sentence (25 %) or the plain step."""
    food = food_name(rng, scene)
    raw = step_text(rng, scene, kitchen, food)
    form = rng.random()
    if form > 0.8:
        return raw
    objects = objects_of(rng, scene, food)
    text = (
        toy_prompt(raw, scene.action, objects)
        if form < 0.55
        else scene_sentence(scene.action, objects)
    )
    if rng.random() < LOOKS_SHARE:
        named = [scene.vessel, "counter"]
        if scene.action in TOOL_OF:
            named.append(TOOL_OF[scene.action])
        count = int(rng.integers(1, len(named) + 1))
        text = with_toy_looks(text, [(name, look_of(name, kitchen)) for name in named[:count]])
    return text


def train_tokenizer(
    folder: Path, seed: int = 0, sentences: int = 20_000
) -> PreTrainedTokenizerFast:
    """Train byte-level BPE on toy prompts and the default negative prompt; save it to `folder`."""
    rng = np.random.default_rng([seed, 3])
    texts = [prompt_of(rng, random_scene(rng), random_kitchen(rng)) for _ in range(sentences)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *[DEFAULT_NEGATIVE_PROMPT] * 20], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=MAX_TOKENS,
    )
    fast.save_pretrained(folder)
    return fast
