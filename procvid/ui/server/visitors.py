"""Who is asking: the person at this machine, the owner of the Space, or anybody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from procvid.errors import InputError
from procvid.hub.cache import Cache, open_cache
from procvid.hub.client import HubClient
from procvid.settings import read_environment

LIMIT_BYTES = 2 * 10**9
"""The largest release that anybody may have pulled to a server of ours."""

PUBLIC = "public"
"""The folder within the cache of what strangers had pulled."""

PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True)
class Visitor:
    """What somebody may do with the Hub through this app.

    Attributes:
        client: With the token that is theirs to use.
        cache: The releases that they may see.
        limit_bytes: The largest release they may pull; None for any.
        may_name_folders: Whether they may name folders of this machine: it is theirs.
        why_not: Why they may not publish; "" when they may.
    """

    client: HubClient
    cache: Cache
    limit_bytes: int | None
    may_name_folders: bool
    why_not: str


def visitor_of(
    request: gr.Request | None, user: str = "", oauth_token: str | None = None
) -> Visitor:
    """Who sent a request.

    Args:
        request: Of the page.
        user: On a Space, who signed in; "" for nobody.
        oauth_token: On a Space, theirs.
    """
    environment = read_environment()
    owner = environment.space_owner
    if (
        not owner
        and request is not None
        and is_at_this_machine(host_of(request), headers_of(request))
    ):
        return Visitor(HubClient(), open_cache(environment.cache_folder), None, True, "")
    # What a stranger pulls is public, and what the server's own token may see is none of it.
    shared = open_cache(environment.cache_folder / PUBLIC)
    if owner and user == owner and oauth_token:
        return Visitor(HubClient(token=oauth_token), shared, LIMIT_BYTES, False, "")
    if owner:
        why = f"Only {owner}, who owns this Space, may publish from it. Sign in first."
    else:
        why = "Publishing is for the person at this machine: open the page there, or use the command line."
    return Visitor(HubClient(token=False), shared, LIMIT_BYTES, False, why)


def is_at_this_machine(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request came from this machine and through no proxy or tunnel."""
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


def host_of(request: gr.Request) -> str:
    """The address that the request came from, as the server sees it."""
    client = getattr(request, "client", None)
    return str(getattr(client, "host", "") or "")


def headers_of(request: gr.Request) -> dict[str, str]:
    """The headers by their names in lower case."""
    return {str(k).lower(): str(v) for k, v in dict(request.headers or {}).items()}
