"""Run procvid in a separate process and measure its time and RAM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from procvid.errors import UnavailableError


@dataclass(frozen=True)
class Timed:
    """Measurements of one process.

    Attributes:
        events_s: Seconds from the start to each event of the wanted kind.
        total_s: Wall time.
        cpu_s: CPU time over all cores.
        peak_mib: Peak resident RAM.
    """

    events_s: tuple[float, ...]
    total_s: float
    cpu_s: float
    peak_mib: float


def timed(what: str, arguments: Sequence[str], kind: str) -> Timed:
    """Run `procvid ... --json` and time each event of a kind.

    Args:
        what: Name of the process in an error, such as "The run".
        arguments: Arguments after `procvid`.
        kind: Name of the events to time.

    Raises:
        UnavailableError: The process failed or printed no such event.
    """
    command = [sys.executable, "-m", "procvid", *arguments, "--json"]
    start_s, events_s = time.perf_counter(), []
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == kind:
                events_s.append(time.perf_counter() - start_s)
        process.stdout.close()
        peak_mib, cpu_s = _reap(process)
        total_s = time.perf_counter() - start_s
        errors.seek(0)
        if process.returncode != 0 or not events_s:
            raise failed(what, errors.read())
    return Timed(tuple(events_s), total_s, cpu_s, peak_mib)


def _reap(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Wait for a process, set its return code, and return its peak MiB and CPU seconds."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    peak_mib = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return peak_mib, usage.ru_utime + usage.ru_stime


def failed(what: str, output: str) -> UnavailableError:
    """Return the error of a failed process, with the last line that it printed."""
    lines = [line for line in output.splitlines() if line.strip()]
    reason = lines[-1][:300] if lines else "no output"
    return UnavailableError(f"{what} failed: {reason}", "Run `procvid doctor`.")
