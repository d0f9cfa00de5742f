"""Every command of the laboratory has a parser, a help text and a line in lab/README.md."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import lab
from lab.command import count
from procvid.cli.arguments import Parser, UsageError

MODULES = [
    module.name
    for module in pkgutil.walk_packages(lab.__path__, "lab.")
    if module.name.endswith(".__main__")
] + [
    "lab.all_figures",
    "lab.best_of",
    "lab.coached",
    "lab.examples",
    "lab.food_reference",
    "lab.imperfect",
    "lab.judges",
    "lab.reinforced",
    "lab.known_world",
    "lab.detours",
    "lab.differences",
    "lab.mined",
    "lab.pins",
    "lab.plan_sheet",
    "lab.visual_states",
    "lab.precision",
    "lab.side_by_side",
    "lab.quality.effect",
    "lab.pretrain.default_memory",
]
README = Path(lab.__path__[0]) / "README.md"


def test_no_command_is_missing() -> None:
    runnable = {
        ".".join(path.relative_to(README.parents[1]).with_suffix("").parts)
        for path in README.parent.rglob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8")
    }
    assert runnable == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_command_starts(name: str) -> None:
    command = name.removesuffix(".__main__")
    module = importlib.import_module(name)
    parser = module.parser()
    assert isinstance(parser, Parser) and parser.prog == f"python -m {command}"
    assert parser.description and "--debug" in parser.format_help()
    assert f"`python -m {command}" in README.read_text("utf-8")
    with pytest.raises(UsageError, match=r"See `python -m lab"):
        parser.parse_args(["--no-such-option"])


def test_counts_start_at_one() -> None:
    assert count("3") == 3
    with pytest.raises(Exception, match="at least 1"):
        count("0")
