"""All metrics, one file each. The docstring of a file is the card of its metric.

To add a metric, add a file with one subclass of `Metric`: it is found here, and every table, plot and
command reads it from `METRICS`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module

from procvid.errors import InputError
from procvid.evaluate.metric import GROUP_TITLES, Group, Metric


def _discover() -> dict[str, type[Metric]]:
    """Return the metrics of this package by id, ordered by group and position."""
    found: list[type[Metric]] = []
    for file in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{file.name}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Metric)
            and value.__module__ == module.__name__
        ]
    groups = list(GROUP_TITLES)
    found.sort(key=lambda metric: (groups.index(metric.group), metric.order, metric.id))
    return {metric.id: metric for metric in found}


METRICS = _discover()
"""Every metric by id: the paper's in the order of its Table 1, then the corrected, then the standard."""


def metrics_in(group: Group) -> tuple[str, ...]:
    """Return the ids of the metrics of a group, in order."""
    return tuple(name for name, metric in METRICS.items() if metric.group == group)


DEFAULT = metrics_in("paper") + metrics_in("corrected")
STANDARD = metrics_in("standard")
CAPTIONS = metrics_in("captions")

_NAMED_GROUPS = {"all": DEFAULT, "standard": STANDARD, "captions": CAPTIONS}


def title_of(name: str) -> str:
    """Return the title of a metric; the id itself if this version has no such metric."""
    metric = METRICS.get(name)
    return name if metric is None else metric.title


def choose_metrics(wanted: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return metric ids from "a,b" or a list, without repeats.

    "all" (or None) selects the paper's and the corrected metrics, "standard" and "captions" others.

    Raises:
        InputError: An id is unknown, or none is given.
    """
    if wanted is None:
        return DEFAULT
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    words = (name.strip() for name in names if str(name).strip())
    chosen = tuple(
        dict.fromkeys(name for word in words for name in _NAMED_GROUPS.get(word, (word,)))
    )
    for name in chosen:
        if name not in METRICS:
            raise InputError(f"Unknown metric {name[:40]!r}.", f"Choose from {', '.join(METRICS)}.")
    if not chosen:
        raise InputError("No metric was given.", f"Choose from {', '.join(METRICS)}.")
    return chosen
