"""Check the environment variables that Gradio reads, before it is imported."""

from __future__ import annotations

import os
import socket

from procvid.errors import InputError
from procvid.machine import check_network, keep_loopback_direct

NAME, PORT = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"
MAX_PORT = 65_535


def check_surroundings() -> None:
    """Check proxies, server name and port, and let requests to this machine pass by the proxy.

    Raises:
        InputError: The server name or port cannot be used.
        UnavailableError: A proxy cannot be used.
    """
    check_network()
    keep_loopback_direct()
    check_address(os.environ.get(NAME, ""), os.environ.get(PORT, ""))


def check_address(name: str, port: str) -> None:
    """Check that a server can listen at an address; empty texts stand for the defaults.

    Raises:
        InputError: The name is not of this machine, or the port is wrong or in use.
    """
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= MAX_PORT):
        raise InputError(
            f"{PORT} is {port[:20]!r}, not a port.", f"Set it to a number from 1 to {MAX_PORT}."
        )
    host = name.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not _can_listen(host, 0):
        raise InputError(
            f"{NAME} is {name[:60]!r}, which is not an address of this machine.",
            "Set it to 127.0.0.1 for this machine only, or to 0.0.0.0 for the network.",
        )
    if port and not _can_listen(host, int(port)):
        raise InputError(f"The port {port} is in use.", f"Set {PORT} to another one.")


def _can_listen(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError):
        return False
    return True
