"""Loss curves as CSV files that stay consistent when a training is resumed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from procvid.storage.atomic import output_errors, write_text


class Curve:
    """A CSV file with a line per logged step.

    A killed training may have logged steps beyond its saved state; resuming drops those lines.

    Args:
        file: The CSV file. Its first column is the step.
        first: The next step, from 0. Lines of this and later steps are dropped.
        columns: Names of the columns; without them the first row defines them.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(self, file: Path, first: int, columns: Sequence[str] = ()) -> None:
        self._file = file
        lines = file.read_text(encoding="utf-8").splitlines() if first and file.is_file() else []
        header = [",".join(columns)] if columns else lines[:1]
        kept = header + [line for line in lines[1:] if _is_before(line, first)]
        self._columns = tuple(header[0].split(",")) if header else ()
        write_text(file, "".join(f"{line}\n" for line in kept))

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line.

        Raises:
            OutputError: The file cannot be written.
        """
        with output_errors(self._file), self._file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns or tuple(row), lineterminator="\n")
            if not self._columns:
                self._columns = tuple(row)
                writer.writeheader()
            writer.writerow(dict(row))


def _is_before(line: str, step: int) -> bool:
    number = line.partition(",")[0]
    return number.isdecimal() and int(number) < step


def read_curve(file: Path) -> list[dict[str, float]]:
    """Return the lines of a curve as numbers by column."""
    with file.open(newline="", encoding="utf-8") as lines:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(lines)]
