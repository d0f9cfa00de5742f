"""The command `procvid`: exit code 0 done, 1 failed, 2 wrong input or usage, 130 interrupted.

Errors are one sentence on stderr; a traceback comes only with `--debug`. Nothing heavy is imported
before a command needs it.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from procvid.cli.parser import UsageError, parse
from procvid.errors import ProcvidError
from procvid.storage.text import printable

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; those of this process by default.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    # Looked up by hand, so that it also counts when the arguments themselves are wrong.
    debug = "--debug" in given
    try:
        return _run(given)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return _tell(debug, "Interrupted: what is finished is kept, the same command goes on.", 130)
    except UsageError as error:
        return _tell(debug, str(error), WRONG_INPUT)
    except ProcvidError as error:
        return _tell(debug, str(error), error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _tell(debug, "What procvid prints cannot be written: the disk is full.", FAILED)
        said = " ".join(str(error).split())[:300]
        told = f"Something went wrong inside procvid: {type(error).__name__}: {said}"
        return _tell(debug, f"{told} (run it again with --debug for the details).", FAILED)


def _run(argv: Sequence[str]) -> int:
    arguments = parse(argv)
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
        case "ablate" | "proof":
            from procvid.cli import ablation

            command = getattr(ablation, arguments.command)
        case "curate" if arguments.source == "toykitchen":
            from lab.curation_proof import __main__ as curation_proof

            command = curation_proof.prove
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
    sys.stdout.flush()
    return DONE


def _tell(debug: bool, sentence: str, code: int) -> int:
    if debug:
        traceback.print_exc()
    print(f"procvid: {printable(sentence)}", file=sys.stderr)
    return code
