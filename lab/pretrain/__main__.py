"""Train the tiny models from scratch: `python -m lab.pretrain STAGE --work FOLDER`.

Stages in order: vae, vae_wide, vae_fine, vae_sharp, latents, clip, step_clip, detector, oracle,
reader, transformer, guided, decoder, export. Each resumes from its checkpoint in FOLDER and logs its curve to
`FOLDER/STAGE.csv`. On two cores, run the stages of the VAE, latents, transformer, guided and decoder under
`torchrun --standalone --nproc-per-node 2`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from lab.command import count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser, whole_number
from procvid.errors import InputError

STEPS = {
    "vae": 3200,
    "vae_wide": 1200,
    "vae_fine": 800,
    "vae_sharp": 2050,
    "clip": 2000,
    "step_clip": 600,
    "detector": 800,
    "oracle": 1400,
    "reader": 1600,
    "transformer": 7600,
    "guided": 600,
    "decoder": 800,
}
CLIPS = 12288


def made_by(stage: str, path: Path) -> Path:
    """Return a path that an earlier stage wrote.

    Raises:
        InputError: It does not exist.
    """
    if not path.exists():
        raise InputError(
            f"{str(path.parent)!r} has no {path.name}.", f"Run the stage `{stage}` there first."
        )
    return path


def load_vae(work: Path):
    """Load the trained VAE with its latent statistics."""
    from diffusers import AutoencoderKLWan

    folder = made_by("vae_sharp", work / "vae")
    return AutoencoderKLWan.from_pretrained(folder).eval().requires_grad_(False)


def run_vae(work: Path, steps: int, seed: int) -> None:
    """Train a narrow VAE.

    If `FOLDER/vae_start` exists, training starts from that VAE with fewer latent channels.
    """
    from diffusers import AutoencoderKLWan

    from lab.pretrain.vae import psnr_db, train_vae
    from procvid.train.loop import start_processes

    start = work / "vae_start"
    smaller = AutoencoderKLWan.from_pretrained(start) if start.exists() else None
    vae = train_vae(work, steps, seed, smaller)
    if start_processes()[0] == 0:
        vae.save_pretrained(work / "vae_narrow")
        print(f"narrow vae: {psnr_db(vae):.2f} dB on held-out clips")


def run_vae_wide(work: Path, steps: int, seed: int) -> None:
    """Continue with twice the channels."""
    from diffusers import AutoencoderKLWan

    from lab.pretrain.vae import psnr_db, train_wide
    from procvid.train.loop import start_processes

    narrow = AutoencoderKLWan.from_pretrained(made_by("vae", work / "vae_narrow"))
    vae = train_wide(narrow, 2 * narrow.config["base_dim"], work, steps, seed)
    if start_processes()[0] == 0:
        vae.save_pretrained(work / "vae_wide")
        print(f"wide vae: {psnr_db(vae):.2f} dB on held-out clips")


def run_vae_fine(work: Path, steps: int, seed: int) -> None:
    """Continue with a lower learning rate."""
    from diffusers import AutoencoderKLWan

    from lab.pretrain.vae import psnr_db, train_fine
    from procvid.train.loop import start_processes

    vae = train_fine(
        AutoencoderKLWan.from_pretrained(made_by("vae_wide", work / "vae_wide")), work, steps, seed
    )
    if start_processes()[0] == 0:
        vae.save_pretrained(work / "vae_fine")
        print(f"fine vae: {psnr_db(vae):.2f} dB on held-out clips")


def run_vae_sharp(work: Path, steps: int, seed: int) -> None:
    """Continue with twofold compression of time; the result is the VAE.

    If `FOLDER/vae_twofold` exists, training starts from it.
    """
    from diffusers import AutoencoderKLWan

    from lab.pretrain.vae import measure_latents, psnr_db, train_sharp
    from procvid.train.loop import start_processes

    start = work / "vae_twofold"
    folder = start if start.exists() else made_by("vae_fine", work / "vae_fine")
    known = AutoencoderKLWan.from_pretrained(folder)
    vae = train_sharp(known, work, steps, seed)
    if start_processes()[0] == 0:
        mean, std = measure_latents(vae)
        vae.register_to_config(latents_mean=mean, latents_std=std)
        vae.save_pretrained(work / "vae")
        print(f"vae: {psnr_db(vae):.2f} dB on held-out clips")


def run_latents(work: Path, steps: int, seed: int) -> None:
    """Encode this process's share of the training clips."""
    from lab.pretrain.toy_latents import encode_range
    from procvid.train.loop import start_processes

    rank, world = start_processes()
    share = CLIPS // world
    encode_range(
        load_vae(work), rank * share, share, work / f"latents-{rank:02d}.safetensors", seed
    )


