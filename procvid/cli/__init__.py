"""The command `procvid`: exit code 0 done, 1 failed, 2 wrong input or usage, 130 interrupted.

An error is one sentence on stderr; `--debug` adds the traceback.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Sequence

from procvid.cli.arguments import UsageError
from procvid.cli.parser import build_parser
from procvid.storage.text import printable
from procvid.errors import ProcvidError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: Arguments after the program name; those of this process by default.
    """
    parser = build_parser()
    parser.set_defaults(run=_dispatch)
    return run(parser, argv)


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse arguments, call their `run(arguments)` and return the exit code.

    Args:
        parser: A parser whose `set_defaults(run=...)` names the function to call.
        argv: Arguments after the program name; those of this process by default.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    # Read by hand, so that it also works when the arguments are wrong.
    debug = "--debug" in given
    try:
        arguments = parser.parse_args(given)
        arguments.run(arguments)
        sys.stdout.flush()
        return DONE
    except BrokenPipeError:
        # The reader of stdout is gone; Python would print an error of its own at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        message = "Interrupted. Finished work is kept; run the same command to continue."
        return _fail(message, INTERRUPTED, debug)
    except UsageError as error:
        return _fail(str(error), WRONG_INPUT, debug)
    except ProcvidError as error:
        return _fail(str(error), error.exit_code, debug)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _fail("Cannot write the output: the disk is full.", FAILED, debug)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return _fail(f"Internal error: {reason} (run again with --debug).", FAILED, debug)


def _dispatch(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "generate" | "regenerate" | "plan":
            from procvid.cli import runs

            command = getattr(runs, arguments.command)
        case "memory":
            from procvid.cli.memory_commands import command_of

            command = command_of(arguments.memory_command)
        case "convert":
            from procvid.cli import convert

            command = convert.convert
        case "train":
            from procvid.cli import training

            command = training.lora
        case "evaluate":
            from procvid.cli import evaluation

            command = evaluation.evaluation
        case "ablate":
            from procvid.cli import ablation

            command = ablation.ablate
        case "curate":
            from procvid.cli import curation

            command = curation.curate
        case "hub" if arguments.hub_command == "space":
            from procvid.cli import space

            command = space.space
        case "hub":
            from procvid.cli import hub

            command = getattr(hub, arguments.hub_command.replace("list", "list_kept"))
        case "doctor":
            from procvid.cli import doctor

            command = doctor.doctor
        case _ if arguments.evaluation:
            from procvid.cli import benchmark_evaluation

            command = benchmark_evaluation.benchmark_evaluation
        case _:
            from procvid.cli import benchmark

            command = benchmark.benchmark
    command(arguments)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"procvid: {printable(message)}", file=sys.stderr)
    return code
