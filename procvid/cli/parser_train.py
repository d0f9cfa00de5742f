"""The arguments of `procvid train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from procvid.settings import CONVERTIBLE, TINY

Add = Callable[..., Any]


def add_train(
    commands: Any, command_of: Add, parser_class: type, whole_number: Callable[[str], int]
) -> None:
    """Add `train` and what stands below it."""
    train = command_of(commands, "train", "Fine-tune the model of a profile.")
    under = train.add_subparsers(
        dest="train_command", required=True, metavar="COMMAND", parser_class=parser_class
    )
    lora = command_of(
        under, "lora", "Train a LoRA on clips or pictures with texts; cut off, it goes on."
    )
    lora.add_argument("data", metavar="DATA", help="a training folder (docs/lora.md)")
    lora.add_argument("--out", metavar="DIR", required=True, help="of states, curves and the LoRA")
    lora.add_argument(
        "--cache", metavar="DIR", help="of latents and embeddings; by default in --out"
    )
    lora.add_argument("--init", metavar="FILE|DIR", help="a LoRA of the same rank to begin with")
    lora.add_argument("--profile", choices=(TINY.name, *CONVERTIBLE), default=TINY.name)
    lora.add_argument("--size", metavar="WxH", help="of what the model is shown, in px")
    lora.add_argument("--frames", metavar="N", type=whole_number, help="most of a clip, 4n+1")
    _numbers(lora, whole_number)
    lora.add_argument(
        "--targets",
        choices=("attention", "all"),
        default="attention",
        help="all: feed-forward layers and the projection of the text too",
    )
    lora.add_argument("--schedule", choices=("constant", "linear"), default="constant")
    lora.add_argument("--precision", choices=("no", "bf16"), help="bf16 by default on a GPU")
    lora.add_argument("--checkpointing", action="store_true", help="less memory, a third more time")
    lora.add_argument("--track", action="store_true", help="curves in TensorBoard too")
    lora.add_argument("--licence", default="", help="of the LoRA, such as apache-2.0")
    lora.add_argument("--name", default="", help="of the LoRA, for people")
    lora.add_argument(
        "--dry-run", action="store_true", help="tell steps, time and memory, and train nothing"
    )
    lora.add_argument("--json", action="store_true", help="print one event a line as JSON")


def _numbers(lora: argparse.ArgumentParser, whole_number: Callable[[str], int]) -> None:
    wholes = {
        "rank": 16, "epochs": 20, "batch-size": 1, "accumulate": 8, "warmup": 20,
        "validation": 4, "validate-every": 5, "save-every": 100, "seed": 0,
        "max-references": 4,
    }  # fmt: skip
    for name, default in wholes.items():
        lora.add_argument(f"--{name}", metavar="N", type=whole_number, default=default)
    reals = {
        "alpha": 16.0, "learning-rate": 1e-4, "weight-decay": 0.01, "drop-text": 0.1, "drop-references": 0.1,
        "no-references": 0.15, "focus-weight": 0.0, "prior-weight": 1.0,
    }  # fmt: skip
    for name, value in reals.items():
        lora.add_argument(f"--{name}", metavar="X", type=float, default=value)
    lora.add_argument("--shift", metavar="X", type=float, help="of the flow; the profile's own")