def run_transformer(work: Path, steps: int, seed: int) -> None:
    """Train tokenizer, text encoder and transformer on encoded clips.

    If `FOLDER/transformer_start` exists, training starts from that pipeline's text encoder and
    transformer.
    """
    from transformers import PreTrainedTokenizerFast

    from lab.pretrain.toy_latents import load_latents, mark_of
    from lab.pretrain.toy_texts import train_tokenizer
    from lab.pretrain.transformer import train_transformer
    from procvid.train.loop import start_processes

    rank, _ = start_processes()
    if rank == 0 and not (work / "tokenizer").exists():
        train_tokenizer(work / "tokenizer", seed)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    files = sorted(work.glob("latents-*.safetensors"))
    data = load_latents(files, CLIPS, mark_of(load_vae(work)), seed)
    start = work / "transformer_start"
    train_transformer(data, tokenizer, work, steps, seed, start=start if start.exists() else None)


def run_guided(work: Path, steps: int, seed: int) -> None:
    """Teach the transformer its own guided velocity; without this stage, the export needs guidance."""
    from transformers import PreTrainedTokenizerFast

    from lab.pretrain.export import load_transformer
    from lab.pretrain.guided import train_guided
    from lab.pretrain.toy_latents import load_latents, mark_of

    made_by("transformer", work / "transformer.ckpt")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    files = sorted(work.glob("latents-*.safetensors"))
    data = load_latents(files, CLIPS, mark_of(load_vae(work)), seed)
    teacher = load_transformer(work, "transformer", len(tokenizer))
    train_guided(teacher, data, tokenizer, work, steps, seed)


