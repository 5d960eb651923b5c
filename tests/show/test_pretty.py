"""Our `show` prints what Debian's `wg show` prints for the same answer to a get, byte for byte."""

import ipaddress
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import SECOND
from pywg.show.pretty import pretty
from pywg.uapi.codec import format_state
from pywg.uapi.model import DeviceState, PeerState
from tests.needs import need, need_root

NOW = 1_700_000_000 * SECOND
HOUR = 3600
KEY = bytes(range(32))


def states(now: int) -> dict[str, DeviceState]:
    def peer(number: int, **fields: object) -> PeerState:
        return PeerState(public_key=number.to_bytes(32, "big"), **fields)  # type: ignore[arg-type]

    def networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in texts)

    def ago(seconds: int) -> int:
        return now - seconds * SECOND

    return {
        "empty": DeviceState(),
        "bare": DeviceState(private_key=KEY, listen_port=51820),
        "marked": DeviceState(fwmark=0xCA6C, peers=(peer(1),)),
        "peers": DeviceState(
            private_key=KEY,
            listen_port=1,
            peers=(
                peer(1, allowed_ips=networks("10.0.0.0/8"), persistent_keepalive_interval=25),
                peer(
                    2,
                    preshared_key=KEY,
                    endpoint=Endpoint("fe80::1", 12, socket.if_nametoindex("lo")),
                    last_handshake_ns=ago(100_000_000),
                    tx_bytes=1023,
                    rx_bytes=1024,
                    allowed_ips=networks("0.0.0.0/0", "fd00::1/128"),
                ),
                peer(3, endpoint=Endpoint("2001:db8::1", 65535), last_handshake_ns=ago(-1000)),
                peer(4, last_handshake_ns=ago(HOUR + 61), persistent_keepalive_interval=HOUR),
                peer(5, tx_bytes=1 << 30, rx_bytes=(1 << 30) - 1, endpoint=Endpoint("192.0.2.1", 7)),
                peer(6, tx_bytes=5 * 10**13, rx_bytes=(1 << 20) - 1, persistent_keepalive_interval=65535),
                peer(7, last_handshake_ns=ago(2 * 24 * HOUR), rx_bytes=1 << 20),
            ),
        ),
    }


@contextmanager
def device_that_answers(name: str, state: DeviceState) -> Iterator[None]:
    """A UAPI socket that tells this state to everybody who asks."""
    path = Path("/var/run/wireguard") / f"{name}.sock"
    path.parent.mkdir(mode=0o755, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(64):
                        connection.sendall(format_state(state).encode() + b"errno=0\n\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


@pytest.mark.parametrize("hide", [True, False])
@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("which", states(NOW))
def test_same_as_wg(which: str, *, color: bool, hide: bool) -> None:
    need_root()  # the place of the UAPI socket is root's
    need("wg")
    environment = {
        "PATH": os.environ["PATH"],
        "WG_COLOR_MODE": "always" if color else "never",
        "WG_HIDE_KEYS": "always" if hide else "never",
    }
    name = f"t{os.getpid()}"
    for _ in range(3):  # the second may turn between the two
        now = time.time_ns()
        state = states(now)[which]
        with device_that_answers(name, state):
            done = subprocess.run(
                ["wg", "show", name], env=environment, check=True, capture_output=True, text=True
            )
        ours = pretty(name, state, now=now, hide_keys=hide, color=color)
        if ours == done.stdout:
            return
    assert ours == done.stdout


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "Now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (3601, "1 hour, 1 second ago"),
        (365 * 24 * 3600 + 24 * 3600, "1 year, 1 day ago"),
        (-1, "(System clock wound backward; connection problems may ensue.)"),
    ],
)
def test_age_of_a_handshake(seconds: int, words: str) -> None:
    peer = PeerState(public_key=bytes(32), last_handshake_ns=NOW - seconds * SECOND)
    text = pretty("wg0", DeviceState(peers=(peer,)), now=NOW)
    assert f"  latest handshake: {words}\n" in text


def test_secrets_are_hidden_unless_asked_for() -> None:
    peer = PeerState(public_key=bytes(32), preshared_key=bytes(range(1, 33)))
    state = DeviceState(private_key=KEY, peers=(peer,))
    hidden = pretty("wg0", state, now=NOW)
    assert hidden.count("(hidden)") == 2
    shown = pretty("wg0", state, now=NOW, hide_keys=False)
    assert "(hidden)" not in shown
    assert "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=" in shown
