"""The argument parser of all commands, and the options that several commands share."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

from procvid.settings import BACKBONE_CHOICES, JUDGE_CHOICES, PLANNER_CHOICES, PROFILE_CHOICES
from procvid.types import Coherence, ShotMode


class UsageError(Exception):
    """The command line is wrong; the message is one sentence."""


class _HelpFormatter(argparse.HelpFormatter):
    """A help formatter that counts the indent of commands, so a long name keeps its line."""

    def add_argument(self, action: argparse.Action) -> None:
        """Add an argument or the commands."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` and loads the arguments of a command on demand.

    Args:
        module: Module whose `add_arguments(parser)` is called before the first parse, so that
            `procvid --help` imports no command.
    """

    def __init__(self, *, module: str = "", **kwargs: Any) -> None:
        super().__init__(formatter_class=_HelpFormatter, **kwargs)
        self._module = module

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Load the arguments of the command, or of a command below it, then parse.

        A module's `BELOW` names the modules of commands below it, for a command that has arguments of
        its own, too: `curate SOURCE` and `curate pairs DATASET`. A folder of such a name is `./pairs`.
        """
        if self._module:
            name, self._module = self._module, ""
            module = importlib.import_module(name)
            below: Mapping[str, str] = getattr(module, "BELOW", {})
            if args and args[0] in below:
                module = importlib.import_module(below[args[0]])
                self.prog, args = f"{self.prog} {args[0]}", args[1:]
            module.add_arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage and exiting."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")


def add_commands(
    parser: argparse.ArgumentParser, package: str, summaries: Mapping[str, str]
) -> None:
    """Add one command for each module of a package.

    Args:
        parser: Parser that gets the commands.
        package: Package of the modules; the command `name` is the module `package.name`.
        summaries: Name and one-line summary of each command, in the order of `--help`.
    """
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, summary in summaries.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary,
            allow_abbrev=False,
            module=f"{package}.{name}",
        )
        command.add_argument("--debug", action="store_true", help="show a traceback on errors")


def whole_number(text: str) -> int:
    """Return the whole number that a text holds.

    Raises:
        ArgumentTypeError: The text is not a whole number.
    """
    if not text.strip().lstrip("-").isascii() or len(text) > 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def add_json(parser: argparse.ArgumentParser, summary: str = "print JSON") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=summary)


def add_recipe(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the recipe file."""
    parser.add_argument(
        "recipe",
        metavar="RECIPE",
        nargs="?" if optional else None,
        help="text, Markdown, JSON or HTML file",
    )


def add_profile(
    parser: argparse.ArgumentParser,
    summary: str = "models to use; auto selects a Phantom profile if this machine can run it",
) -> None:
    """Add `--profile`."""
    parser.add_argument(
        "--profile", choices=PROFILE_CHOICES, default="auto", help=f"{summary} (default: auto)"
    )


def add_planner(parser: argparse.ArgumentParser) -> None:
    """Add `--planner`."""
    parser.add_argument(
        "--planner",
        choices=PLANNER_CHOICES,
        default="auto",
        help="rules, or openai for a language model (OPENAI_API_KEY, OPENAI_BASE_URL); auto asks a "
        "language model only for the GPU profiles (default: auto)",
    )


def add_shots(parser: argparse.ArgumentParser) -> None:
    """Add `--shots`."""
    parser.add_argument(
        "--shots",
        choices=get_args(ShotMode),
        default="auto",
        help="one clip per step, or auto for one clip per visible action of a step (default: auto)",
    )


def add_judge(parser: argparse.ArgumentParser) -> None:
    """Add `--judge`."""
    parser.add_argument(
        "--judge",
        choices=JUDGE_CHOICES,
        default="auto",
        help="judge of state changes: rules, or openai for a language model; auto asks a language "
        "model only for the GPU profiles (default: auto)",
    )


def add_backbones(parser: argparse.ArgumentParser) -> None:
    """Add `--backbones`."""
    parser.add_argument(
        "--backbones",
        choices=BACKBONE_CHOICES,
        default="auto",
        help="models of the metrics: tiny knows the toy kitchen only; published fetches CLIP, DINO and "
        "Grounding DINO (1.4 GB) and runs without a GPU too, slowly; auto uses the profile's "
        "(default: auto)",
    )


def add_steps(parser: argparse.ArgumentParser) -> None:
    """Add `--steps`."""
    parser.add_argument(
        "--steps",
        metavar="N",
        type=whole_number,
        help="denoising steps per clip (default: the profile's)",
    )


def add_fast(parser: argparse.ArgumentParser) -> None:
    """Add `--fast`."""
    parser.add_argument(
        "--fast",
        action="store_true",
        help="sample with half the model calls, slightly less exact; not for tiny (docs/fast.md)",
    )


def add_coherence(parser: argparse.ArgumentParser) -> None:
    """Add `--coherence`."""
    parser.add_argument(
        "--coherence",
        choices=get_args(Coherence),
        default="none",
        help="what a clip sees of the one before: rolling shows it the last frames "
        "(docs/coherence.md; default: none)",
    )


def add_lora(parser: argparse.ArgumentParser, summary: str) -> None:
    """Add `--lora`."""
    parser.add_argument(
        "--lora",
        metavar="FILE|DIR|ID[=WEIGHT]",
        action="append",
        default=[],
        help=f"{summary}: a file, a folder, or OWNER/NAME[@REVISION] on the Hub; default weight 1; "
        "repeatable",
    )