def run_clip(work: Path, steps: int, seed: int) -> None:
    """Train the CLIP of the memory and print its recall."""
    from safetensors.torch import save_file

    from lab.pretrain.clip import recall_at_1, train_clip

    model = train_clip(work, steps, seed)
    halves = {
        k: v.half().contiguous() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    save_file(halves, work / "tiny_clip" / "open_clip_model.safetensors")
    print("clip recall@1:", json.dumps(recall_at_1(model, work)))


def run_step_clip(work: Path, steps: int, seed: int) -> None:
    """Train the CLIP of the metrics and print its accuracy."""
    from safetensors.torch import save_file

    from lab.pretrain.step_clip import FOLDER, accuracy, train_step_clip

    model = train_step_clip(work, steps, seed)
    halves = {
        k: v.half().contiguous() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    save_file(halves, work / FOLDER / "open_clip_model.safetensors")
    print("step clip:", json.dumps(accuracy(model, work)))


def run_detector(work: Path, steps: int, seed: int) -> None:
    """Train the detector on text embeddings of the tiny CLIP."""
    from safetensors.torch import save_file

    from lab.pretrain.detector import measure, train_detector
    from procvid.models.embedders.open_clip import OpenClipEmbedder

    embedder = OpenClipEmbedder(made_by("clip", work / "tiny_clip"))
    model = train_detector(work, embedder, steps, seed)
    folder = work / "tiny_detector"
    folder.mkdir(exist_ok=True)
    save_file(
        {k: v.half().contiguous() for k, v in model.state_dict().items()},
        folder / "detector.safetensors",
    )
    (folder / "config.json").write_text(
        json.dumps({"dim": embedder.dim, "width": 96, "clip": embedder.info.revision}, indent=1)
    )
    print("detector:", json.dumps(measure(model, embedder)))


def run_oracle(work: Path, steps: int, seed: int) -> None:
    """Train the oracle and print its accuracy on rendered clips."""
    from safetensors.torch import save_file

    from lab.pretrain.oracle import accuracy, train_oracle

    model = train_oracle(work, steps, seed)
    (work / "oracle").mkdir(exist_ok=True)
    save_file(
        {k: v.half().contiguous() for k, v in model.state_dict().items()},
        work / "oracle" / "oracle.safetensors",
    )
    print("oracle:", json.dumps(accuracy(model)))


def run_reader(work: Path, steps: int, seed: int) -> None:
    """Decode training clips and train the reader on them and on rendered frames."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    from lab.pretrain.reader import Decoded, decode_frames, train_reader

    latents, frames = made_by("latents", work / "latents-00.safetensors"), work / "decoded.npy"
    if not frames.is_file():
        decode_frames(load_vae(work), latents, frames)
    with safe_open(latents, "pt") as opened:
        drawn_with = int(opened.metadata()["seed"])
    model = train_reader(work, Decoded(frames, drawn_with), steps, seed)
    (work / "tiny_reader").mkdir(exist_ok=True)
    save_file(
        {k: v.half().contiguous() for k, v in model.state_dict().items()},
        work / "tiny_reader" / "reader.safetensors",
    )


def run_decoder(work: Path, steps: int, seed: int) -> None:
    """Train only the VAE's decoder further; latents and transformer stay valid."""
    from lab.pretrain.vae import psnr_db, train_decoder

    vae = train_decoder(load_vae(work), work, steps, seed)
    vae.save_pretrained(work / "vae_final")
    print(f"decoder: {psnr_db(vae):.2f} dB on held-out clips")


def run_export(work: Path, steps: int, seed: int) -> None:
    """Write all shipped files to `FOLDER/assets`."""
    from lab.pretrain.export import export

    made_by("transformer", work / "transformer.ckpt")
    for stage, folder in (
        ("clip", "tiny_clip"),
        ("step_clip", "tiny_step_clip"),
        ("detector", "tiny_detector"),
        ("oracle", "oracle"),
        ("reader", "tiny_reader"),
    ):
        made_by(stage, work / folder)
    export(work, work / "assets")


STAGES: dict[str, Callable[[Path, int, int], None]] = {
    "vae": run_vae,
    "vae_wide": run_vae_wide,
    "vae_fine": run_vae_fine,
    "vae_sharp": run_vae_sharp,
    "latents": run_latents,
    "clip": run_clip,
    "step_clip": run_step_clip,
    "detector": run_detector,
    "oracle": run_oracle,
    "reader": run_reader,
    "transformer": run_transformer,
    "guided": run_guided,
    "decoder": run_decoder,
    "export": run_export,
}


def parser() -> Parser:
    """Return the parser of `python -m lab.pretrain`."""
    made = new_parser("pretrain", "Train the tiny models on the toy kitchen, stage by stage.")
    made.add_argument("stage", choices=list(STAGES))
    made.add_argument("--work", type=Path, required=True, help="folder of checkpoints and curves")
    made.add_argument(
        "--steps", type=count, help="steps; by default enough for training from scratch"
    )
    made.add_argument("--seed", type=whole_number, default=0)
    made.set_defaults(run=pretrain)
    return made


def pretrain(arguments: argparse.Namespace) -> None:
    """Run one stage."""
    steps = arguments.steps or STEPS.get(arguments.stage, 0)
    STAGES[arguments.stage](arguments.work, steps, arguments.seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
