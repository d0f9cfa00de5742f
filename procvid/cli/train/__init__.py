"""`procvid train`: fine-tune the model of a profile."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import add_commands

COMMANDS = {
    "lora": "Train a LoRA on clips or images with texts, or continue a training.",
    "rl": "Reinforce a LoRA with rewards from the product's own judges.",
    "director": "Train the model that predicts what the next clip looks like.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands."""
    add_commands(parser, __name__, COMMANDS)
