"""The address of the page: names and ports that cannot be used are one sentence each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from procvid.errors import InputError
from procvid.ui.server.address import check_address

APP = Path(__file__).parents[2] / "app.py"


@pytest.mark.parametrize("name", ["", "127.0.0.1", "0.0.0.0", "localhost"])
def test_addresses_of_this_machine(name: str) -> None:
    check_address(name, "")


@pytest.mark.parametrize("port", ["abc", "0", "99999", "-1", "\u0667", "9" * 5000])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(
        InputError, match=r"GRADIO_SERVER_PORT is .* not a port. Set it to a number"
    ):
        check_address("", port)


@pytest.mark.parametrize("name", ["192.0.2.1", "no.such.host.invalid", "a" * 300, "http://x"])
def test_names_of_other_machines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def resolve_here(host: str, port: int, **options: int) -> object:
        options["flags"] |= socket.AI_NUMERICHOST
        return resolve(host, port, **options)

    # No test asks a name server, which may not answer.
    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    with pytest.raises(InputError, match="not an address of this machine"):
        check_address(name, "")


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"The port {port} is in use"):
            check_address("", str(port))


def test_the_app_ends_with_one_sentence() -> None:
    """Gradio reads the port when it is imported, so the check comes before."""
    done = subprocess.run(
        [sys.executable, str(APP)],
        env={**os.environ, "GRADIO_SERVER_PORT": "abc"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("procvid: GRADIO_SERVER_PORT is 'abc', not a port.")
