"""The command `procvid`: exit code 0 done, 1 failed, 2 wrong input or usage, 130 interrupted.

An error is one sentence on stderr; `--debug` adds the traceback. Each command is a file of this
package, imported when it is used: `procvid --help` loads none of them.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Sequence

from procvid import __version__
from procvid.cli.arguments import Parser, UsageError, add_commands
from procvid.errors import ProcvidError
from procvid.storage.text import printable, show_any_text

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

DESCRIPTION = "Turn a recipe into a video, one generated clip per action."
COMMANDS = {
    "generate": "Generate the video of a recipe, or continue an unfinished run.",
    "regenerate": "Generate one step of a run again.",
    "takes": "List the takes of a run; choose one for a step, or delete one.",
    "preferences": "Write pairs of a better and a worse take, to train on.",
    "export": "Make a narrated film, a GIF or a recipe card from a run.",
    "plan": "Show the plan of a recipe: objects, states and prompt of each step.",
    "graph": "Show which step of a recipe needs what an earlier one made.",
    "direct": "Find or write a recipe for a goal.",
    "detour": "Change a recipe; make anew only the clips that change.",
    "diff": "Say what differs between two clips or runs.",
    "diffbench": "Score a reader of differences on annotated pairs of clips.",
    "coach": "Compare your own clip with the recipe of a run.",
    "memory": "Build, search and edit crop stores.",
    "curate": "Make a dataset of clips from instructional videos.",
    "hub": "Publish and pull LoRAs, crop stores and runs on the Hugging Face Hub.",
    "convert": "Convert published weights of Phantom or Wan VACE for generate.",
    "train": "Fine-tune the model of a profile.",
    "evaluate": "Score run folders or loose clips and write a report.",
    "ablate": "Compare settings on the same recipes and seeds.",
    "doctor": "Check what this machine can run and what is missing.",
    "benchmark": "Measure speed and memory on this machine.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: Arguments after the program name; those of this process by default.
    """
    parser = Parser(prog="procvid", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"procvid {__version__}")
    add_commands(parser, __name__, COMMANDS)
    return run(parser, argv)


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> int:
    """Parse arguments, call their `run(arguments)` and return the exit code.

    Args:
        parser: A parser whose `set_defaults(run=...)` names the function to call.
        argv: Arguments after the program name; those of this process by default.
    """
    show_any_text()
    given = list(sys.argv[1:] if argv is None else argv)
    # Read by hand, so that it also works when the arguments are wrong.
    debug = "--debug" in given
    try:
        _ensure_home()
        arguments = parser.parse_args(given)
        _spare_loopback()
        arguments.run(arguments)
        sys.stdout.flush()
        return DONE
    except BrokenPipeError:
        # The reader of stdout is gone; Python would print another error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt as error:
        rest = str(error) or "Finished work is kept; run the same command to continue."
        return _fail(f"Interrupted. {rest}", INTERRUPTED, debug)
    except UsageError as error:
        return _fail(str(error), WRONG_INPUT, debug)
    except ProcvidError as error:
        return _fail(str(error), error.exit_code, debug)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _fail("Cannot write the output: the disk is full.", FAILED, debug)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return _fail(f"Internal error: {reason} (run again with --debug).", FAILED, debug)


def _ensure_home() -> None:
    """Set HOME if there is no home folder, because libraries read it when they are imported."""
    if os.path.expanduser("~") == "~":
        from procvid.settings.environment import home_folder

        os.environ.setdefault("HOME", str(home_folder()))


def _spare_loopback() -> None:
    # Imported here because `procvid --help` does not need it.
    from procvid.machine import keep_loopback_direct

    keep_loopback_direct()


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"procvid: {printable(message)}", file=sys.stderr)
    return code
