"""How much one visitor may ask for, so that a few cannot take the machine from all others."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import gradio as gr

from procvid.errors import BusyError
from procvid.ui.server.visitors import headers_of, host_of, is_at_this_machine
from procvid.ui.server.worker import MAX_EACH, MAX_WAITING

LIMITS = {
    "plans": (60, 600.0),
    "searches": (60, 600.0),
    "runs": (20, 3600.0),
    "evaluations": (20, 3600.0),
}
"""What a visitor may ask for: how often within how many seconds."""
MAX_KNOWN = 10_000


@dataclass(frozen=True)
class Guest:
    """A visitor, by a hash of their address; the person at this machine is at home."""

    key: str = "home"
    is_at_home: bool = True

    @property
    def max_waiting(self) -> int:
        """How many of their runs may wait at once."""
        return MAX_WAITING if self.is_at_home else MAX_EACH


HOME = Guest()


def guest_of(request: gr.Request | None) -> Guest:
    """Who sent a request; without one it is a call from this very process."""
    if request is None:
        return HOME
    headers, host = headers_of(request), host_of(request)
    if is_at_this_machine(host, headers):
        return HOME
    address = _address(host, headers.get("x-forwarded-for", ""))
    return Guest(hashlib.sha256(address.encode()).hexdigest()[:16], is_at_home=False)


def _address(host: str, forwarded: str) -> str:
    """The last public address that a proxy has noted: what stands before it anybody may write."""
    for hop in reversed([host_ip.strip() for host_ip in forwarded.split(",")]):
        try:
            if ipaddress.ip_address(hop).is_global:
                return hop
        except ValueError:
            break
    return host


@dataclass
class Allowance:
    """What each visitor has asked for lately. Safe to use from many threads."""

    clock_s: Callable[[], float] = time.monotonic
    _spent: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, guest: Guest, kind: str) -> None:
        """Note that a visitor asks for something of `LIMITS`; the person at this machine may always.

        Raises:
            BusyError: They have asked for too much of it.
        """
        if guest.is_at_home:
            return
        most, within_s = LIMITS[kind]
        now_s = self.clock_s()
        with self._lock:
            while len(self._spent) >= MAX_KNOWN:
                self._spent.pop(next(iter(self._spent)))
            asked = self._spent.setdefault((guest.key, kind), deque())
            while asked and asked[0] <= now_s - within_s:
                asked.popleft()
            if len(asked) >= most:
                wait_min = max(1, round((asked[0] + within_s - now_s) / 60))
                raise BusyError(
                    f"You have asked for {most} {kind} within {within_s / 60:.0f} minutes.",
                    f"Try again in about {wait_min} min, or run procvid on your own machine.",
                )
            asked.append(now_s)
