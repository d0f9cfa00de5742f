"""The argument parser of all commands and the options that several commands share."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from procvid.settings import PROFILE_CHOICES


class UsageError(Exception):
    """The command line is wrong; the message is one sentence."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` and loads the arguments of a command on demand.

    Args:
        module: Module whose `add_arguments(parser)` is called the first time this parser parses,
            so that `procvid --help` imports no command.
    """

    def __init__(self, *args: Any, module: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._module = module

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse after the arguments of the module were added."""
        if self._module:
            module, self._module = self._module, ""
            importlib.import_module(module).add_arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage and exiting."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")


def add_commands(parser: argparse.ArgumentParser, package: str, names: Mapping[str, str]) -> None:
    """Add a command for each file of a package.

    Args:
        parser: The parser that gets the commands.
        package: Each command `name` is the module `package.name`, loaded when it is used.
        names: The commands and their one-line descriptions, in the order of `--help`.
    """
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, summary in names.items():
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
        ArgumentTypeError: The text is no whole number.
    """
    if not text.strip().lstrip("-").isascii() or len(text) > 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def add_json(parser: argparse.ArgumentParser, help: str = "print JSON") -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help=help)


def add_profile(parser: argparse.ArgumentParser, help: str = "model profile") -> None:
    """Add `--profile`, any profile or auto."""
    parser.add_argument("--profile", choices=PROFILE_CHOICES, default="auto", help=help)
