"""Identify visitors, with their rights and limits."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gradio as gr

from procvid.errors import BusyError, InputError
from procvid.hub.cache import Cache, open_cache
from procvid.hub.client import HubClient, is_offline
from procvid.settings.environment import read_environment
from procvid.ui.server.worker import MAX_EACH, MAX_WAITING

LIMIT_BYTES = 2 * 10**9
"""Largest release that a remote visitor may pull to this server."""

PUBLIC = "public"
"""Folder within the cache for what remote visitors pulled."""

PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

LIMITS = {
    "plans": (60, 600.0),
    "searches": (60, 600.0),
    "runs": (20, 3600.0),
    "evaluations": (20, 3600.0),
    "exports": (30, 3600.0),
}
"""Limits of a remote visitor: number of requests, and the period in seconds."""
MAX_KNOWN = 10_000
"""Maximum number of counters that are kept; the oldest is dropped first."""

NOT_LOCAL = (
    "Only the person at this machine may publish. Open the page there, or use the command line."
)


@dataclass(frozen=True)
class Visitor:
    """A user of this app; without arguments, this process itself.

    Attributes:
        key: A hash of their address, so that no address is stored; "home" at this machine.
        is_local: They sit at this machine. Quotas do not apply to them.
        owns_machine: They are local and the app is not a Space: the machine's Hub token, cache and
            folders are theirs.
        token: The Hub token of the signed-in owner of a Space; "" for others.
        why_not: Why they may not publish; "" when they may.
    """

    key: str = "home"
    is_local: bool = True
    owns_machine: bool = False
    token: str = ""
    why_not: str = NOT_LOCAL

    @property
    def max_waiting(self) -> int:
        """Maximum number of runs of this visitor that may wait at once."""
        return MAX_WAITING if self.is_local else MAX_EACH

    @property
    def client(self) -> HubClient:
        """A Hub client with the visitor's token, or without one."""
        return HubClient() if self.owns_machine else HubClient(token=self.token or False)

    @property
    def cache(self) -> Cache:
        """The pulled releases that they may see.

        The machine's own cache may hold private releases, so remote visitors have another one.
        """
        folder = read_environment().cache_folder
        return open_cache(folder if self.owns_machine else folder / PUBLIC)

    @property
    def limit_bytes(self) -> int | None:
        """Largest release that this visitor may pull; None for no limit."""
        return None if self.owns_machine else LIMIT_BYTES

    @property
    def can_use_hub(self) -> bool:
        """True if they can download a release, or have one.

        Everyone may download, up to `limit_bytes`, unless the server is set to stay off the Hub.
        """
        return not is_offline() or bool(self.cache.releases())

    @property
    def can_publish(self) -> bool:
        """True if they may publish, or may become able to by signing in as the owner of a Space."""
        return not self.why_not or bool(read_environment().space_owner)

    @property
    def may_name_folders(self) -> bool:
        """True if this visitor may name folders of this machine."""
        return self.owns_machine


LOCAL = Visitor()


def visitor_of(
    request: gr.Request | None, user: str = "", oauth_token: str | None = None
) -> Visitor:
    """Return the sender of a request.

    Args:
        request: The request; None for a call from this process.
        user: On a Space, the name of the signed-in user; "" if not signed in.
        oauth_token: On a Space, the token of that user.
    """
    if request is None:
        return LOCAL
    owner = read_environment().space_owner
    headers, host = headers_of(request), host_of(request)
    is_local = is_at_this_machine(host, headers)
    if is_local:
        key = LOCAL.key
    else:
        address = _address(host, headers.get("x-forwarded-for", ""))
        key = hashlib.sha256(address.encode()).hexdigest()[:16]
    if not owner:
        return Visitor(key, is_local, is_local, why_not="" if is_local else NOT_LOCAL)
    if user == owner and oauth_token:
        return Visitor(key, is_local, token=oauth_token, why_not="")
    return Visitor(
        key, is_local, why_not=f"Only {owner}, who owns this Space, may publish. Sign in first."
    )


def is_at_this_machine(host: str, headers: Mapping[str, str]) -> bool:
    """Return True if a request came from this machine, and not through a proxy or tunnel."""
    if any(headers.get(name) for name in PROXIED):
        return False
    named = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    return _is_loopback(host) and _is_loopback(named.strip("[]"))


def require_publisher(visitor: Visitor) -> None:
    """Raise InputError unless this visitor may publish."""
    if visitor.why_not:
        raise InputError("Nothing was published.", visitor.why_not)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str, forwarded: str) -> str:
    """Return the last public address that a proxy noted; clients can forge the earlier ones."""
    for hop in reversed([address.strip() for address in forwarded.split(",")]):
        try:
            if ipaddress.ip_address(hop).is_global:
                return hop
        except ValueError:
            break
    return host


def host_of(request: gr.Request) -> str:
    """Return the address that the request came from, as the server sees it."""
    client = getattr(request, "client", None)
    return str(getattr(client, "host", "") or "")


def headers_of(request: gr.Request) -> dict[str, str]:
    """Return the headers by their names in lower case."""
    return {str(k).lower(): str(v) for k, v in dict(request.headers or {}).items()}


@dataclass
class Allowance:
    """Counts the recent requests of each visitor. Thread-safe."""

    clock_s: Callable[[], float] = time.monotonic
    _requests: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, visitor: Visitor, kind: str) -> None:
        """Count one request of a kind of `LIMITS`; local visitors are not limited.

        Raises:
            BusyError: The visitor has used up their limit.
        """
        if visitor.is_local:
            return
        most, within_s = LIMITS[kind]
        now_s = self.clock_s()
        with self._lock:
            while len(self._requests) >= MAX_KNOWN:
                self._requests.pop(next(iter(self._requests)))
            times = self._requests.setdefault((visitor.key, kind), deque())
            while times and times[0] <= now_s - within_s:
                times.popleft()
            if len(times) >= most:
                wait_min = max(1, round((times[0] + within_s - now_s) / 60))
                raise BusyError(
                    f"You have requested {most} {kind} within {within_s / 60:.0f} minutes.",
                    f"Try again in about {wait_min} min, or run procvid on your own machine.",
                )
            times.append(now_s)
