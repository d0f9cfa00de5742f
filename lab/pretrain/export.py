"""Export the trained models in the diffusers and open_clip layouts, weights in float16."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler
from transformers import PreTrainedTokenizerFast

from lab.pretrain.toy_texts import MAX_TOKENS
from lab.pretrain.transformer import TinyPhantom
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import SIDE_OBJECTS, TOOLS, VESSELS
from procvid.toykitchen.scene import ACTIONS, STATES

SAMPLING_SHIFT = 4.0


def load_transformer(work: Path, stage: str, vocabulary: int) -> TinyPhantom:
    """Return the averaged weights of a stage."""
    model = TinyPhantom(vocabulary)
    state = torch.load(work / f"{stage}.ckpt", weights_only=True)
    model.load_state_dict(state["average"])
    return model


def build_pipeline(work: Path) -> PhantomWanPipeline:
    """Build the pipeline from the averaged weights of a work folder."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    stage = "guided" if (work / "guided.ckpt").exists() else "transformer"
    model = load_transformer(work, stage, len(tokenizer))
    finished = work / "vae_final"
    vae = AutoencoderKLWan.from_pretrained(finished if finished.exists() else work / "vae")
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
        flow_shift=SAMPLING_SHIFT,
    )
    return PhantomWanPipeline(
        tokenizer=tokenizer,
        text_encoder=model.text_encoder.eval(),
        vae=vae.eval(),
        scheduler=scheduler,
        transformer=model.transformer.eval(),
        max_sequence_length=MAX_TOKENS,
    )


def export(work: Path, out: Path) -> None:
    """Write the tiny models, oracle and reader included, and the training curves to `out`."""
    shutil.rmtree(out, ignore_errors=True)
    pipeline = build_pipeline(work)
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.half()
    folder = out / "tiny_phantom"
    pipeline.save_pretrained(folder, safe_serialization=True)
    for config in folder.glob("**/*config.json"):
        facts = json.loads(config.read_text())
        # The local path and the offline mode of the training must not be published.
        facts.pop("_name_or_path", None)
        if "local_files_only" in facts:
            facts["local_files_only"] = False
        config.write_text(json.dumps(facts, indent=2) + "\n")
    vocabulary = {
        "foods": list(FOODS),
        "vessels": list(VESSELS),
        "tools": list(TOOLS),
        "actions": list(ACTIONS),
        "states": list(STATES),
        "surfaces": ["counter", *SIDE_OBJECTS],
    }
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary, indent=1))
    for name in ("tiny_clip", "tiny_step_clip", "tiny_detector", "oracle", "tiny_reader"):
        shutil.copytree(work / name, out / name)
    (out / "curves").mkdir()
    for curve in sorted(work.glob("*.csv")):
        shutil.copy(curve, out / "curves" / curve.name)
