"""Run a command in its own process and kill it at one of its requests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.hub.server import OWNER, Hub


def killed_at(hub: Hub, request: int, command: list[str]) -> bool:
    """Run `procvid` and kill it with SIGKILL when its n-th request, from 1, has reached the Hub.

    The Hub still carries out the request. Return False if the command made fewer requests and
    succeeded.
    """
    process: list[subprocess.Popen[bytes]] = []
    count = [0]

    def count_down() -> None:
        count[0] += 1
        if count[0] == request:
            process[0].send_signal(signal.SIGKILL)

    for method in ("GET", "HEAD", "POST", "PUT"):
        hub.fail(method, "", "hook", 99, hook=count_down)
    arguments = [sys.executable, "-m", "procvid", *command]
    process.append(subprocess.Popen(arguments, env={**os.environ, "HF_TOKEN": OWNER}))
    code = process[0].wait(120)
    hub.faults.clear()
    assert code == (0 if count[0] < request else -signal.SIGKILL)
    return count[0] >= request
