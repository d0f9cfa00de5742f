"""Make a run of many steps and compare its memory without and with the budget of own crops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from procvid.memory import own_crops
from procvid.memory.memory import Memory
from procvid.run.folder import RunFolder, read_run
from procvid.run.parts import Parts, start_memory
from procvid.run.step import conditioning_of, remember
from procvid.run.story import make_video
from procvid.settings import TINY
from procvid.types import GenerateRequest, Plan, Recipe, StepChanges

STEPS = (
    "Slice the carrot on the cutting board.",
    "Put the carrot into the frying pan.",
    "Fry the carrot in the frying pan.",
    "Stir the carrot in the frying pan.",
    "Dice the onion on the cutting board.",
    "Add the onion to the frying pan.",
    "Stir the onion in the frying pan.",
    "Boil the potato in the pot.",
)
UNLIMITED = 10**6
QUERIES = 50


def measure_long(parts: Parts, folder: Path, length: int) -> dict[str, Any]:
    """Make a run of `length` steps without a budget, and replay its memory without and with it.

    Both memories get the same clips. A step counts as changed if its references would differ.
    """
    texts = tuple(STEPS[number % len(STEPS)] for number in range(length))
    request = GenerateRequest(Recipe("Long", texts), TINY.sampling, "tiny", shots="one")
    with patch.object(own_crops, "BUDGET", UNLIMITED):
        list(make_video(request, parts, folder))
    run = RunFolder(folder, read_run(folder))
    plan = run.read_plan()
    assert plan is not None
    found: dict[str, Any] = {"steps": length}
    references: dict[str, list[list[str]]] = {}
    for name, budget in (("without", UNLIMITED), ("with", own_crops.BUDGET)):
        with patch.object(own_crops, "BUDGET", budget):
            memory = start_memory(parts, 0, plan)
            assert memory is not None
            references[name] = list(_references(run, parts, plan, memory))
        found[name] = {
            "own_crops": len(memory.run),
            "image_kib": round(sum(len(p or b"") for p in memory.run.crops.pictures) / 1024, 1),
            "retrieval_ms": round(_retrieval_ms(memory, plan), 2),
        }
    pairs = zip(references["without"], references["with"], strict=True)
    found["changed_steps"] = sum(one != other for one, other in pairs)
    return found


def _references(run: RunFolder, parts: Parts, plan: Plan, memory: Memory) -> Iterator[list[str]]:
    for step in plan.steps:
        slots = conditioning_of(parts, step, memory, StepChanges()).slots
        yield [slot.crop_id for slot in slots]
        record = run.read_record(step.number)
        assert record is not None
        remember(run, parts, memory, record)


def _retrieval_ms(memory: Memory, plan: Plan) -> float:
    """Return the median CPU time of the queries of a step, over the last steps."""
    times = []
    for query in range(QUERIES):
        step = plan.steps[-1 - query % min(8, len(plan.steps))]
        begin = time.process_time()
        memory.retrieve_all(step.objects, len(plan.steps) + 1)
        times.append(1000 * (time.process_time() - begin))
    return float(np.median(times))
