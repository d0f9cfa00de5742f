"""The arguments of every command."""

from __future__ import annotations

import argparse

from procvid import __version__
from procvid.cli.arguments import Parser, whole_number
from procvid.cli.memory_parser import add_memory_commands
from procvid.cli.parser_curation import add_curation
from procvid.cli.parser_hub import add_hub
from procvid.cli.parser_train import add_train
from procvid.settings import (
    CONVERTIBLE,
    JUDGE_CHOICES,
    PLANNER_CHOICES,
    PROFILE_CHOICES,
    TINY,
)


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="procvid",
        description="A recipe becomes a video, one generated clip per step.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"procvid {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    _add_generate(commands)
    _add_regenerate(commands)
    _add_plan(commands)
    _add_memory(commands)
    add_curation(
        _command(commands, "curate", "Make a training set from instructional videos."),
    )
    add_hub(commands, _command, Parser)
    _add_convert(commands)
    add_train(commands, _command, Parser, whole_number)
    _add_evaluate(commands)
    _add_ablate(commands)
    _add_doctor(commands)
    _add_benchmark(commands)
    return parser


Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def _command(commands: Commands[Parser], name: str, told: str) -> Parser:
    command = commands.add_parser(name, help=told, description=told, allow_abbrev=False)
    command.add_argument("--debug", action="store_true", help="show a traceback on errors")
    return command


def _add_generate(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "generate", "Make the video of a recipe; run again, it makes what is missing."
    )
    command.add_argument("recipe", metavar="RECIPE", help="text, Markdown, JSON or HTML file")
    command.add_argument("--out", metavar="DIR", required=True, help="the run folder")
    _add_models(command)
    command.add_argument("--seed", metavar="N", type=whole_number, default=0)
    command.add_argument("--steps", metavar="N", type=whole_number, help="denoising steps a clip")
    command.add_argument("--frames", metavar="N", type=whole_number, help="frames a clip, 4n+1")
    command.add_argument("--size", metavar="WxH", help="of the generated clips, in px")
    command.add_argument(
        "--dry-run", action="store_true", help="tell what would be made and write nothing"
    )
    command.add_argument(
        "--lora",
        metavar="FILE|DIR|ID[=WEIGHT]",
        action="append",
        default=[],
        help="merge a LoRA into the model, by default with weight 1; may be given several times; "
        "an ID is OWNER/NAME[@REVISION] on the Hub",
    )
    command.add_argument(
        "--precise", action="store_true", help="float32 where half precision loses most; for a GPU"
    )
    _add_fast(command)
    _add_json(command, "print one event a line as JSON")


def _add_fast(command: Parser) -> None:
    command.add_argument(
        "--fast",
        action="store_true",
        help="half the model calls or fewer, a little further from the exact one (docs/fast.md)",
    )


def _add_models(command: Parser) -> None:
    command.add_argument("--profile", choices=PROFILE_CHOICES, default="auto")
    command.add_argument(
        "--memory",
        metavar="STORE|ID|default|none",
        default="default",
        help="crop store to take references from, a folder or a repository on the Hub "
        "(OWNER/NAME[@REVISION]); none for no references at all",
    )
    _add_planner(command)


def _add_planner(command: Parser) -> None:
    command.add_argument(
        "--planner",
        choices=PLANNER_CHOICES,
        default="auto",
        help="rules, or openai for a language model (OPENAI_API_KEY, OPENAI_BASE_URL); "
        "auto asks one only for the phantom profiles",
    )


def _add_regenerate(commands: Commands[Parser]) -> None:
    command = _command(
        commands,
        "regenerate",
        "Make one step again; steps that show an object from it become stale, no others.",
    )
    command.add_argument("folder", metavar="DIR", help="a run folder")
    command.add_argument("--step", metavar="N", type=whole_number, required=True)
    command.add_argument("--seed", metavar="N", type=whole_number, help="the step's own seed")
    command.add_argument("--prompt", metavar="TEXT", help="used word for word")
    command.add_argument(
        "--reference",
        metavar="IMAGE",
        nargs="+",
        action="extend",
        default=[],
        help="up to four pictures, shown to the model before what the memory has",
    )
    command.add_argument(
        "--use",
        metavar="OBJECT=CROP",
        action="append",
        default=[],
        help="a crop of the memory, by its id, in the place of the one found; several times",
    )
    command.add_argument(
        "--ban", metavar="CROP", action="append", default=[], help="a crop that is not to be used"
    )
    _add_json(command, "print one event a line as JSON")


def _add_plan(commands: Commands[Parser]) -> None:
    command = _command(commands, "plan", "Plan a recipe: the objects of each step, its prompt.")
    command.add_argument("recipe", metavar="RECIPE", help="text, Markdown, JSON or HTML file")
    _add_planner(command)
    _add_json(command, "print the plan as JSON")


def _add_memory(commands: Commands[Parser]) -> None:
    memory = _command(commands, "memory", "Build, search, change and measure crop stores.")
    under = memory.add_subparsers(
        dest="memory_command", required=True, metavar="COMMAND", parser_class=Parser
    )
    add_memory_commands(
        lambda name, told: _command(under, name, told),
        _add_json,  # type: ignore[arg-type]
        whole_number,
    )


def _add_convert(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "convert", "Make published Phantom weights ready for generate, once."
    )
    command.add_argument("profile", metavar="PROFILE", choices=CONVERTIBLE)
    command.add_argument(
        "--transformer",
        metavar="FILE|FOLDER",
        help="weights that are here: .safetensors, .gguf, .pth, or shards; by default from the Hub",
    )
    command.add_argument("--base", metavar="DIR", help="Wan2.1 in the diffusers layout, likewise")
    command.add_argument("--out", metavar="DIR", help="by default where generate looks for it")
    command.add_argument("--sha256", metavar="HEX", help="of the transformer's file; for .pth")
    command.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    command.add_argument(
        "--config", metavar="FILE", help="config.json of a transformer of your own"
    )
    command.add_argument(
        "--check", action="store_true", help="tell how the keys fit, write nothing"
    )
    _add_json(command, "print one line of JSON a file, or the report")


def _add_evaluate(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "evaluate", "Measure run folders or loose clips: scores.json and report.html."
    )
    command.add_argument(
        "inputs", metavar="DIR|CLIP", nargs="+", help="run folders, or the clips of one recipe"
    )
    command.add_argument("--out", metavar="FOLDER", required=True, help="of scores and report")
    command.add_argument("--recipe", metavar="FILE", help="of loose clips: one step a clip")
    command.add_argument(
        "--text",
        metavar="TEXT",
        nargs="+",
        action="extend",
        default=[],
        help="instead of a recipe: one text a clip",
    )
    command.add_argument(
        "--metrics",
        metavar="A,B",
        help="ids, all (the default), or standard for clip_score, lpips, fid and fvd",
    )
    command.add_argument(
        "--real",
        metavar="DIR|CLIP",
        nargs="+",
        action="extend",
        default=[],
        help="real clips to compare with, for fid and fvd",
    )
    command.add_argument("--profile", choices=PROFILE_CHOICES, default="auto")
    _add_judge(command)
    _add_json(command, "print one event a line as JSON")


def _add_judge(command: Parser) -> None:
    command.add_argument(
        "--judge",
        choices=JUDGE_CHOICES,
        default="auto",
        help="answers what the metrics ask in words: rules, or openai for a language model; auto "
        "asks one only for the phantom profiles",
    )


def _add_ablate(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "ablate", "Compare settings on the same recipes and seeds; goes on when cut off."
    )
    command.add_argument(
        "recipes",
        metavar="RECIPES",
        help="a folder of recipes, one file, or toykitchen for held-out toy recipes",
    )
    command.add_argument("--out", metavar="FOLDER", required=True, help="of runs, scores, table")
    command.add_argument(
        "--settings",
        metavar="A,B",
        help="of base, memory, memory-any-state, memory-no-write-back, tuned, tuned+memory; "
        "base first",
    )
    command.add_argument(
        "--lora",
        metavar="FILE|DIR|REPO[=WEIGHT]",
        action="append",
        default=[],
        help="of the tuned settings; may be given several times",
    )
    command.add_argument(
        "--memory", metavar="STORE|default", default="default", help="of the settings with a memory"
    )
    command.add_argument("--seeds", metavar="N,M", default="0")
    command.add_argument("--limit", metavar="N", type=whole_number, help="only the first N recipes")
    command.add_argument("--steps", metavar="N", type=whole_number, help="denoising steps a clip")
    _add_fast(command)
    command.add_argument("--profile", choices=PROFILE_CHOICES, default="auto")
    _add_judge(command)
    _add_json(command, "print one event a line as JSON")


def _add_doctor(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "doctor", "Tell what this machine can run, what is missing and how to get it."
    )
    _add_json(command, "print it as JSON")


def _add_benchmark(commands: Commands[Parser]) -> None:
    command = _command(
        commands, "benchmark", "Measure the app's start, a video, memory and a denoising step."
    )
    command.add_argument("recipe", metavar="RECIPE", nargs="?", help="by default one of five steps")
    command.add_argument("--repeats", metavar="N", type=whole_number, default=5)
    command.add_argument(
        "--profile",
        choices=(TINY.name, *CONVERTIBLE),
        default=TINY.name,
        help="another than tiny is measured on a GPU, at the size of the published model",
    )
    command.add_argument(
        "--random-weights", action="store_true", help="no download; for the profiles on a GPU"
    )
    command.add_argument("--size", metavar="WxH", help="there, in px")
    command.add_argument("--frames", metavar="N", type=whole_number, help="there, 4n+1")
    command.add_argument("--references", metavar="N", type=whole_number, default=4, help="there")
    command.add_argument(
        "--steps", metavar="N", type=whole_number, default=2, help="denoising steps of a timed run"
    )
    command.add_argument(
        "--evaluation", action="store_true", help="instead: the cost of a clip, from 5 to 100 clips"
    )
    command.add_argument("--no-rungs", action="store_true", help="leave the memory ladder out")
    _add_json(command, "print the numbers as JSON")


def _add_json(command: Parser, told: str) -> None:
    command.add_argument("--json", action="store_true", help=told)
